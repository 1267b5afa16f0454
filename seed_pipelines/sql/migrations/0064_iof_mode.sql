-- Whether IOF was withheld, or lent on top of what the client asked for. Rows of before: withheld, all of them.
ALTER TABLE app.loans ADD COLUMN iof_mode text NOT NULL DEFAULT 'withheld';

-- Builds that are open meanwhile are attached to the table as it is now.
DO $$
DECLARE
    build_name text;
BEGIN
    FOR build_name IN SELECT table_name FROM seed_control.build_table WHERE entity = 'loans' LOOP
        EXECUTE format(
            'ALTER TABLE IF EXISTS seed_build.%I ADD COLUMN iof_mode text NOT NULL DEFAULT ''withheld''', build_name);
    END LOOP;
END
$$;

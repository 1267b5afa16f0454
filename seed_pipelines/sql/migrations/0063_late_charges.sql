-- Fine and interest that came with a late payment. Rows of before have none: they were paid at the plain amount.
ALTER TABLE app.installments ADD COLUMN late_charges_cents bigint NOT NULL DEFAULT 0;

-- Builds that are open meanwhile are attached to the table as it is now.
DO $$
DECLARE
    build_name text;
BEGIN
    FOR build_name IN SELECT table_name FROM seed_control.build_table WHERE entity = 'installments' LOOP
        EXECUTE format(
            'ALTER TABLE IF EXISTS seed_build.%I ADD COLUMN late_charges_cents bigint NOT NULL DEFAULT 0', build_name);
    END LOOP;
END
$$;

-- local_dagster_role --
-- The role of Dagster's own storage.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'seed_dagster') THEN
        CREATE ROLE seed_dagster LOGIN;
    END IF;
END
$$;

-- local_database_known --
-- One row if the database exists.
SELECT datname FROM pg_catalog.pg_database WHERE datname = %(name)s::text;

-- The roles and the extension, made once by an administrator of the server. Migrations are applied by seed_migrator.
-- seed_owner owns every schema and cannot log in; seed_loader, seed_auditor, seed_application, seed_api and
-- seed_reader own nothing and are members of nothing.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[
        'seed_owner', 'seed_migrator', 'seed_loader', 'seed_auditor', 'seed_application', 'seed_api',
        'seed_reader'
    ]
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOINHERIT', role_name);
        END IF;
    END LOOP;
END
$$;
ALTER ROLE seed_migrator LOGIN;
ALTER ROLE seed_loader LOGIN;
ALTER ROLE seed_auditor LOGIN;
ALTER ROLE seed_application LOGIN;
ALTER ROLE seed_api LOGIN;
ALTER ROLE seed_reader LOGIN;
GRANT seed_owner TO seed_migrator;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
DO $$
BEGIN
    EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO seed_owner', pg_catalog.current_database());
    EXECUTE pg_catalog.format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', pg_catalog.current_database());
END
$$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- migrations_begin --
-- The owner does what migrations do.
SET ROLE seed_owner;

-- migrations_turn --
-- One migrator at a time before there is a table to lock: IF NOT EXISTS looks, and does not wait.
SELECT pg_advisory_xact_lock(hashtext('seed_data:migrations'));

-- migrations_schema --
-- Where the control plane lives.
CREATE SCHEMA IF NOT EXISTS seed_control;

-- migrations_table --
-- What has been applied, with the hash of its text.
CREATE TABLE IF NOT EXISTS seed_control.migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- migrations_lock --
-- One migrator at a time.
LOCK TABLE seed_control.migration IN SHARE ROW EXCLUSIVE MODE;

-- migrations_applied --
-- Every applied migration.
SELECT name, sha256 FROM seed_control.migration ORDER BY name;

-- migration_record --
-- Recorded in the transaction of the migration.
INSERT INTO seed_control.migration (name, sha256) VALUES (%(name)s::text, %(sha256)s::text);

-- migrations_known --
-- Whether the control plane was ever made; no error where it was not.
SELECT to_regclass('seed_control.migration') IS NOT NULL AS known;

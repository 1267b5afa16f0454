-- rehearse_build --
-- A build table of this transaction alone, which can only be rolled back.
SELECT seed_control.rehearse_build(%(entity)s::text, %(tenant_id)s::uuid) AS table_name;

-- rehearse_seal --
-- Keys, uniques and row-level security on it.
SELECT seed_control.rehearse_seal(%(entity)s::text, %(table_name)s::text);

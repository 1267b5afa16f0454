-- mapping_bind --
-- The mapping that a seed run begins with. No row: it has one, or it has built something without one.
INSERT INTO seed_control.run_mapping (seed_run_id, mapping_hash, mapping, entities, tenant_setting, tenant_value)
SELECT %(seed_run_id)s::uuid, %(mapping_hash)s::text, %(mapping)s::jsonb, %(entities)s::text[],
    %(tenant_setting)s::text, %(tenant_value)s::text
WHERE NOT EXISTS (SELECT FROM seed_control.build_table WHERE seed_run_id = %(seed_run_id)s::uuid)
ON CONFLICT (seed_run_id) DO NOTHING
RETURNING seed_run_id;

-- mapping_rebind --
-- A newer version of the mapping, for a seed run that goes on: what is loaded does not depend on it.
UPDATE seed_control.run_mapping
SET mapping_hash = %(mapping_hash)s::text, mapping = %(mapping)s::jsonb, entities = %(entities)s::text[],
    tenant_setting = %(tenant_setting)s::text, tenant_value = %(tenant_value)s::text
WHERE seed_run_id = %(seed_run_id)s::uuid;

-- mapping_of --
-- The mapping of a seed run. No row back: it fills the tables of `app`.
SELECT seed_run_id, mapping, entities, tenant_setting, tenant_value
FROM seed_control.run_mapping
WHERE seed_run_id = %(seed_run_id)s::uuid;

-- mapped_dataset --
-- The seed run of a published dataset, and its mapping: null where the dataset lies in `app`. No row back: none is
-- published.
SELECT d.seed_run_id, m.mapping
FROM seed_control.dataset AS d
LEFT JOIN seed_control.run_mapping AS m ON m.seed_run_id = d.seed_run_id
WHERE d.environment = %(environment)s::text AND d.tenant = %(tenant)s::text AND d.mode = %(mode)s::text;

-- mapped_tenant_set --
-- The tenant of this transaction, for our policies and for the application's. The ledger has no statistics in the
-- transaction that fills it: loops that are planned for one row would run over all of them, for each of them. Without
-- loops a small query looks dear, and compiling it would take longer than running it.
SELECT set_config('app.tenant_id', r.tenant_id::text, true),
    set_config(m.tenant_setting, m.tenant_value, true) AS tenant_value,
    set_config('enable_nestloop', 'off', true) AS enable_nestloop, set_config('jit', 'off', true) AS jit
FROM seed_control.run_mapping AS m
JOIN seed_control.seed_run AS r ON r.id = m.seed_run_id
WHERE m.seed_run_id = %(seed_run_id)s::uuid;

-- mapped_tenant_is --
-- The tenant of this transaction as the application's policies see it.
SELECT set_config(%(tenant_setting)s::text, %(tenant_value)s::text, true);

-- mapped_rows_counted --
-- The rows of a seed run's dataset in an application's tables, by entity.
SELECT coalesce(jsonb_object_agg(c.entity, c.rows), '{}') AS rows
FROM (
    SELECT entity, count(*) AS rows
    FROM seed_control.mapped_row
    WHERE seed_run_id = %(seed_run_id)s::uuid
    GROUP BY entity
) AS c;

-- mapped_rows_referred_to --
-- Rows of the application that refer to rows which would go away, and would not come back.
SELECT seed_control.mapped_references(%(old_run_id)s::uuid, %(new_run_id)s::uuid) AS found;

-- mapped_rows_taken --
-- The dataset's rows are gone from the application's tables. Back come their numbers by entity.
SELECT seed_control.take_mapped_rows(%(seed_run_id)s::uuid) AS rows;

-- mapped_rows_redrawn --
-- New keys for the rows whose keys turned out to be taken.
UPDATE seed_control.mapped_row
SET target_key = nextval(%(sequence)s::regclass)::text
WHERE seed_run_id = %(seed_run_id)s::uuid AND entity = %(entity)s::text AND NOT is_stored;

-- sequence_skip --
-- So many keys of a sequence that stands behind its table are passed over.
SELECT max(nextval(%(sequence)s::regclass)) AS reached FROM generate_series(1, %(keys)s::bigint);

-- mapped_key --
-- The sequence of a table's key, and the columns of the index that keeps the key unique, alone or within the tenant.
SELECT t.sequence::text AS sequence, u.columns, t.target::text AS name
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
LEFT JOIN LATERAL (
    SELECT ARRAY(
        SELECT a.attname::text FROM unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) AS n (number)
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = n.number
    ) AS columns
    FROM pg_index AS x
    WHERE x.indrelid = t.target AND x.indisunique AND x.indpred IS NULL AND x.indexprs IS NULL AND x.indimmediate
        AND ARRAY(
            SELECT a.attname::text FROM unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) AS n (number)
            JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = n.number
        ) <@ ARRAY[t.rule -> 'key' ->> 'column', %(mapping)s::jsonb -> 'tenant' ->> 'column']
        AND EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey) AND a.attname = t.rule -> 'key' ->> 'column'
        )
    ORDER BY x.indisprimary DESC, x.indexrelid
    LIMIT 1
) AS u ON true
WHERE t.entity = %(entity)s::text;

-- pgcrypto_schema --
-- Where the extension's functions are. No row back: it is not installed.
SELECT n.nspname AS name
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pgcrypto';

-- constraints_check --
-- What was deferred is checked now, and not at the commit.
SET CONSTRAINTS ALL IMMEDIATE;

-- purge_mapped --
-- Ends a purge of rows that the loader has taken away. A null: there is no such dataset.
SELECT seed_control.purge_mapped(%(environment)s::text, %(tenant)s::text, %(mode)s::text, %(reason)s::text,
    %(gone)s::jsonb) AS rows;

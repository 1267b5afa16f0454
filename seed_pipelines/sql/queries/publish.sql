-- tenant_set --
-- The tenant of this transaction: row-level security sees no other.
SELECT set_config('app.tenant_id', %(tenant_id)s::text, true);

-- build_open --
-- The build table of an entity, made by whichever shard comes first.
SELECT seed_control.open_build(%(seed_run_id)s::uuid, %(fence)s::bigint, %(entity)s::text);

-- build_seal --
-- Keys, uniques and row-level security. False: rows are still missing.
SELECT seed_control.seal(%(seed_run_id)s::uuid, %(fence)s::bigint, %(entity)s::text);

-- build_is_full --
-- Whether the checkpoints say that every planned row of an entity is in.
SELECT (r.planned_rows ->> %(entity)s::text)::bigint <= (
    SELECT coalesce(sum(c.rows), 0) FROM seed_control.checkpoint AS c
    WHERE c.seed_run_id = r.id AND c.entity = %(entity)s::text
) AS is_full
FROM seed_control.seed_run AS r
WHERE r.id = %(seed_run_id)s::uuid;

-- builds_unsealed --
-- The entities of a seed run that have a build and no keys yet.
SELECT entity
FROM seed_control.build_table
WHERE seed_run_id = %(seed_run_id)s::uuid AND sealed_at IS NULL
ORDER BY entity;

-- build_discard --
-- Drops the build of a seed run that will not go on.
SELECT seed_control.discard_build(%(seed_run_id)s::uuid);

-- publish_lock_timeout --
-- Shorter than the server's deadlock timeout: a publication gives way to readers, and is tried again.
SELECT set_config('lock_timeout', %(milliseconds)s::text || 'ms', true);

-- vacuums_away --
-- Autovacuum gives up what it does to the tables that are about to be replaced.
SELECT seed_control.send_vacuums_away(%(seed_run_id)s::uuid, %(fence)s::bigint);

-- publish_attach --
-- The whole dataset becomes visible with this transaction. Back comes the dataset's generation.
SELECT seed_control.publish_attach(%(seed_run_id)s::uuid, %(fence)s::bigint, %(dataset_hash)s::text,
    make_interval(days => %(ttl_days)s::integer));

-- publish_inserted --
-- Ends a publication by inserting. Back comes the dataset's generation.
SELECT seed_control.publish_inserted(%(seed_run_id)s::uuid, %(fence)s::bigint, %(dataset_hash)s::text,
    make_interval(days => %(ttl_days)s::integer));

-- constraints_defer --
-- A row that goes and comes back with the same key keeps the rows that refer to it.
SET CONSTRAINTS ALL DEFERRED;

-- dataset_of --
-- The published dataset of a mode. No row back: none is.
SELECT generation, seed_run_id, manifest_hash, manifest_version, reference_datetime, dataset_hash, published_at,
    expires_at
FROM seed_control.dataset
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND mode = %(mode)s::text;

-- long_statement --
-- Sealing and publishing take as long as the dataset is large. Nobody can take the lease meanwhile: its row is held.
SELECT set_config('statement_timeout', '30min', true);

-- seal_lock_timeout --
-- Another shard may be sealing the same entity: its end is worth waiting for.
SELECT set_config('lock_timeout', '30min', true);

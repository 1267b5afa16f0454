-- run_make --
-- A new seed run. A dataset that was attached is replaced by attaching, however small its successor is: to drop a leaf
-- takes a moment, and to delete its rows minutes.
INSERT INTO seed_control.seed_run (id, environment, tenant, tenant_id, mode, idempotency_key, manifest_path,
    limits, manifest_hash, manifest_version, schema_version, salt_version, reference_datetime, generator_version,
    vocabulary_sha256, key_check, mask_key, preflight, publisher, shards, planned_rows, batch_rows, first_id, last_id,
    planned_cost_micro_brl, flags, traceparent)
VALUES (%(id)s::uuid, %(environment)s::text, %(tenant)s::text, %(tenant_id)s::uuid, %(mode)s::text,
    %(idempotency_key)s::text, %(manifest_path)s::text, %(limits)s::jsonb, %(manifest_hash)s::text,
    %(manifest_version)s::text, %(schema_version)s::text, %(salt_version)s::text,
    %(reference_datetime)s::timestamptz, %(generator_version)s::text, %(vocabulary_sha256)s::text,
    %(key_check)s::text, %(mask_key)s::jsonb,
    %(preflight)s::jsonb,
    CASE WHEN NOT %(is_mapped)s::boolean AND EXISTS (
        SELECT FROM seed_control.dataset AS d
        JOIN seed_control.seed_run AS r ON r.id = d.seed_run_id
        WHERE d.environment = %(environment)s::text AND d.tenant = %(tenant)s::text AND d.mode = %(mode)s::text
            AND r.publisher = 'attach'
    ) THEN 'attach' ELSE %(publisher)s::text END,
    %(shards)s::integer, %(planned_rows)s::jsonb, %(batch_rows)s::jsonb,
    %(first_id)s::bigint, %(last_id)s::bigint, %(planned_cost_micro_brl)s::bigint, %(flags)s::jsonb,
    %(traceparent)s::text);

-- key_claim --
-- From now on the seed run answers to this key.
INSERT INTO seed_control.idempotency_key (environment, tenant, key, seed_run_id)
VALUES (%(environment)s::text, %(tenant)s::text, %(idempotency_key)s::text, %(id)s::uuid);

-- run_by_id --
-- One seed run, as it stands.
SELECT id, environment, tenant, tenant_id, mode, idempotency_key, state, manifest_path, limits,
    manifest_hash, manifest_version, schema_version, salt_version, reference_datetime, generator_version, vocabulary_sha256,
    key_check, mask_key, preflight, publisher, shards, planned_rows, batch_rows, first_id, last_id, planned_cost_micro_brl,
    flags, traceparent, telemetry, cancel_requested_at, error_code, error_detail, dataset_hash, started_at, finished_at
FROM seed_control.seed_run
WHERE id = %(seed_run_id)s::uuid;

-- run_by_key --
-- The seed run that answers to an idempotency key. No row back: the key was never used.
SELECT seed_run_id AS id
FROM seed_control.idempotency_key
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND key = %(idempotency_key)s::text;

-- run_to_go_on_with --
-- The newest seed run of this manifest that can go on and that nobody works on: its lease ran out, or what it was at
-- work for is done, and other shards of it wait for their worker.
SELECT r.id
FROM seed_control.seed_run AS r
WHERE r.environment = %(environment)s::text AND r.tenant = %(tenant)s::text
    AND r.manifest_hash = %(manifest_hash)s::text AND r.generator_version = %(generator_version)s::text
    AND r.finished_at IS NULL AND r.cancel_requested_at IS NULL
    AND (
        NOT EXISTS (SELECT FROM seed_control.lease AS l WHERE l.holder = r.id AND l.lease_until > clock_timestamp())
        OR (
            EXISTS (SELECT FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id AND s.state = 'done')
            AND NOT EXISTS (SELECT FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id AND s.state = 'active')
        )
    )
ORDER BY r.started_at DESC
LIMIT 1;

-- runs_recent --
-- The newest seed runs, of one environment and tenant where they are named.
SELECT id, environment, tenant, mode, state, manifest_version, dataset_hash, error_code, started_at, finished_at
FROM seed_control.seed_run
WHERE (%(environment)s::text IS NULL OR environment = %(environment)s::text)
    AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s::text)
ORDER BY started_at DESC
LIMIT %(limit)s::integer;

-- run_resume --
-- Running, from running, failed or paused; it does not end before the transaction does. No row back: it has ended.
UPDATE seed_control.seed_run
SET state = 'running', error_code = NULL, error_detail = NULL, flags = flags || %(flags)s::jsonb
WHERE id = %(seed_run_id)s::uuid AND finished_at IS NULL
RETURNING id;

-- run_hold --
-- One worker at a time leaves a seed run: two that leave at once would each think that the other is at work.
SELECT id FROM seed_control.seed_run WHERE id = %(seed_run_id)s::uuid FOR NO KEY UPDATE;

-- run_stop_if_idle --
-- Failed or paused, with the reason, if no shard is at work; can be resumed. No row back: others go on.
UPDATE seed_control.seed_run
SET state = %(state)s::text, error_code = %(error_code)s::text, error_detail = %(error_detail)s::text
WHERE id = %(seed_run_id)s::uuid AND state = 'running'
    AND NOT EXISTS (
        SELECT FROM seed_control.seed_shard WHERE seed_run_id = %(seed_run_id)s::uuid AND state = 'active'
    )
RETURNING id;

-- run_end --
-- Cancelled or aborted, for good. No row back: it had ended before.
UPDATE seed_control.seed_run
SET state = %(state)s::text, error_code = %(error_code)s::text, error_detail = %(error_detail)s::text,
    finished_at = clock_timestamp()
WHERE id = %(seed_run_id)s::uuid AND finished_at IS NULL
RETURNING id;

-- run_request_cancel --
-- Asks a seed run to stop at its next batch boundary. No row back: it has ended.
UPDATE seed_control.seed_run
SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
WHERE id = %(seed_run_id)s::uuid AND finished_at IS NULL
RETURNING id;

-- run_add_telemetry --
-- What one worker's telemetry of one step came to. `lost_by` names the steps that lost spans and were not repeated.
WITH held AS (
    SELECT id, CASE
        WHEN %(ok)s::boolean THEN coalesce(telemetry -> 'lost_by', '{}') - %(step)s::text
        ELSE coalesce(telemetry -> 'lost_by', '{}')
            || jsonb_build_object(%(step)s::text, coalesce(%(error_code)s::text, 'unknown')) END AS lost_by
    FROM seed_control.seed_run
    WHERE id = %(seed_run_id)s::uuid
    FOR UPDATE)
UPDATE seed_control.seed_run AS r
SET telemetry = jsonb_build_object(
    'exporter', %(exporter)s::text,
    'ok', held.lost_by = '{}',
    'lost_by', held.lost_by,
    'ended', coalesce((telemetry ->> 'ended')::bigint, 0) + %(ended)s::bigint,
    'exported', coalesce((telemetry ->> 'exported')::bigint, 0) + %(exported)s::bigint,
    'failed', coalesce((telemetry ->> 'failed')::bigint, 0) + %(failed)s::bigint,
    'error_code', coalesce(%(error_code)s::text, telemetry ->> 'error_code'))
FROM held
WHERE r.id = held.id;

-- run_hash_before --
-- The hash that the same manifest and generator gave before. No row back: this is the first time.
SELECT dataset_hash
FROM seed_control.seed_run
WHERE manifest_hash = %(manifest_hash)s::text AND generator_version = %(generator_version)s::text
    AND state = 'published' AND id <> %(seed_run_id)s::uuid
ORDER BY finished_at DESC
LIMIT 1;

-- runs_left_behind --
-- Seed runs of the same tenant and environment that stopped and that nobody goes on with.
SELECT id
FROM seed_control.seed_run
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND finished_at IS NULL
    AND id <> %(seed_run_id)s::uuid;

-- worker_label --
-- The session says whose it is, for operators and for the next statement.
SELECT set_config('application_name', 'seed:' || %(worker)s::text, false);

-- workers_evict --
-- Ends sessions of other workers that stopped sending in the middle of a COPY. Neither statement_timeout nor the
-- timeout of idle transactions ends those, and their locks would keep everybody else away. No shard: all shards.
SELECT pg_terminate_backend(a.pid)
FROM seed_control.seed_shard AS s
JOIN pg_stat_activity AS a ON a.application_name = 'seed:' || s.worker
WHERE s.seed_run_id = %(seed_run_id)s::uuid AND (%(shard)s::text IS NULL OR s.shard = %(shard)s::text)
    AND s.worker <> %(worker)s::text AND a.datname = current_database() AND a.usename = current_user
    AND a.state = 'active' AND a.wait_event = 'ClientRead'
    AND a.query_start < clock_timestamp() - make_interval(secs => %(stalled_seconds)s::float8);

-- shard_begin --
-- A new attempt at a shard: from now on, no older attempt can write.
INSERT INTO seed_control.seed_shard AS old (seed_run_id, shard, attempt, worker, state)
VALUES (%(seed_run_id)s::uuid, %(shard)s::text, 1, %(worker)s::text, 'active')
ON CONFLICT (seed_run_id, shard) DO UPDATE
    SET attempt = old.attempt + CASE WHEN old.worker = EXCLUDED.worker THEN 0 ELSE 1 END,
        worker = EXCLUDED.worker,
        state = CASE WHEN old.state = 'done' THEN 'done' ELSE 'active' END
RETURNING attempt;

-- shard_done --
-- Every row of the shard is in, since when it first was. No row back: a newer attempt has taken the shard.
UPDATE seed_control.seed_shard
SET state = 'done', finished_at = coalesce(finished_at, clock_timestamp())
WHERE seed_run_id = %(seed_run_id)s::uuid AND shard = %(shard)s::text AND attempt = %(attempt)s::integer
RETURNING shard;

-- shard_leave --
-- The worker goes away without having finished.
UPDATE seed_control.seed_shard
SET state = 'idle'
WHERE seed_run_id = %(seed_run_id)s::uuid AND worker = %(worker)s::text AND state = 'active';

-- shard_states --
-- Every shard of a seed run that has begun.
SELECT shard, attempt, state, started_at, finished_at
FROM seed_control.seed_shard
WHERE seed_run_id = %(seed_run_id)s::uuid
ORDER BY shard;

-- database_now --
-- The only clock.
SELECT clock_timestamp() AS now;

-- runs_abandoned --
-- Seed runs that say that they run, and whose lease nobody has renewed for a while. One that the API asked for has no
-- lease until its worker comes, which may take some minutes where Dagster's queue is long.
SELECT r.id, r.environment, r.tenant, r.idempotency_key, r.manifest_path, r.manifest_hash, r.flags,
    array(
        SELECT shard FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id AND s.state = 'done'
    ) AS done_shards
FROM seed_control.seed_run AS r
LEFT JOIN seed_control.lease AS l ON l.environment = r.environment AND l.tenant = r.tenant
WHERE r.state = 'running' AND (%(environment)s::text IS NULL OR r.environment = %(environment)s::text)
    AND CASE
        WHEN l.holder = r.id
        THEN l.lease_until < clock_timestamp() - make_interval(secs => %(grace_seconds)s::float8)
        ELSE EXISTS (SELECT FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id)
            OR r.started_at < clock_timestamp() - make_interval(secs => %(begin_seconds)s::float8)
    END
ORDER BY r.started_at;

-- runs_to_request --
-- Seed runs that were marked and that nobody has gone on with since; of each shard how often it was begun.
SELECT r.id, r.environment, r.tenant, r.idempotency_key, r.manifest_path, r.manifest_hash, r.flags,
    array(
        SELECT shard FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id AND s.state = 'done'
    ) AS done_shards,
    coalesce((
        SELECT jsonb_object_agg(s.shard, s.attempt) FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id
    ), '{}') AS attempts
FROM seed_control.seed_run AS r
WHERE r.state = 'failed' AND r.error_code = %(error_code)s::text
    AND (%(environment)s::text IS NULL OR r.environment = %(environment)s::text)
ORDER BY r.started_at;

-- abandoned_hold --
-- Keeps the lease still, where there is one. No row back: a batch, a seal or a publication is under way, however long
-- it takes.
SELECT r.id
FROM seed_control.seed_run AS r, LATERAL (
        SELECT (
            SELECT l.holder FROM seed_control.lease AS l
            WHERE l.environment = r.environment AND l.tenant = r.tenant
            FOR UPDATE SKIP LOCKED
        ) AS held
        OFFSET 0
    ) AS still
WHERE r.id = %(seed_run_id)s::uuid AND (still.held IS NOT NULL OR NOT EXISTS (
        SELECT FROM seed_control.lease AS l WHERE l.environment = r.environment AND l.tenant = r.tenant
    ));

-- run_is_abandoned --
-- Whether nobody has renewed its lease for a while. No row back: it does not say that it runs.
SELECT CASE
        WHEN l.holder = r.id
        THEN l.lease_until < clock_timestamp() - make_interval(secs => %(grace_seconds)s::float8)
        ELSE EXISTS (SELECT FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id)
            OR r.started_at < clock_timestamp() - make_interval(secs => %(begin_seconds)s::float8)
    END AS is_abandoned
FROM seed_control.seed_run AS r
LEFT JOIN seed_control.lease AS l ON l.environment = r.environment AND l.tenant = r.tenant
WHERE r.id = %(seed_run_id)s::uuid AND r.state = 'running';

-- shards_leave --
-- No worker is at work.
UPDATE seed_control.seed_shard SET state = 'idle' WHERE seed_run_id = %(seed_run_id)s::uuid AND state = 'active';

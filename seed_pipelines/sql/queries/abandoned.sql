-- runs_abandoned --
-- Seed runs that say that they run, and whose lease nobody has renewed for a while.
SELECT r.id, r.environment, r.tenant, r.idempotency_key, r.manifest_path, r.manifest_hash, r.flags,
    array(
        SELECT shard FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id AND s.state = 'done'
    ) AS done_shards
FROM seed_control.seed_run AS r
JOIN seed_control.lease AS l ON l.environment = r.environment AND l.tenant = r.tenant
WHERE r.state = 'running' AND (%(environment)s::text IS NULL OR r.environment = %(environment)s::text)
    AND (l.holder <> r.id OR l.lease_until < clock_timestamp() - make_interval(secs => %(grace_seconds)s::float8))
ORDER BY r.started_at;

-- abandoned_hold --
-- Keeps the lease still. No row back: a batch, a seal or a publication is under way, however long it takes.
SELECT l.holder
FROM seed_control.lease AS l
JOIN seed_control.seed_run AS r ON l.environment = r.environment AND l.tenant = r.tenant
WHERE r.id = %(seed_run_id)s::uuid
FOR UPDATE OF l SKIP LOCKED;

-- run_is_abandoned --
-- Whether nobody has renewed its lease for a while. No row back: it does not say that it runs.
SELECT l.lease_until < clock_timestamp() - make_interval(secs => %(grace_seconds)s::float8) OR l.holder <> r.id
    AS is_abandoned
FROM seed_control.seed_run AS r
JOIN seed_control.lease AS l ON l.environment = r.environment AND l.tenant = r.tenant
WHERE r.id = %(seed_run_id)s::uuid AND r.state = 'running';

-- shards_leave --
-- No worker is at work.
UPDATE seed_control.seed_shard SET state = 'idle' WHERE seed_run_id = %(seed_run_id)s::uuid AND state = 'active';

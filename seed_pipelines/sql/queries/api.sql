-- api_rate_take --
-- One request by GCRA: an UPDATE or nothing. No row back: the quota is used up. It does not wait for the disk.
INSERT INTO seed_control.api_rate_limit AS r (caller, tenant, arrival_at)
VALUES (%(caller)s::text, %(tenant)s::text, clock_timestamp() + make_interval(secs => %(interval_seconds)s::float8))
ON CONFLICT (caller, tenant) DO UPDATE
    SET arrival_at = greatest(r.arrival_at, clock_timestamp()) + make_interval(secs => %(interval_seconds)s::float8)
    WHERE r.arrival_at <= clock_timestamp()
        + make_interval(secs => %(window_seconds)s::float8 - %(interval_seconds)s::float8)
RETURNING extract(epoch FROM arrival_at - clock_timestamp())::float8 AS ahead_seconds,
    set_config('synchronous_commit', 'off', true) AS commits_later;

-- api_rate_state --
-- How far ahead of its rate a caller is; nothing is taken by asking. No row back: it never asked for anything.
SELECT extract(epoch FROM arrival_at - clock_timestamp())::float8 AS ahead_seconds
FROM seed_control.api_rate_limit
WHERE caller = %(caller)s::text AND tenant = %(tenant)s::text;

-- api_tenant --
-- The rest of the transaction sees this tenant and no other; what has no tenant_id is told by the names.
SELECT set_config('app.tenant_id', %(tenant_id)s::text, true),
    set_config('app.environment', %(environment)s::text, true),
    set_config('app.tenant', %(tenant)s::text, true);

-- api_role --
-- Who the API is in the database, and whether policies apply to it.
SELECT current_user AS role, current_user = 'seed_api' AND NOT (rolsuper OR rolbypassrls) AS is_safe
FROM pg_roles
WHERE rolname = current_user;

-- api_claim --
-- Claims a request by its key. No row back: it was answered, is at work, or said something else.
INSERT INTO seed_control.api_request AS held (environment, tenant, route, key, fingerprint, claim, claimed_until)
VALUES (%(environment)s::text, %(tenant)s::text, %(route)s::text, %(key)s::text, %(fingerprint)s::text,
    %(claim)s::uuid, clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8))
ON CONFLICT (environment, tenant, route, key) DO UPDATE
    SET claim = EXCLUDED.claim, claimed_until = EXCLUDED.claimed_until
    WHERE held.status IS NULL AND held.claimed_until < clock_timestamp() AND held.fingerprint = EXCLUDED.fingerprint
RETURNING claim;

-- api_claimed --
-- What is known of a request's key. No row back: it was given up meanwhile.
SELECT fingerprint, status, headers, body
FROM seed_control.api_request
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND route = %(route)s::text
    AND key = %(key)s::text;

-- api_answer --
-- The answer of a claimed request, for whoever sends it again. No row back: the claim was taken over.
UPDATE seed_control.api_request
SET status = %(status)s::integer, headers = %(headers)s::jsonb, body = %(body)s::text, answered_at = clock_timestamp()
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND route = %(route)s::text
    AND key = %(key)s::text AND claim = %(claim)s::uuid AND status IS NULL
RETURNING claim;

-- api_give_up --
-- Nothing was done: the key is free again.
DELETE FROM seed_control.api_request
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND route = %(route)s::text
    AND key = %(key)s::text AND claim = %(claim)s::uuid AND status IS NULL;

-- api_run --
-- One seed run as the API tells it, in one look: its row, its parts, and the strong validator of both. The row's xmin
-- changes with every update of it.
SELECT r.id AS seed_run_id, r.environment, r.tenant, r.mode, m.status, r.manifest_version, r.manifest_hash,
    r.dataset_hash, r.error_code, r.started_at, r.finished_at, r.idempotency_key, r.manifest_path,
    r.schema_version, r.salt_version, r.reference_datetime, r.generator_version,
    r.publisher, r.shards AS planned_shards, r.planned_rows, r.planned_cost_micro_brl, r.traceparent,
    r.cancel_requested_at, r.error_detail, (
        SELECT coalesce(json_agg(s ORDER BY s.shard), '[]')
        FROM (
            SELECT shard, attempt, state, started_at, finished_at
            FROM seed_control.seed_shard
            WHERE seed_run_id = r.id
        ) AS s
    ) AS shards, (
        SELECT coalesce(json_agg(c ORDER BY c.entity, c.shard), '[]')
        FROM (
            SELECT entity, shard, count(*) AS batches, sum(rows) AS rows, max(committed_at) AS last_committed_at
            FROM seed_control.checkpoint
            WHERE seed_run_id = r.id
            GROUP BY entity, shard
        ) AS c
    ) AS checkpoints, (
        SELECT json_build_object('cap_micro_brl', b.cap_micro_brl, 'spent_micro_brl', b.spent_micro_brl, 'faults', (
            SELECT count(DISTINCT (f.entity, f.shard, f.number))
            FROM seed_control.batch_fault AS f
            WHERE f.seed_run_id = r.id
        ))
        FROM seed_control.budget AS b
        WHERE b.seed_run_id = r.id
    ) AS budget, (
        SELECT json_build_object('uri', o.uri, 'sha256', o.sha256, 'queued_at', o.queued_at, 'written_at', o.written_at)
        FROM seed_control.report_outbox AS o
        WHERE o.seed_run_id = r.id
    ) AS report, r.xmin || '-' || m.mark AS etag
FROM seed_control.seed_run AS r
JOIN seed_control.seed_run_progress AS m ON m.seed_run_id = r.id
WHERE r.id = %(seed_run_id)s::uuid AND r.environment = %(environment)s::text;

-- api_run_progress --
-- How far a seed run is, in short.
SELECT r.id AS seed_run_id, m.status, CASE
        WHEN r.state = 'published' THEN p.planned
        ELSE coalesce(c.rows, 0)
    END AS rows, p.planned AS planned_rows, c.batches, coalesce(b.spent_micro_brl, 0) AS spent_micro_brl, r.error_code,
    r.xmin || '-' || m.mark AS etag
FROM seed_control.seed_run AS r
JOIN seed_control.seed_run_progress AS m ON m.seed_run_id = r.id
LEFT JOIN seed_control.budget AS b ON b.seed_run_id = r.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(value::bigint), 0)::bigint AS planned FROM jsonb_each_text(r.planned_rows)
) AS p
CROSS JOIN LATERAL (
    SELECT sum(rows)::bigint AS rows, count(*) AS batches FROM seed_control.checkpoint WHERE seed_run_id = r.id
) AS c
WHERE r.id = %(seed_run_id)s::uuid AND r.environment = %(environment)s::text;

-- api_runs --
-- A page of a tenant's seed runs, the newest first, after the last one of the page before.
SELECT seed_run_id, environment, tenant, mode, status, manifest_version, manifest_hash, dataset_hash, error_code,
    started_at, finished_at
FROM (
    SELECT r.id AS seed_run_id, r.environment, r.tenant, r.mode, m.status, r.manifest_version, r.manifest_hash,
        r.dataset_hash, r.error_code, r.started_at, r.finished_at
    FROM seed_control.seed_run AS r
    JOIN seed_control.seed_run_progress AS m ON m.seed_run_id = r.id
    WHERE r.tenant_id = %(tenant_id)s::uuid AND r.environment = %(environment)s::text
        AND (%(mode)s::text IS NULL OR r.mode = %(mode)s::text)
        AND (%(after_started_at)s::timestamptz IS NULL
            OR (r.started_at, r.id) < (%(after_started_at)s::timestamptz, %(after_id)s::uuid))
) AS found
WHERE %(status)s::text IS NULL OR status = %(status)s::text
ORDER BY started_at DESC, seed_run_id DESC
LIMIT %(limit)s::integer;

-- api_cancel --
-- Asks a seed run to stop, if it is still as the caller saw it. The row's own xmin is compared, so that of several
-- callers who saw the same one succeeds. No row back: it has changed, it has ended, or there is none.
UPDATE seed_control.seed_run AS r
SET cancel_requested_at = coalesce(r.cancel_requested_at, clock_timestamp())
WHERE r.id = %(seed_run_id)s::uuid AND r.environment = %(environment)s::text AND r.tenant = %(tenant)s::text
    AND r.finished_at IS NULL AND (%(any)s::boolean OR r.xmin || '-' || (
        SELECT m.mark FROM seed_control.seed_run_progress AS m WHERE m.seed_run_id = %(seed_run_id)s::uuid
    ) = ANY (%(etags)s::text[]))
RETURNING r.id;

-- api_launch_turn --
-- One launch at a time for a seed run: two would each think that no worker was asked for yet.
SELECT pg_advisory_xact_lock(hashtextextended('seed_launch:' || %(seed_run_id)s::text, 0));

-- api_gauges --
-- What the metrics say of the control plane, all tenants together, a row for each value.
SELECT 'seed_runs' AS name, r.environment, r.state AS kind, count(*)::float8 AS value
FROM seed_control.seed_run AS r
GROUP BY r.environment, r.state
UNION ALL
SELECT 'seed_queue_length', environment, NULL, count(*)::float8
FROM seed_control.queue_entry
WHERE outcome IS NULL AND expires_at >= clock_timestamp()
GROUP BY environment
UNION ALL
SELECT 'seed_reports_waiting', r.environment, NULL, count(*)::float8
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE o.written_at IS NULL
GROUP BY r.environment
UNION ALL
SELECT 'seed_report_oldest_waiting_seconds', r.environment, NULL,
    extract(epoch FROM clock_timestamp() - min(o.queued_at))::float8
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE o.written_at IS NULL
GROUP BY r.environment
UNION ALL
SELECT 'seed_budget_remaining_micro_brl', r.environment, r.tenant, min(b.cap_micro_brl - b.spent_micro_brl)::float8
FROM seed_control.seed_run AS r
JOIN seed_control.budget AS b ON b.seed_run_id = r.id
WHERE r.finished_at IS NULL
GROUP BY r.environment, r.tenant
UNION ALL
SELECT 'seed_rate_limit_remaining', r.environment, r.tenant, min(greatest(0, w.burst - ceil(
        greatest(0, extract(epoch FROM l.arrival_at - clock_timestamp())) * w.limit_ / w.window_seconds
    )))::float8
FROM seed_control.seed_run AS r
JOIN seed_control.rate_limit AS l ON l.environment = r.environment AND l.tenant = r.tenant
CROSS JOIN LATERAL (
    SELECT (r.limits -> 'rate_limit' ->> 'limit')::float8 AS limit_,
        (r.limits -> 'rate_limit' ->> 'window_seconds')::float8 AS window_seconds,
        coalesce(r.limits -> 'rate_limit' ->> 'burst', r.limits -> 'rate_limit' ->> 'limit')::float8 AS burst
) AS w
WHERE r.finished_at IS NULL
GROUP BY r.environment, r.tenant;

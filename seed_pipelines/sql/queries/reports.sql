-- reports_waiting --
-- Seed runs that ended and have no report yet, oldest first.
SELECT o.seed_run_id, r.environment
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE o.written_at IS NULL
ORDER BY o.queued_at
LIMIT %(limit)s::integer;

-- report_written --
-- The report lies in the store. No row back: another writer was first.
UPDATE seed_control.report_outbox
SET written_at = clock_timestamp(), uri = %(uri)s::text, sha256 = %(sha256)s::text
WHERE seed_run_id = %(seed_run_id)s::uuid AND written_at IS NULL
RETURNING seed_run_id;

-- report_of --
-- Where the report of a seed run lies. No row back, or a null: not written yet.
SELECT uri, sha256, queued_at, written_at
FROM seed_control.report_outbox
WHERE seed_run_id = %(seed_run_id)s::uuid;

-- report_previous --
-- The report that comes before this seed run's in the chain of its tenant and environment: the last one queued before
-- it, whoever writes them and when. Its sha256 is null while it waits.
SELECT o.seed_run_id, o.sha256
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE r.environment = %(environment)s::text AND r.tenant = %(tenant)s::text
    AND (o.queued_at, o.seed_run_id) < (
        SELECT mine.queued_at, mine.seed_run_id
        FROM seed_control.report_outbox AS mine
        WHERE mine.seed_run_id = %(seed_run_id)s::uuid)
ORDER BY o.queued_at DESC, o.seed_run_id DESC
LIMIT 1;

-- reports_overdue --
-- Seed runs whose report has waited for longer than it may, oldest first.
SELECT o.seed_run_id, r.environment, r.tenant, o.queued_at
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE o.written_at IS NULL AND o.queued_at < clock_timestamp() - make_interval(secs => %(seconds)s::float8)
ORDER BY o.queued_at
LIMIT %(limit)s::integer;

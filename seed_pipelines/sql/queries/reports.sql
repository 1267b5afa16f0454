-- reports_waiting --
-- The report of each tenant and environment that has waited longest, those that have waited longest first: the next
-- one of the same chain cannot be written before it.
SELECT w.seed_run_id, w.environment, w.tenant
FROM (
    SELECT DISTINCT ON (r.environment, r.tenant) o.seed_run_id, r.environment, r.tenant, o.queued_at
    FROM seed_control.report_outbox AS o
    JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
    WHERE o.written_at IS NULL
    ORDER BY r.environment, r.tenant, o.queued_at, o.seed_run_id
) AS w
ORDER BY w.queued_at, w.seed_run_id;

-- reports_count_waiting --
-- How many reports wait.
SELECT count(*) AS reports FROM seed_control.report_outbox WHERE written_at IS NULL;

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
-- Seed runs that have been without a report for longer than they may, oldest first: those that ended and whose report
-- waits, and those that failed and that nobody goes on with.
SELECT late.seed_run_id, late.environment, late.tenant, late.queued_at, late.has_failed
FROM (
    SELECT o.seed_run_id, r.environment, r.tenant, o.queued_at, false AS has_failed
    FROM seed_control.report_outbox AS o
    JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
    WHERE o.written_at IS NULL
    UNION ALL
    SELECT r.id, r.environment, r.tenant, coalesce(
            (SELECT max(s.stopped_at) FROM seed_control.run_stop AS s WHERE s.seed_run_id = r.id), r.started_at
        ), true
    FROM seed_control.seed_run AS r
    WHERE r.state = 'failed'
) AS late
WHERE late.queued_at < clock_timestamp() - make_interval(secs => %(seconds)s::float8)
ORDER BY late.queued_at
LIMIT %(limit)s::integer;

-- reports_of_tenant --
-- Every seed run of a tenant that ended, in the order of the chain of its reports.
SELECT o.seed_run_id, r.state, o.uri, o.queued_at, o.written_at
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE r.environment = %(environment)s::text AND r.tenant = %(tenant)s::text
ORDER BY o.queued_at, o.seed_run_id;

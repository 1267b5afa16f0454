-- reports_waiting --
-- Seed runs that ended and have no report yet, oldest first.
SELECT seed_run_id
FROM seed_control.report_outbox
WHERE written_at IS NULL
ORDER BY queued_at
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
-- The newest report of this tenant and environment that was written before this seed run ended.
SELECT o.sha256
FROM seed_control.report_outbox AS o
JOIN seed_control.seed_run AS r ON r.id = o.seed_run_id
WHERE r.environment = %(environment)s::text AND r.tenant = %(tenant)s::text AND o.written_at IS NOT NULL
    AND r.id <> %(seed_run_id)s::uuid
ORDER BY o.written_at DESC
LIMIT 1;

-- datasets_found --
-- Published datasets, of one environment, tenant and mode where they are named; only the expired ones if asked.
SELECT environment, tenant, mode, generation, seed_run_id, manifest_version, dataset_hash, published_at, expires_at,
    expires_at < clock_timestamp() AS is_expired
FROM seed_control.dataset
WHERE (%(environment)s::text IS NULL OR environment = %(environment)s::text)
    AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s::text)
    AND (%(mode)s::text IS NULL OR mode = %(mode)s::text)
    AND (NOT %(only_expired)s::boolean OR expires_at < clock_timestamp())
ORDER BY environment, tenant, mode;

-- purge_preview --
-- What a purge would take away, and the rows that forbid it. A null: there is no such dataset.
SELECT seed_control.purge_preview(%(environment)s::text, %(tenant)s::text, %(mode)s::text) AS preview;

-- purge_dataset --
-- The dataset is gone with this transaction. Back come its rows by entity; a null: there is no such dataset.
SELECT seed_control.purge(%(environment)s::text, %(tenant)s::text, %(mode)s::text, %(reason)s::text) AS rows;

-- purge_checkpoints --
-- Checkpoints that nobody needs any more go. Back comes how many.
SELECT seed_control.purge_checkpoints(make_interval(days => %(kept_days)s::integer)) AS batches;

-- purge_api_answers --
-- Answers of API requests, of every tenant, that are so old that nobody will send them again; and claims of processes
-- that died.
DELETE FROM seed_control.api_request
WHERE coalesce(answered_at, claimed_until) < clock_timestamp() - make_interval(days => %(kept_days)s::integer);

-- purge_api_quotas --
-- Quotas that have been whole again for a while: no row says the same.
DELETE FROM seed_control.api_rate_limit
WHERE arrival_at < clock_timestamp() - interval '1 hour';

-- run_ending --
-- How a seed run stands, and how long it took from its claim until it ended, or until now.
SELECT environment, tenant, mode, state AS outcome,
    (extract(epoch FROM coalesce(finished_at, clock_timestamp()) - started_at) * 1000)::bigint AS elapsed_ms
FROM seed_control.seed_run
WHERE id = %(seed_run_id)s::uuid;

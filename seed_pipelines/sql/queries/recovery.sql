-- recovery_of --
-- The longest time that a seed run was without a new durable checkpoint, from its beginning on, and how long it took.
-- The second one counts from when the dataset was taken away, where a purge came just before this seed run.
WITH moments AS (
    SELECT started_at AS moment FROM seed_control.seed_run WHERE id = %(seed_run_id)s::uuid
    UNION ALL
    SELECT committed_at FROM seed_control.checkpoint WHERE seed_run_id = %(seed_run_id)s::uuid
), gaps AS (
    SELECT moment - lag(moment) OVER (ORDER BY moment) AS gap FROM moments
)
SELECT coalesce((SELECT ceil(extract(epoch FROM max(gap)) * 1000) FROM gaps), 0)::bigint AS rpo_ms,
    ceil(extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - coalesce(p.purged_at, r.started_at))
        * 1000)::bigint AS rto_ms
FROM seed_control.seed_run AS r
LEFT JOIN LATERAL (
    SELECT max(g.purged_at) AS purged_at FROM seed_control.purge_log AS g
    WHERE g.environment = r.environment AND g.tenant = r.tenant AND g.mode = r.mode AND g.purged_at <= r.started_at
        AND r.idempotency_key = 'rehearsal:' || g.id
) AS p ON true
WHERE r.id = %(seed_run_id)s::uuid;

-- purge_last --
-- The newest purge of a dataset. No row back: it was never purged.
SELECT max(id) AS id FROM seed_control.purge_log
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND mode = %(mode)s::text;

-- recovery_of --
-- The longest time that a shard of a seed run was without a new durable checkpoint, from its beginning to its end (the
-- first one begins with the seed run), and how long the seed run took. The first is null where checkpoints are missing.
-- The second counts from when the dataset was taken away, where this seed run was asked to put it back.
WITH shards AS (
    SELECT s.shard, coalesce(s.finished_at, clock_timestamp()) AS ended,
        CASE WHEN s.started_at = min(s.started_at) OVER () THEN r.started_at ELSE s.started_at END AS began
    FROM seed_control.seed_shard AS s
    JOIN seed_control.seed_run AS r ON r.id = s.seed_run_id
    WHERE r.id = %(seed_run_id)s::uuid
), moments AS (
    SELECT shard, began AS moment FROM shards
    UNION ALL
    SELECT shard, ended FROM shards
    UNION ALL
    SELECT shard, committed_at FROM seed_control.checkpoint WHERE seed_run_id = %(seed_run_id)s::uuid
), gaps AS (
    SELECT moment - lag(moment) OVER (PARTITION BY shard ORDER BY moment) AS gap FROM moments
)
SELECT CASE WHEN (SELECT sum(c.rows) FROM seed_control.checkpoint AS c WHERE c.seed_run_id = r.id)
        = (SELECT sum(value::bigint) FROM jsonb_each_text(r.planned_rows))
    THEN (SELECT ceil(extract(epoch FROM max(gap)) * 1000)::bigint FROM gaps) END AS rpo_ms,
    ceil(extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - coalesce(p.purged_at, r.started_at))
        * 1000)::bigint AS rto_ms
FROM seed_control.seed_run AS r
LEFT JOIN LATERAL (
    SELECT max(g.purged_at) AS purged_at FROM seed_control.purge_log AS g
    WHERE g.environment = r.environment AND g.tenant = r.tenant AND g.mode = r.mode AND g.purged_at <= r.started_at
        AND g.reason = 'asked' AND starts_with(r.idempotency_key || ':', 'rehearsal:' || g.id || ':')
) AS p ON true
WHERE r.id = %(seed_run_id)s::uuid;

-- purge_last --
-- The newest purge of a dataset; null where it was never purged.
SELECT max(id) AS id FROM seed_control.purge_log
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND mode = %(mode)s::text;

-- run_stop_record --
-- Why a seed run, or one worker of it, comes to a stop. Where no shard is named, it is the one that the worker had. No
-- row back: the seed run has ended, and what its report says no longer changes.
INSERT INTO seed_control.run_stop (seed_run_id, state, code, detail, shard, entity, number)
SELECT r.id, %(state)s::text, %(error_code)s::text, %(error_detail)s::text, coalesce(%(shard)s::text, (
        SELECT s.shard FROM seed_control.seed_shard AS s
        WHERE s.seed_run_id = r.id AND s.worker = %(worker)s::text
        ORDER BY s.state = 'done', s.shard
        LIMIT 1
    )), %(entity)s::text, %(number)s::integer
FROM seed_control.seed_run AS r
WHERE r.id = %(seed_run_id)s::uuid AND r.finished_at IS NULL
RETURNING id;

-- run_stops --
-- Every stop of a seed run, in order.
SELECT state, code, detail, shard, entity, number, stopped_at
FROM seed_control.run_stop
WHERE seed_run_id = %(seed_run_id)s::uuid
ORDER BY id;

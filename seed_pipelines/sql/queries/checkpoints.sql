-- checkpoint_record --
-- A batch is in. In the transaction of its rows: rows without a checkpoint would be loaded twice.
INSERT INTO seed_control.checkpoint (seed_run_id, entity, shard, number, first_row, rows, content_digest, fence,
    attempt, elapsed_ms, oracle_loans, resume_token)
VALUES (%(seed_run_id)s::uuid, %(entity)s::text, %(shard)s::text, %(number)s::integer, %(first_row)s::bigint,
    %(rows)s::integer, %(content_digest)s::text, %(fence)s::bigint, %(attempt)s::integer, %(elapsed_ms)s::integer,
    %(oracle_loans)s::integer, %(resume_token)s::bytea);

-- checkpoints_of_shard --
-- The batches of one entity in one shard that are in.
SELECT number, first_row, rows, content_digest, elapsed_ms, oracle_loans, fence, resume_token
FROM seed_control.checkpoint
WHERE seed_run_id = %(seed_run_id)s::uuid AND entity = %(entity)s::text AND shard = %(shard)s::text
ORDER BY number;

-- checkpoints_of_run --
-- Every batch of a seed run that is in.
SELECT entity, shard, number, first_row, rows, content_digest, fence, attempt, elapsed_ms, oracle_loans,
    committed_at
FROM seed_control.checkpoint
WHERE seed_run_id = %(seed_run_id)s::uuid
ORDER BY entity, shard, number;

-- checkpoint_progress --
-- Rows and batches that are in, by entity.
SELECT entity, sum(rows)::bigint AS rows, count(*) AS batches
FROM seed_control.checkpoint
WHERE seed_run_id = %(seed_run_id)s::uuid
GROUP BY entity;

-- checkpoints_expired --
-- Whether a seed run has a checkpoint that is older than they are kept. A null: it has none.
SELECT min(committed_at) < clock_timestamp() - make_interval(days => %(kept_days)s::integer) AS are_expired
FROM seed_control.checkpoint
WHERE seed_run_id = %(seed_run_id)s::uuid;

-- runs_expired --
-- Stopped seed runs, of one environment where it is named, with a checkpoint that is older than they are kept.
SELECT r.id, r.manifest_path
FROM seed_control.seed_run AS r
WHERE r.state IN ('failed', 'paused') AND (%(environment)s::text IS NULL OR r.environment = %(environment)s::text)
    AND EXISTS (
        SELECT FROM seed_control.checkpoint AS c
        WHERE c.seed_run_id = r.id
            AND c.committed_at < clock_timestamp() - make_interval(days => %(kept_days)s::integer)
    );

-- batch_states --
-- How many batches of a seed run are reserved, failed, dead or written.
SELECT state, count(*) AS batches
FROM seed_control.seed_batch
WHERE seed_run_id = %(seed_run_id)s::uuid
GROUP BY state;

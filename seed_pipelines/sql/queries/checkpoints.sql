-- checkpoint_record --
-- A batch is in. In the transaction of its rows: rows without a checkpoint would be loaded twice.
INSERT INTO seed_control.checkpoint (seed_run_id, entity, shard, number, first_row, rows, content_digest, fence,
    attempt, elapsed_ms, oracle_loans, resume_token)
VALUES (%(seed_run_id)s::uuid, %(entity)s::text, %(shard)s::text, %(number)s::integer, %(first_row)s::bigint,
    %(rows)s::integer, %(content_digest)s::text, %(fence)s::bigint, %(attempt)s::integer, %(elapsed_ms)s::integer,
    %(oracle_loans)s::integer, %(resume_token)s::bytea);

-- checkpoints_of_shard --
-- The batches of one entity in one shard that are in.
SELECT number, first_row, rows, content_digest, elapsed_ms, fence, resume_token
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

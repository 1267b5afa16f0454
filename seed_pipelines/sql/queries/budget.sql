-- budget_hold --
-- What a seed run may spend, has spent, and what went wrong. Whoever reserves next waits until this transaction ends.
SELECT cap_micro_brl, spent_micro_brl, alerted_at IS NOT NULL AS is_alerted, (
        SELECT count(DISTINCT (entity, shard, number)) FROM seed_control.batch_fault WHERE seed_run_id = %(seed_run_id)s::uuid
    ) AS faults
FROM seed_control.budget
WHERE seed_run_id = %(seed_run_id)s::uuid
FOR NO KEY UPDATE;

-- budget_reserve --
-- Pays for a batch that was not paid for before. No row back: what is left is not enough. It does not wait for the
-- disk: the batch's own commit, which comes after, does.
WITH before AS (
    SELECT FROM seed_control.budget_reservation
    WHERE seed_run_id = %(seed_run_id)s::uuid AND entity = %(entity)s::text AND shard = %(shard)s::text
        AND number = %(number)s::integer
), paid AS (
    UPDATE seed_control.budget
    SET spent_micro_brl = spent_micro_brl + %(cost)s::bigint,
        alerted_at = CASE
            WHEN (spent_micro_brl + %(cost)s::bigint)::numeric * 100 >= cap_micro_brl::numeric * %(alert_pct)s::integer
            THEN coalesce(alerted_at, clock_timestamp())
        END
    WHERE seed_run_id = %(seed_run_id)s::uuid AND spent_micro_brl + %(cost)s::bigint <= cap_micro_brl
        AND NOT EXISTS (SELECT FROM before)
    RETURNING spent_micro_brl, alerted_at IS NOT NULL AS is_alerted
), kept AS (
    INSERT INTO seed_control.budget_reservation (seed_run_id, entity, shard, number, cost_micro_brl)
    SELECT %(seed_run_id)s::uuid, %(entity)s::text, %(shard)s::text, %(number)s::integer, %(cost)s::bigint FROM paid
)
SELECT spent_micro_brl, is_alerted, set_config('synchronous_commit', 'off', true) AS commits_later FROM paid
UNION ALL
SELECT b.spent_micro_brl, b.alerted_at IS NOT NULL, NULL
FROM seed_control.budget AS b, before
WHERE b.seed_run_id = %(seed_run_id)s::uuid;

-- budget_alert --
-- The report says that four fifths of the budget were spent.
UPDATE seed_control.seed_run SET flags = flags || '{"budget_alert": true}' WHERE id = %(seed_run_id)s::uuid;

-- budget_of --
-- What a seed run may spend, has spent, and what went wrong.
SELECT cap_micro_brl, spent_micro_brl, alerted_at IS NOT NULL AS is_alerted, (
        SELECT count(DISTINCT (entity, shard, number)) FROM seed_control.batch_fault WHERE seed_run_id = %(seed_run_id)s::uuid
    ) AS faults
FROM seed_control.budget
WHERE seed_run_id = %(seed_run_id)s::uuid;

-- batch_fault_record --
-- Something went wrong with a batch: it failed, or it was slow.
INSERT INTO seed_control.batch_fault (seed_run_id, entity, shard, number, attempt, kind, code, sqlstate, elapsed_ms)
VALUES (%(seed_run_id)s::uuid, %(entity)s::text, %(shard)s::text, %(number)s::integer, %(attempt)s::integer,
    %(kind)s::text, %(code)s::text, %(sqlstate)s::text, %(elapsed_ms)s::integer);

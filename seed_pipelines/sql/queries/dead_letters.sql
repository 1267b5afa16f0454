-- dead_letter_bury --
-- A batch is given up; how often it failed is known from its faults, where the database was there to write them down.
INSERT INTO seed_control.dead_letter AS old (seed_run_id, entity, shard, number, code, sqlstate, loans, attempts)
SELECT %(seed_run_id)s::uuid, %(entity)s::text, %(shard)s::text, %(number)s::integer, %(code)s::text,
    %(sqlstate)s::text, %(loans)s::integer[], greatest(1, count(*))
FROM seed_control.batch_fault
WHERE seed_run_id = %(seed_run_id)s::uuid AND entity = %(entity)s::text AND shard = %(shard)s::text
    AND number = %(number)s::integer AND kind = 'failed'
ON CONFLICT (seed_run_id, entity, shard, number) DO UPDATE
    SET code = EXCLUDED.code, sqlstate = EXCLUDED.sqlstate, loans = EXCLUDED.loans, attempts = EXCLUDED.attempts,
        died_at = clock_timestamp(), retried_at = NULL;

-- dead_letters_found --
-- Batches that were given up, of one seed run where it is named, and what became of each since.
SELECT d.seed_run_id, r.environment, r.tenant, r.manifest_path, d.entity, d.shard, d.number, d.code, d.sqlstate,
    d.loans, d.attempts, d.died_at,
    CASE
        WHEN EXISTS (
            SELECT FROM seed_control.checkpoint AS c
            WHERE c.seed_run_id = d.seed_run_id AND c.entity = d.entity AND c.shard = d.shard AND c.number = d.number
        ) OR r.state = 'published' THEN 'written'
        WHEN r.finished_at IS NOT NULL THEN 'ended'
        WHEN d.retried_at IS NOT NULL THEN 'retried'
        ELSE 'dead'
    END AS state
FROM seed_control.dead_letter AS d
JOIN seed_control.seed_run AS r ON r.id = d.seed_run_id
WHERE %(seed_run_id)s::uuid IS NULL OR d.seed_run_id = %(seed_run_id)s::uuid
ORDER BY d.died_at DESC;

-- dead_letters_retried --
-- The batches of a seed run are tried again.
UPDATE seed_control.dead_letter SET retried_at = clock_timestamp() WHERE seed_run_id = %(seed_run_id)s::uuid;

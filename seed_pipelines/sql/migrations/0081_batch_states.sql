-- Where each batch stands, out of what is written down about it: paid for (`reserved`), `failed` since, given up (`dead`),
-- or in (`written`). A checkpoint is never changed, so `written` is final; a dead batch that is retried is `failed` again
-- until its checkpoint.
CREATE VIEW seed_control.seed_batch WITH (security_invoker = true) AS
SELECT k.seed_run_id, k.entity, k.shard, k.number, CASE
        WHEN c.seed_run_id IS NOT NULL THEN 'written'
        WHEN d.seed_run_id IS NOT NULL AND d.retried_at IS NULL THEN 'dead'
        WHEN f.faults > 0 THEN 'failed'
        ELSE 'reserved'
    END AS state, f.faults, c.committed_at
FROM (
    SELECT seed_run_id, entity, shard, number FROM seed_control.budget_reservation
    UNION SELECT seed_run_id, entity, shard, number FROM seed_control.batch_fault
    UNION SELECT seed_run_id, entity, shard, number FROM seed_control.dead_letter
    UNION SELECT seed_run_id, entity, shard, number FROM seed_control.checkpoint
) AS k
LEFT JOIN seed_control.checkpoint AS c USING (seed_run_id, entity, shard, number)
LEFT JOIN seed_control.dead_letter AS d USING (seed_run_id, entity, shard, number)
CROSS JOIN LATERAL (
    SELECT count(*) AS faults
    FROM seed_control.batch_fault AS b
    WHERE b.seed_run_id = k.seed_run_id AND b.entity = k.entity AND b.shard = k.shard AND b.number = k.number
        AND b.kind = 'failed'
) AS f;
GRANT SELECT ON seed_control.seed_batch TO seed_loader, seed_auditor;

-- A shard's attempt is its fence, and what is in stays in: whatever a worker says.
CREATE FUNCTION seed_control.check_shard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'shard % cannot go from attempt % to %', OLD.shard, OLD.attempt, NEW.attempt
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'done' AND NEW.state <> 'done' THEN
        RAISE EXCEPTION 'shard % is done and cannot be %', OLD.shard, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER seed_shard_transition BEFORE UPDATE ON seed_control.seed_shard
    FOR EACH ROW EXECUTE FUNCTION seed_control.check_shard();
REVOKE EXECUTE ON FUNCTION seed_control.check_shard() FROM PUBLIC;

-- The budget of a seed run, in whole millionths of a real; it is spent before the work. The error budget counts what
-- went wrong with batches.
CREATE TABLE seed_control.budget (
    seed_run_id uuid PRIMARY KEY REFERENCES seed_control.seed_run,
    cap_micro_brl bigint NOT NULL CHECK (cap_micro_brl >= 0),
    spent_micro_brl bigint NOT NULL DEFAULT 0,
    -- When four fifths were spent.
    alerted_at timestamptz,
    CHECK (spent_micro_brl BETWEEN 0 AND cap_micro_brl)
);

-- A batch is paid for once, however often it is begun.
CREATE TABLE seed_control.budget_reservation (
    seed_run_id uuid NOT NULL REFERENCES seed_control.budget,
    entity text NOT NULL,
    shard text NOT NULL,
    number integer NOT NULL,
    cost_micro_brl bigint NOT NULL CHECK (cost_micro_brl >= 0),
    reserved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (seed_run_id, entity, shard, number)
);

-- A batch that failed, or that took longer than the slowest allowed one. No text of any error: it may quote a row.
CREATE TABLE seed_control.batch_fault (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    entity text NOT NULL,
    shard text NOT NULL,
    number integer NOT NULL,
    attempt integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('failed', 'slow')),
    code text,
    sqlstate text,
    elapsed_ms integer,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX batch_fault_of ON seed_control.batch_fault (seed_run_id);

-- The cap is the manifest's, and the loader cannot raise it.
CREATE FUNCTION seed_control.open_budget() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO seed_control.budget (seed_run_id, cap_micro_brl)
    VALUES (NEW.id, coalesce((NEW.limits -> 'budget' ->> 'cap_micro_brl')::bigint, 0));
    RETURN NULL;
END
$$;
CREATE TRIGGER seed_run_has_budget AFTER INSERT ON seed_control.seed_run
    FOR EACH ROW EXECUTE FUNCTION seed_control.open_budget();

-- Reservations go with the checkpoints that they paid for.
CREATE FUNCTION seed_control.forget_reservations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM seed_control.budget_reservation AS r
    USING (SELECT DISTINCT seed_run_id FROM gone) AS g
    WHERE r.seed_run_id = g.seed_run_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER checkpoints_gone AFTER DELETE ON seed_control.checkpoint
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION seed_control.forget_reservations();

GRANT SELECT ON seed_control.budget, seed_control.budget_reservation, seed_control.batch_fault
    TO seed_loader, seed_auditor;
GRANT UPDATE (spent_micro_brl, alerted_at) ON seed_control.budget TO seed_loader;
GRANT INSERT ON seed_control.budget_reservation, seed_control.batch_fault TO seed_loader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA seed_control FROM PUBLIC;

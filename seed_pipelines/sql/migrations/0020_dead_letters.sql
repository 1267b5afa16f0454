-- Batches that were given up after their last retry. No row of theirs and no text of an error: it may quote a row.
CREATE TABLE seed_control.dead_letter (
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    entity text NOT NULL,
    shard text NOT NULL,
    number integer NOT NULL,
    code text NOT NULL,
    sqlstate text,
    attempts integer NOT NULL CHECK (attempts >= 1),
    died_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retried_at timestamptz,
    PRIMARY KEY (seed_run_id, entity, shard, number)
);
GRANT SELECT ON seed_control.dead_letter TO seed_loader, seed_auditor;
GRANT INSERT ON seed_control.dead_letter TO seed_loader;
GRANT UPDATE (code, sqlstate, attempts, died_at, retried_at) ON seed_control.dead_letter TO seed_loader;

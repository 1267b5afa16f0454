-- The control plane: who may write, what is in, what is published. Time is the database's clock, always.
CREATE SCHEMA app;
CREATE SCHEMA seed_build;
GRANT USAGE ON SCHEMA seed_control, seed_build TO seed_loader;
GRANT USAGE ON SCHEMA app TO seed_loader, seed_application, seed_auditor;
GRANT USAGE ON SCHEMA seed_control TO seed_auditor;

CREATE TABLE seed_control.seed_run (
    id uuid PRIMARY KEY,
    environment text NOT NULL CHECK (environment <> ''),
    tenant text NOT NULL CHECK (tenant <> ''),
    tenant_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('baseline', 'carga', 'dr', 'canary')),
    idempotency_key text NOT NULL CHECK (idempotency_key <> ''),
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'failed', 'paused', 'published', 'cancelled', 'aborted')),
    manifest_path text NOT NULL,
    -- Caps, rate, budget and targets: a report says what was asked for, whatever the file says later.
    limits jsonb NOT NULL,
    manifest_hash text NOT NULL CHECK (manifest_hash ~ '^[0-9a-f]{64}$'),
    manifest_version text NOT NULL,
    schema_version text NOT NULL,
    salt_version text NOT NULL,
    reference_datetime timestamptz NOT NULL,
    generator_version text NOT NULL,
    key_check text NOT NULL,
    mask_key jsonb NOT NULL,
    preflight jsonb NOT NULL,
    publisher text NOT NULL CHECK (publisher IN ('attach', 'insert')),
    shards integer NOT NULL CHECK (shards >= 1),
    planned_rows jsonb NOT NULL,
    batch_rows jsonb NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    planned_cost_micro_brl bigint NOT NULL,
    flags jsonb NOT NULL,
    traceparent text NOT NULL,
    -- Spans ended, exported and failed, over all workers.
    telemetry jsonb NOT NULL DEFAULT '{}',
    cancel_requested_at timestamptz,
    error_code text,
    error_detail text,
    dataset_hash text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CHECK ((finished_at IS NULL) = (state IN ('running', 'failed', 'paused')))
);

-- Every key that a seed run answers to: the one that it was made for, and those of later requests that joined it.
CREATE TABLE seed_control.idempotency_key (
    environment text NOT NULL,
    tenant text NOT NULL,
    key text NOT NULL CHECK (key <> ''),
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, tenant, key)
);

-- What may follow what. A terminal state has no follower.
CREATE TABLE seed_control.seed_run_transition (
    from_state text NOT NULL,
    to_state text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO seed_control.seed_run_transition (from_state, to_state) VALUES
    ('running', 'failed'), ('running', 'paused'), ('running', 'published'), ('running', 'cancelled'),
    ('running', 'aborted'), ('failed', 'running'), ('failed', 'cancelled'), ('failed', 'aborted'),
    ('paused', 'running'), ('paused', 'cancelled'), ('paused', 'aborted');

-- Only the owner's functions publish: the loader may not say that it did.
CREATE FUNCTION seed_control.check_transition() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'running' THEN
            RAISE EXCEPTION 'a seed run cannot begin as %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT FROM seed_control.seed_run_transition
        WHERE from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'a seed run cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'published' AND OLD.state <> 'published' AND NOT pg_has_role(current_user, (
        SELECT relowner FROM pg_class WHERE oid = TG_RELID
    ), 'MEMBER') THEN
        RAISE EXCEPTION 'only a publication makes a seed run published' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER seed_run_transition BEFORE INSERT OR UPDATE OF state ON seed_control.seed_run
    FOR EACH ROW EXECUTE FUNCTION seed_control.check_transition();

-- `attempt` is the shard's fence: a newer attempt makes every write of an older one impossible.
CREATE TABLE seed_control.seed_shard (
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    shard text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    worker text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'idle', 'done')),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (seed_run_id, shard)
);

-- Written in the transaction of the rows that it speaks of.
CREATE TABLE seed_control.checkpoint (
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    entity text NOT NULL,
    shard text NOT NULL,
    number integer NOT NULL CHECK (number >= 0),
    first_row bigint NOT NULL CHECK (first_row >= 0),
    rows integer NOT NULL CHECK (rows >= 1),
    content_digest text NOT NULL,
    fence bigint NOT NULL,
    attempt integer NOT NULL,
    elapsed_ms integer NOT NULL CHECK (elapsed_ms >= 0),
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (seed_run_id, entity, shard, number),
    UNIQUE (seed_run_id, entity, first_row)
);

-- The row is kept when the lease is released: a fence never starts again at 1.
CREATE TABLE seed_control.lease (
    environment text NOT NULL,
    tenant text NOT NULL,
    holder uuid NOT NULL REFERENCES seed_control.seed_run,
    fence bigint NOT NULL CHECK (fence >= 1),
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (environment, tenant)
);

CREATE TABLE seed_control.env_slot (
    environment text NOT NULL,
    slot integer NOT NULL CHECK (slot IN (1, 2)),
    holder uuid REFERENCES seed_control.seed_run,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (environment, slot)
);

-- GCRA: the theoretical arrival time of the next request.
CREATE TABLE seed_control.rate_limit (
    environment text NOT NULL,
    tenant text NOT NULL,
    arrival_at timestamptz NOT NULL,
    PRIMARY KEY (environment, tenant)
);

CREATE TABLE seed_control.build_table (
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    entity text NOT NULL,
    table_name text NOT NULL UNIQUE,
    sealed_at timestamptz,
    PRIMARY KEY (seed_run_id, entity)
);

CREATE TABLE seed_control.dataset (
    environment text NOT NULL,
    tenant text NOT NULL,
    mode text NOT NULL,
    generation integer NOT NULL CHECK (generation >= 1),
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    manifest_hash text NOT NULL,
    manifest_version text NOT NULL,
    reference_datetime timestamptz NOT NULL,
    dataset_hash text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (environment, tenant, mode)
);

-- One row for each seed run that ended: the sensor writes the report and marks it.
CREATE TABLE seed_control.report_outbox (
    seed_run_id uuid PRIMARY KEY REFERENCES seed_control.seed_run,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    written_at timestamptz,
    uri text,
    sha256 text,
    CHECK ((written_at IS NULL) = (uri IS NULL))
);

CREATE INDEX report_outbox_waiting ON seed_control.report_outbox (queued_at) WHERE written_at IS NULL;

-- A seed run that ends leaves its report to be written, in the same transaction.
CREATE FUNCTION seed_control.queue_report() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO seed_control.report_outbox (seed_run_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER seed_run_ended AFTER UPDATE OF state ON seed_control.seed_run
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL)
    EXECUTE FUNCTION seed_control.queue_report();

GRANT SELECT ON ALL TABLES IN SCHEMA seed_control TO seed_loader, seed_auditor;
GRANT INSERT, UPDATE ON seed_control.seed_shard, seed_control.lease, seed_control.env_slot, seed_control.rate_limit
    TO seed_loader;
GRANT INSERT ON seed_control.seed_run, seed_control.checkpoint, seed_control.idempotency_key TO seed_loader;
-- What a seed run is does not change; only where it stands does.
GRANT UPDATE (state, flags, telemetry, cancel_requested_at, error_code, error_detail, finished_at)
    ON seed_control.seed_run TO seed_loader;
GRANT UPDATE (written_at, uri, sha256) ON seed_control.report_outbox TO seed_loader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA seed_control FROM PUBLIC;

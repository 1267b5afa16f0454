-- The API's own role sees the seed runs of one tenant, and which one the request says: app.tenant_id, as in the tables
-- of the application. Workers and the auditor see all of them, as before.
GRANT USAGE ON SCHEMA seed_control TO seed_api;

ALTER TABLE seed_control.seed_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_tenant ON seed_control.seed_run TO seed_loader, seed_auditor USING (true) WITH CHECK (true);
CREATE POLICY tenant_only ON seed_control.seed_run FOR SELECT TO seed_api
    USING (tenant_id = (NULLIF(current_setting('app.tenant_id', true), ''))::uuid);

-- What belongs to a seed run is seen by whoever sees the seed run.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['seed_shard', 'checkpoint', 'budget', 'batch_fault', 'report_outbox']
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE seed_control.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE pg_catalog.format(
            'CREATE POLICY every_tenant ON seed_control.%I TO seed_loader, seed_auditor USING (true) WITH CHECK (true)',
            part
        );
        EXECUTE pg_catalog.format(
            'CREATE POLICY tenant_only ON seed_control.%I FOR SELECT TO seed_api USING (EXISTS ('
            'SELECT FROM seed_control.seed_run AS r WHERE r.id = seed_run_id))',
            part
        );
    END LOOP;
END
$$;
GRANT SELECT ON seed_control.seed_run, seed_control.seed_shard, seed_control.budget, seed_control.batch_fault,
    seed_control.report_outbox, seed_control.migration TO seed_api;
-- Not the resume token.
GRANT SELECT (seed_run_id, entity, shard, number, rows, committed_at) ON seed_control.checkpoint TO seed_api;

-- The newest seed runs of a tenant first: what a page of them is read by. One row for each seed run is a small table.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX seed_run_newest ON seed_control.seed_run (tenant_id, started_at DESC, id DESC);

-- Where a seed run stands, and how far it is in one short text that changes whenever anything does that is told of it
-- beside its own row. It is queued while it was asked for and no worker has come.
CREATE VIEW seed_control.seed_run_progress WITH (security_invoker = true) AS
SELECT r.id AS seed_run_id, CASE
        WHEN r.state = 'running' AND NOT EXISTS (
            SELECT FROM seed_control.seed_shard AS s WHERE s.seed_run_id = r.id AND s.state <> 'idle'
        ) THEN 'queued'
        ELSE r.state
    END AS status, md5(concat_ws(
        '|',
        (SELECT count(*) FROM seed_control.checkpoint AS c WHERE c.seed_run_id = r.id),
        (
            SELECT string_agg(concat_ws(':', s.shard, s.attempt, s.state), ',' ORDER BY s.shard)
            FROM seed_control.seed_shard AS s
            WHERE s.seed_run_id = r.id
        ),
        (SELECT b.spent_micro_brl FROM seed_control.budget AS b WHERE b.seed_run_id = r.id),
        (SELECT count(*) FROM seed_control.batch_fault AS f WHERE f.seed_run_id = r.id),
        (SELECT o.sha256 FROM seed_control.report_outbox AS o WHERE o.seed_run_id = r.id)
    )) AS mark
FROM seed_control.seed_run AS r;
GRANT SELECT ON seed_control.seed_run_progress TO seed_loader, seed_auditor, seed_api;

-- Requests that change something, by their Idempotency-Key: claimed before the work, answered after it. A claim whose
-- time is over, because its process died, may be taken by the same request.
CREATE TABLE seed_control.api_request (
    environment text NOT NULL,
    tenant text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of the request's canonical form.
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    claim uuid NOT NULL,
    claimed_until timestamptz NOT NULL,
    status integer CHECK (status BETWEEN 200 AND 299),
    headers jsonb,
    body text,
    answered_at timestamptz,
    PRIMARY KEY (environment, tenant, route, key),
    CHECK ((status IS NULL) = (answered_at IS NULL) AND (status IS NULL) = (body IS NULL))
);
CREATE INDEX api_request_answered ON seed_control.api_request (answered_at);
GRANT SELECT, INSERT, DELETE ON seed_control.api_request TO seed_loader;
GRANT UPDATE (claim, claimed_until, status, headers, body, answered_at) ON seed_control.api_request TO seed_loader;
GRANT SELECT ON seed_control.api_request TO seed_auditor;

-- GCRA, as in seed_control.rate_limit: the theoretical arrival time of a caller's next request for a tenant.
CREATE UNLOGGED TABLE seed_control.api_rate_limit (
    caller text NOT NULL,
    tenant text NOT NULL,
    arrival_at timestamptz NOT NULL,
    PRIMARY KEY (caller, tenant)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON seed_control.api_rate_limit TO seed_api;
GRANT SELECT ON seed_control.api_rate_limit TO seed_loader, seed_auditor;

-- Requests by their key, and their answers, are claimed, kept and given up by the API's own role, which sees and writes
-- those of the tenant and environment that it named for the transaction.
ALTER TABLE seed_control.api_request ENABLE ROW LEVEL SECURITY;
-- The purge forgets every tenant's, a cancellation keeps its answer in the transaction that cancels, and a release from
-- before this migration knows no other role.
CREATE POLICY every_tenant ON seed_control.api_request TO seed_loader, seed_auditor USING (true) WITH CHECK (true);
CREATE POLICY tenant_only ON seed_control.api_request TO seed_api
    USING (
        environment = pg_catalog.current_setting('app.environment', true)
        AND tenant = pg_catalog.current_setting('app.tenant', true)
    );
GRANT SELECT, INSERT, DELETE ON seed_control.api_request TO seed_api;
GRANT UPDATE (claim, claimed_until, status, headers, body, answered_at) ON seed_control.api_request TO seed_api;

-- The purge takes away quotas that are whole again: a row of them says nothing that no row does not.
GRANT DELETE ON seed_control.api_rate_limit TO seed_loader;

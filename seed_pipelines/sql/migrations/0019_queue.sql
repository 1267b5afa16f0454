-- The queue: seed runs that wait for their tenant's lease, or for a slot of their environment. A row is kept when the
-- wait ends, and says why.
CREATE TABLE seed_control.queue_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment text NOT NULL,
    tenant text NOT NULL,
    idempotency_key text NOT NULL,
    -- Which worker waits, and what it found.
    waiter text NOT NULL,
    reason text NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    -- A waiter that is not seen any more has died.
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('started', 'expired', 'cancelled')),
    seed_run_id uuid REFERENCES seed_control.seed_run,
    CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    CHECK ((seed_run_id IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'started'))
);
CREATE INDEX queue_waiting ON seed_control.queue_entry (environment, id) WHERE outcome IS NULL;

-- Those who wait and could start if a slot were free: alive, and nobody else holds their tenant's lease.
CREATE VIEW seed_control.queue_ready WITH (security_invoker = true) AS
SELECT q.id, q.environment, q.tenant, q.idempotency_key
FROM seed_control.queue_entry AS q
WHERE q.outcome IS NULL AND q.expires_at >= clock_timestamp() AND q.seen_at >= clock_timestamp() - interval '15 s'
    AND NOT EXISTS (
        SELECT FROM seed_control.lease AS l
        WHERE l.environment = q.environment AND l.tenant = q.tenant AND l.lease_until > clock_timestamp()
            AND NOT EXISTS (
                SELECT FROM seed_control.idempotency_key AS k
                WHERE k.environment = q.environment AND k.tenant = q.tenant AND k.key = q.idempotency_key
                    AND k.seed_run_id = l.holder
            )
    );

GRANT SELECT ON seed_control.queue_entry, seed_control.queue_ready TO seed_loader, seed_auditor;
GRANT INSERT ON seed_control.queue_entry TO seed_loader;
GRANT UPDATE (seen_at, ended_at, outcome, seed_run_id) ON seed_control.queue_entry TO seed_loader;

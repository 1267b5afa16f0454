-- queue_enter --
-- From now on this worker waits, at most so long.
INSERT INTO seed_control.queue_entry (environment, tenant, idempotency_key, waiter, reason, expires_at)
VALUES (%(environment)s::text, %(tenant)s::text, %(idempotency_key)s::text, %(waiter)s::text, %(reason)s::text,
    clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8))
RETURNING id;

-- queue_turn --
-- The waiter shows that it lives; waits that are over, and those of dead waiters, end in the same statement: who was
-- not seen any more before its time was over has died. It is the waiter's turn where a slot is free for it after all
-- who came before.
WITH over AS (
    UPDATE seed_control.queue_entry
    SET ended_at = statement_timestamp(), outcome = CASE
        WHEN id <> %(id)s::bigint AND seen_at < least(expires_at, statement_timestamp()) - interval '15 s' THEN 'died'
        ELSE 'expired' END
    WHERE environment = %(environment)s::text AND outcome IS NULL
        AND (expires_at < statement_timestamp()
            OR id <> %(id)s::bigint AND seen_at < statement_timestamp() - interval '15 s')
), seen AS (
    UPDATE seed_control.queue_entry SET seen_at = statement_timestamp()
    WHERE id = %(id)s::bigint AND outcome IS NULL AND expires_at >= statement_timestamp()
    RETURNING id
)
SELECT EXISTS (SELECT FROM seen) AS is_waiting, (
        SELECT count(*) FROM seed_control.queue_ready
        WHERE environment = %(environment)s::text AND id < %(id)s::bigint
            AND (tenant, idempotency_key) <> (%(tenant)s::text, %(idempotency_key)s::text)
    ) < 2 - (
        SELECT count(*) FROM seed_control.env_slot
        WHERE environment = %(environment)s::text AND holder IS NOT NULL AND held_until > clock_timestamp()
    ) AS has_slot, EXISTS (
        SELECT FROM seed_control.env_slot AS s
        JOIN seed_control.idempotency_key AS k ON k.seed_run_id = s.holder
        WHERE s.environment = %(environment)s::text AND s.held_until > clock_timestamp()
            AND k.environment = s.environment AND k.tenant = %(tenant)s::text
            AND k.key = %(idempotency_key)s::text
    ) AS is_under_way, NOT EXISTS (
        SELECT FROM seed_control.lease AS l
        WHERE l.environment = %(environment)s::text AND l.tenant = %(tenant)s::text
            AND l.lease_until > clock_timestamp()
    ) AS is_lease_free;

-- queue_end --
-- The wait is over. No row back: it had ended before.
UPDATE seed_control.queue_entry
SET outcome = %(outcome)s::text, ended_at = clock_timestamp(), seed_run_id = %(seed_run_id)s::uuid,
    error_code = %(error_code)s::text
WHERE id = %(id)s::bigint AND outcome IS NULL
RETURNING id;

-- queue_ahead --
-- Who waits and comes before this seed run: of all tenants, and of its own; and how many slots are free.
WITH mine AS (
    SELECT min(q.id) AS id
    FROM seed_control.queue_entry AS q
    JOIN seed_control.idempotency_key AS k
        ON k.environment = q.environment AND k.tenant = q.tenant AND k.key = q.idempotency_key
    WHERE q.environment = %(environment)s::text AND q.outcome IS NULL AND k.seed_run_id = %(holder)s::uuid
), ahead AS (
    SELECT q.tenant
    FROM seed_control.queue_ready AS q, mine
    WHERE q.environment = %(environment)s::text AND (mine.id IS NULL OR q.id < mine.id)
        AND NOT EXISTS (
            SELECT FROM seed_control.idempotency_key AS k
            WHERE k.environment = q.environment AND k.tenant = q.tenant AND k.key = q.idempotency_key
                AND k.seed_run_id = %(holder)s::uuid
        )
)
SELECT (SELECT count(*) FROM ahead) AS ahead,
    (SELECT count(*) FROM ahead WHERE tenant = %(tenant)s::text) AS ahead_of_tenant,
    2 - (
        SELECT count(*) FROM seed_control.env_slot
        WHERE environment = %(environment)s::text AND holder IS NOT NULL AND held_until > clock_timestamp()
            AND holder <> %(holder)s::uuid
    ) AS free_slots;

-- queue_recent --
-- Who waited, how long, and why it ended: the newest first.
SELECT environment, tenant, idempotency_key, waiter, reason, queued_at, outcome, error_code, seed_run_id,
    extract(epoch FROM coalesce(ended_at, clock_timestamp()) - queued_at)::float8 AS waited_seconds
FROM seed_control.queue_entry
WHERE %(environment)s::text IS NULL OR environment = %(environment)s::text
ORDER BY id DESC
LIMIT %(limit)s::integer;

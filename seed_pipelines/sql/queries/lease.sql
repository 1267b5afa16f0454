-- lease_lock_key --
-- A courtesy to the lock names that operators know; it ends with the transaction. The row below decides, because
-- hashtext has 32 bits and collides.
SELECT pg_advisory_xact_lock(hashtext('seed_data:' || %(tenant)s::text || ':' || %(environment)s::text));

-- lease_prolong --
-- The holder's own: a longer life with the same fence, in nobody's way. No row back: it is not ours.
UPDATE seed_control.lease
SET lease_until = clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8)
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text AND holder = %(holder)s::uuid
RETURNING fence;

-- lease_row --
-- Whose the lease was last, and whether it still is.
SELECT holder, lease_until, lease_until > clock_timestamp() AS is_live
FROM seed_control.lease
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text;

-- lease_hold_row --
-- Keeps the row still. Waits for batches that hold it FOR KEY SHARE: nobody takes over in the middle of one.
SELECT holder, fence, lease_until
FROM seed_control.lease
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text
FOR UPDATE;

-- lease_take --
-- Take the lease if it is free or expired; renew it, with the same fence, if it is ours. No row back: someone else
-- holds it. The fence grows with every change of holder.
INSERT INTO seed_control.lease AS held (environment, tenant, holder, fence, lease_until)
VALUES (%(environment)s::text, %(tenant)s::text, %(holder)s::uuid, 1,
        clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8))
ON CONFLICT (environment, tenant) DO UPDATE
    SET fence = held.fence + CASE WHEN held.holder = EXCLUDED.holder THEN 0 ELSE 1 END,
        holder = EXCLUDED.holder,
        lease_until = EXCLUDED.lease_until
    WHERE held.holder = EXCLUDED.holder OR held.lease_until < clock_timestamp()
RETURNING fence, lease_until;

-- lease_holder --
-- Who holds the lease, and until when.
SELECT l.holder, l.fence, l.lease_until, r.idempotency_key
FROM seed_control.lease AS l
JOIN seed_control.seed_run AS r ON r.id = l.holder
WHERE l.environment = %(environment)s::text AND l.tenant = %(tenant)s::text
    AND l.lease_until > clock_timestamp();

-- lease_release --
-- Give the lease back; the row and its fence stay.
UPDATE seed_control.lease
SET lease_until = clock_timestamp()
WHERE holder = %(holder)s::uuid AND lease_until > clock_timestamp();

-- slots_make --
-- The two slots of an environment, once.
INSERT INTO seed_control.env_slot (environment, slot)
VALUES (%(environment)s::text, 1), (%(environment)s::text, 2)
ON CONFLICT DO NOTHING;

-- slot_take --
-- A slot of the environment: the one we hold, else a free one. No row back: both are taken.
UPDATE seed_control.env_slot
SET holder = %(holder)s::uuid, held_until = clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8)
WHERE environment = %(environment)s::text AND slot = (
    SELECT slot FROM seed_control.env_slot
    WHERE environment = %(environment)s::text
        AND (holder = %(holder)s::uuid OR holder IS NULL OR held_until < clock_timestamp())
    ORDER BY (holder = %(holder)s::uuid) DESC NULLS LAST, slot
    LIMIT 1
    FOR UPDATE
)
RETURNING slot;

-- slot_lock --
-- One taker at a time in an environment, for the length of a transaction: the second would wait for the first's row
-- and then find it taken, though the other slot is free.
SELECT pg_advisory_xact_lock(hashtext('seed_data:global:' || %(environment)s::text));

-- slot_holders --
-- The seed runs that hold the environment's slots.
SELECT holder
FROM seed_control.env_slot
WHERE environment = %(environment)s::text AND holder IS NOT NULL AND held_until > clock_timestamp()
ORDER BY slot;

-- slot_release --
-- Give the slot back.
UPDATE seed_control.env_slot
SET holder = NULL, held_until = clock_timestamp()
WHERE holder = %(holder)s::uuid;

-- publish_guard --
-- The first statement of a publication: holds the lease and the seed run, so that of two workers one publishes. No row
-- back: the lease is lost.
SELECT r.state, r.cancel_requested_at IS NOT NULL AS cancel_requested
FROM seed_control.lease AS l
JOIN seed_control.seed_run AS r ON r.id = l.holder
WHERE l.environment = %(environment)s::text AND l.tenant = %(tenant)s::text
    AND l.holder = %(holder)s::uuid AND l.fence = %(fence)s::bigint AND l.lease_until > clock_timestamp()
FOR KEY SHARE OF l
FOR NO KEY UPDATE OF r;

-- batch_state --
-- Why a batch may not be written: the state of its seed run. Holds nothing.
SELECT state, cancel_requested_at IS NOT NULL AS cancel_requested, clock_timestamp() AS now
FROM seed_control.seed_run
WHERE id = %(holder)s::uuid;

-- batch_guard --
-- The first statement of every batch: may this worker still write? Holds the lease and the shard against takers until
-- the transaction ends, without standing in the way of other shards or of a renewal. No row back: the lease is lost.
SELECT r.state, r.cancel_requested_at IS NOT NULL AS cancel_requested, s.attempt, clock_timestamp() AS now
FROM seed_control.lease AS l
JOIN seed_control.seed_run AS r ON r.id = l.holder
JOIN seed_control.seed_shard AS s ON s.seed_run_id = r.id AND s.shard = %(shard)s::text
WHERE l.environment = %(environment)s::text AND l.tenant = %(tenant)s::text
    AND l.holder = %(holder)s::uuid AND l.fence = %(fence)s::bigint AND l.lease_until > clock_timestamp()
FOR KEY SHARE OF l
FOR SHARE OF s;

-- lease_renew --
-- The last statement of every batch: renew, if the lease did not run out meanwhile. No row back: it did.
UPDATE seed_control.lease
SET lease_until = clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8)
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text
    AND holder = %(holder)s::uuid AND fence = %(fence)s::bigint AND lease_until > clock_timestamp()
RETURNING lease_until;

-- lease_keep --
-- While a worker waits for its next attempt: renew, whatever the fence. No row back: it ran out or was given back, or
-- the seed run does not run or is to be cancelled.
UPDATE seed_control.lease AS l
SET lease_until = clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8)
FROM seed_control.seed_run AS r
WHERE l.holder = %(holder)s::uuid AND l.lease_until > clock_timestamp()
    AND r.id = l.holder AND r.state = 'running' AND r.cancel_requested_at IS NULL
RETURNING l.lease_until;

-- slot_renew --
-- The slot lives as long as the lease.
UPDATE seed_control.env_slot
SET held_until = clock_timestamp() + make_interval(secs => %(ttl_seconds)s::float8)
WHERE holder = %(holder)s::uuid;

-- rate_heal --
-- An arrival time far in the future (a clock that was set back) would refuse everyone until then.
UPDATE seed_control.rate_limit
SET arrival_at = clock_timestamp() + make_interval(secs => %(horizon_seconds)s::float8)
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text
    AND arrival_at > clock_timestamp() + make_interval(secs => %(horizon_seconds)s::float8);

-- rate_reserve --
-- One request, by GCRA, in a statement of its own. Back come the seconds to wait before it. It does not wait for the
-- disk: a reservation that a crash loses was never acted on.
INSERT INTO seed_control.rate_limit AS r (environment, tenant, arrival_at)
VALUES (%(environment)s::text, %(tenant)s::text,
        clock_timestamp() + make_interval(secs => %(interval_seconds)s::float8))
ON CONFLICT (environment, tenant) DO UPDATE
    SET arrival_at = greatest(r.arrival_at, clock_timestamp())
        + make_interval(secs => %(interval_seconds)s::float8)
RETURNING greatest(0, extract(epoch FROM arrival_at - clock_timestamp()) - %(burst_seconds)s::float8)::float8
    AS wait_seconds, set_config('synchronous_commit', 'off', true) AS commits_later;

-- rate_remaining --
-- How many requests would pass without waiting. No row back: nobody has asked for one yet.
SELECT greatest(0, least(%(burst)s::integer, %(burst)s::integer
    - ceil(extract(epoch FROM arrival_at - clock_timestamp()) / %(interval_seconds)s::float8)))::integer AS remaining
FROM seed_control.rate_limit
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text;

-- rate_reserve --
-- One request, by GCRA, in a statement of its own. Back come the seconds to wait before it. Where the clock was set
-- back since the last one, the arrival goes back with it: else everyone would be refused until then. It does not wait
-- for the disk: a reservation that a crash loses was never acted on.
INSERT INTO seed_control.rate_limit AS r (environment, tenant, arrival_at, reserved_at)
VALUES (%(environment)s::text, %(tenant)s::text,
        clock_timestamp() + make_interval(secs => %(interval_seconds)s::float8), clock_timestamp())
ON CONFLICT (environment, tenant) DO UPDATE
    SET arrival_at = greatest(
            r.arrival_at - greatest(r.reserved_at - clock_timestamp(), interval '0'), clock_timestamp()
        ) + make_interval(secs => %(interval_seconds)s::float8),
        reserved_at = clock_timestamp()
RETURNING greatest(0, extract(epoch FROM arrival_at - clock_timestamp()) - %(burst_seconds)s::float8)::float8
    AS wait_seconds, set_config('synchronous_commit', 'off', true) AS commits_later;

-- rate_remaining --
-- How many requests would pass without waiting. No row back: nobody has asked for one yet.
SELECT greatest(0, least(%(burst)s::integer, %(burst)s::integer
    - ceil(extract(epoch FROM arrival_at - clock_timestamp()) / %(interval_seconds)s::float8)))::integer AS remaining
FROM seed_control.rate_limit
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text;

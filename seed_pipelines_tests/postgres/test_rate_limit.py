"""The rate limit of a tenant; under eight workers at once: whole/test_eight_processes.py."""

from seed_runs import claimed, lean_plan

from seed_pipelines.control import rate_limit
from seed_pipelines.manifest.model import RateLimit


def test_a_clock_that_was_set_back_does_not_refuse_everybody_for_hours(seeded, open_session):
    session = open_session()
    run = claimed(session, lean_plan(customers=4))
    rate = RateLimit(limit=100, window_seconds=1, burst=1)
    rate_limit.reserve(session.connection, run, rate)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.rate_limit SET arrival_at = clock_timestamp() + interval '1 day'")
    assert rate_limit.reserve(session.connection, run, rate) < 601


def test_tenants_have_limits_of_their_own(open_session):
    rate = RateLimit(limit=1, window_seconds=60, burst=1)
    first, second = open_session(), open_session(tenant="globex")
    one, other = claimed(first, lean_plan(customers=4)), claimed(second, lean_plan(customers=4, tenant="globex"))
    assert rate_limit.reserve(first.connection, one, rate) == 0
    assert rate_limit.reserve(first.connection, one, rate) > 50
    assert rate_limit.reserve(second.connection, other, rate) == 0


def test_a_reservation_does_not_wait_for_a_batch_in_flight(open_session):
    session, other = open_session(), open_session()
    run = claimed(session, lean_plan(customers=4))
    rate = RateLimit(limit=1000, window_seconds=1, burst=1000)
    rate_limit.reserve(session.connection, run, rate)
    with session.connection.transaction():
        session.connection.execute("SELECT FROM seed_control.seed_run FOR NO KEY UPDATE")
        assert rate_limit.reserve(other.connection, run, rate) == 0

"""The rate limit of a tenant; under eight workers at once: whole/test_eight_processes.py."""

import pytest
from seed_runs import claimed, lean_plan

from seed_pipelines.control import rate_limit
from seed_pipelines.manifest.model import RateLimit


def test_a_clock_that_was_set_back_does_not_refuse_everybody_until_it_has_caught_up(seeded, open_session):
    session = open_session()
    run = claimed(session, lean_plan(customers=4))
    rate = RateLimit(limit=1, window_seconds=60, burst=1)
    waits = [rate_limit.reserve(session.connection, run, rate) for _ in range(2)]
    with seeded.superuser() as connection:
        connection.execute(
            "UPDATE seed_control.rate_limit"
            " SET arrival_at = arrival_at + interval '1 day', reserved_at = reserved_at + interval '1 day'"
        )
    waits.append(rate_limit.reserve(session.connection, run, rate))
    assert waits == pytest.approx([0, 60, 120], abs=5)


def test_a_burst_of_a_whole_hour_is_used_up_and_then_waited_for(open_session):
    session = open_session()
    run = claimed(session, lean_plan(customers=4))
    rate = RateLimit(limit=10, window_seconds=3600)
    waits = [rate_limit.reserve(session.connection, run, rate) for _ in range(12)]
    assert waits == pytest.approx([0] * 10 + [360, 720], abs=5)


def test_each_of_many_shards_gets_a_place_of_its_own_however_far_away(open_session):
    sessions = [open_session() for _ in range(3)]
    run = claimed(sessions[0], lean_plan(customers=4))
    rate = RateLimit(limit=1, window_seconds=600, burst=1)
    waits = [rate_limit.reserve(sessions[turn % 3].connection, run, rate) for turn in range(9)]
    assert waits == pytest.approx([600 * turn for turn in range(9)], abs=5)


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

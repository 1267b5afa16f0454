"""The rate limit under eight workers at once: never more than it says, and hardly less."""

import threading
import time

import pytest
from seed_runs import Worker, claimed, lean_plan

from seed_pipelines.control import rate_limit
from seed_pipelines.manifest.model import RateLimit

WORKERS, SECONDS = 8, 2.0


@pytest.mark.parametrize(("limit", "burst"), [(100, 20), (40, 1)])
def test_eight_workers_together_get_what_the_limit_says(seeded, open_session, limit, burst):
    rate = RateLimit(limit=limit, window_seconds=1, burst=burst)
    run = claimed(open_session(), lean_plan(customers=4))
    sessions = [open_session() for _ in range(WORKERS)]
    together = threading.Barrier(WORKERS + 1)

    def work(session):
        granted = []
        together.wait()
        while time.monotonic() < ends[0]:
            time.sleep(rate_limit.reserve(session.connection, run, rate))
            granted.append(time.monotonic())
        return granted

    ends = [time.monotonic() + 60]
    workers = [Worker(lambda s=session: work(s)) for session in sessions]
    started = time.monotonic()
    ends[0] = started + SECONDS
    together.wait()
    granted = sum(sum(at <= ends[0] for at in worker.result()) for worker in workers)
    assert granted <= limit * SECONDS + burst + 1
    assert granted >= 0.95 * limit * SECONDS


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

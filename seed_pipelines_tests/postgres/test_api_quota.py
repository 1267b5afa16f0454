"""Quotas of the API: exactly so many requests, whoever answers them."""

import threading
import time

import pytest
from seed_runs import Worker

from seed_pipelines.api.quota import AddressQuotas, QuotaPolicy, take
from seed_pipelines.control import roles
from seed_pipelines.errors import QuotaExceeded
from seed_pipelines.outside.connections import ConnectionPool

# So slow that none comes back while a test runs.
FIFTY = QuotaPolicy(name="caller", requests=50, window_seconds=50 * 3600)


@pytest.fixture
def pool(seeded):
    pool = ConnectionPool(seeded.url(roles.API), most=8, application="test")
    yield pool
    pool.close()


def taken_by(pool, policy, *, requests, caller="a", tenant="acme"):
    with pool.lent() as connection:
        return [take(connection, policy, caller=caller, tenant=tenant).wait_seconds == 0 for _ in range(requests)]


def test_eight_processes_together_let_exactly_the_quota_through(pool):
    together = threading.Barrier(8)

    def ask():
        together.wait()
        return taken_by(pool, FIFTY, requests=20)

    answers = [answer for worker in [Worker(ask) for _ in range(8)] for answer in worker.result()]
    assert (len(answers), sum(answers)) == (160, 50)


def test_a_quota_comes_back_evenly_and_within_one_percent(pool):
    """So slow a rate that a busy machine, too, asks more often than it is let through."""
    policy, taken, answers = QuotaPolicy(name="caller", requests=100, window_seconds=2), 0, []
    with pool.lent() as connection:
        started = time.monotonic()
        while time.monotonic() - started < 2.5:
            answers.append(take(connection, policy, caller="a", tenant="acme").wait_seconds == 0)
            if answers[-1]:
                taken, last = taken + 1, time.monotonic() - started
    assert not all(answers)
    expected = policy.requests + last / policy.interval_seconds
    assert abs(taken - expected) <= 0.01 * expected + 1


@pytest.mark.parametrize("other", [{"caller": "b"}, {"tenant": "globex"}])
def test_each_caller_has_a_quota_for_each_tenant(pool, other):
    assert sum(taken_by(pool, FIFTY, requests=60)) == 50
    assert all(taken_by(pool, FIFTY, requests=50, **other))


def test_an_answer_says_what_is_left_and_when_to_come_again(pool):
    with pool.lent() as connection:
        first = take(connection, FIFTY, caller="a", tenant="acme")
        assert first.headers() == {
            "RateLimit-Policy": '"caller";q=50;w=180000',
            "RateLimit": '"caller";r=49;t=3600',
            "RateLimit-Limit": "50",
            "RateLimit-Remaining": "49",
            "RateLimit-Reset": "3600",
        }
        first.assert_taken()
        for _ in range(49):
            last = take(connection, FIFTY, caller="a", tenant="acme")
        assert last.remaining == 0
        refused = take(connection, FIFTY, caller="a", tenant="acme")
    assert refused.remaining == 0
    assert 3590 <= refused.wait_seconds <= 3600
    with pytest.raises(QuotaExceeded):
        refused.assert_taken()


def test_nobodys_requests_are_counted_by_address():
    quotas = AddressQuotas(FIFTY)
    assert [quotas.take("10.0.0.1").wait_seconds == 0 for _ in range(60)] == [True] * 50 + [False] * 10
    assert quotas.take("10.0.0.2").remaining == 49
    assert quotas.look("10.0.0.2").remaining == 49
    assert quotas.look("10.0.0.3").remaining == 50

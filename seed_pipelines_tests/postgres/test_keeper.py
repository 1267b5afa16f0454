"""The lease of a seed run whose worker waits for its next attempt, on a real PostgreSQL."""

import time

import pytest
from seed_runs import begun, held_shard, lean_plan, wait_until

from seed_pipelines import flow
from seed_pipelines.control import lease, runs
from seed_pipelines.control.keeper import Keeper
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import DatabaseUnavailable, LeaseHeldElsewhere

TTL_SECONDS = 0.6


@pytest.fixture
def waiting(open_session):
    """A seed run whose worker has a shard and does nothing."""
    session, plan = open_session(lease_seconds=TTL_SECONDS), lean_plan(customers=4)
    run = begun(session, plan)
    held_shard(session, plan, run)
    return session, plan, run


@pytest.fixture
def keep(seeded, waiting):
    """Starts keepers; all are ended after the test."""
    session, _, run = waiting
    keepers = []

    def leave(connection, error):
        flow.leave(connection, run.id, worker=session.worker, error=error)

    def keep(*, longest_seconds=60, dsn=lambda: seeded.loader_url):
        wishes = {"ttl_seconds": TTL_SECONDS, "longest_seconds": longest_seconds, "cancelled": leave}
        keepers.append(Keeper(run.id, dsn=dsn, **wishes))
        return keepers[-1]

    yield keep
    for keeper in keepers:
        keeper.end()


def is_live(seeded):
    return seeded.value("SELECT lease_until > clock_timestamp() FROM seed_control.lease")


def test_lease_and_slot_outlive_any_wait_and_end_with_it(seeded, open_session, waiting, keep):
    _, plan, _ = waiting
    keeper = keep()
    time.sleep(2 * TTL_SECONDS)
    with pytest.raises(LeaseHeldElsewhere):
        begun(open_session(), plan, key="second")
    assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE held_until > clock_timestamp()") == 1
    keeper.end()
    wait_until(lambda: not is_live(seeded), what="the lease has run out")
    assert begun(open_session(), plan, key="second").state is RunState.RUNNING


def test_a_database_that_was_away_for_a_moment_is_asked_again(seeded, waiting, keep):
    answers = iter([DatabaseUnavailable("57P01")])

    def away_at_first():
        for error in answers:
            raise error
        return seeded.loader_url

    keep(dsn=away_at_first)
    time.sleep(2 * TTL_SECONDS)
    assert is_live(seeded)


def test_a_keeper_whose_session_the_server_ended_makes_another(seeded, waiting, keep):
    session, _, _ = waiting
    keep()
    mine = session.connection.info.backend_pid
    ended = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %(mine)s)"
    )
    wait_until(lambda: seeded.value(ended, mine=mine), what="the keeper is connected")
    time.sleep(2 * TTL_SECONDS)
    assert is_live(seeded)


def test_a_cancellation_ends_the_seed_run_though_nobody_is_at_work(open_session, waiting, keep):
    _, _, run = waiting
    keep()
    operator = open_session()
    assert flow.cancel(operator.connection, run.id).state is RunState.RUNNING
    wait_until(lambda: runs.find(operator.connection, run.id).is_finished, what="the seed run has ended")
    ended = runs.find(operator.connection, run.id)
    assert ended.state is RunState.CANCELLED
    assert (ended.finished_at - ended.cancel_requested_at).total_seconds() < 5
    assert lease.holder_of(operator.connection, run) is None


def test_a_worker_that_never_comes_back_is_not_kept_for_ever(seeded, waiting, keep):
    keep(longest_seconds=TTL_SECONDS)
    time.sleep(3 * TTL_SECONDS)
    assert not is_live(seeded)


def test_a_lease_that_ran_out_or_was_given_back_is_not_taken_again(seeded, waiting, keep):
    session, _, run = waiting
    lease.release(session.connection, run)
    keep()
    time.sleep(TTL_SECONDS)
    assert not is_live(seeded)

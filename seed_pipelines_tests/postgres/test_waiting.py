"""What stops a batch that waits for its turn, with a rate limit that asks for half a minute between two batches."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from seed_runs import begun, lean_plan, load_all, with_manifest

from seed_pipelines import flow
from seed_pipelines.control import lease, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import SeedRunCancelled, StoppedByFlag, WindowClosed
from seed_pipelines.manifest.model import RateLimit
from seed_pipelines.manifest.window import Window

SLOW = RateLimit(limit=2, window_seconds=60)


@pytest.fixture
def plan():
    """Its first two batches need not wait; the third waits for half a minute."""
    return with_manifest(lean_plan(customers=40, batch_rows=20), rate_limit=SLOW)


def naps_until(event, *, naps):
    """A sleep that takes no time, and what was slept; after so many naps of a batch that waits, something happens."""
    slept = []

    def sleep(seconds):
        if seconds > 0:
            slept.append(seconds)
        if len(slept) == naps:
            event()

    return sleep, slept


def test_a_cancellation_is_noticed_a_second_later(open_session, plan):
    operator = open_session()
    sleep, slept = naps_until(lambda: flow.cancel(operator.connection, run.id), naps=3)
    session = open_session(sleep=sleep)
    run = begun(session, plan)
    with pytest.raises(SeedRunCancelled):
        load_all(session, plan, run)
    assert len(slept) == 3
    assert max(slept) <= 1


def test_a_flag_that_is_switched_off_is_noticed_a_second_later(open_session, plan):
    switched_off = []

    def assert_enabled():
        if switched_off:
            raise StoppedByFlag("seed-run-enabled", environment="dev", tenant="acme", mode="baseline")

    sleep, slept = naps_until(lambda: switched_off.append(True), naps=3)
    session = replace(open_session(sleep=sleep), assert_enabled=assert_enabled)
    run = begun(session, plan)
    with pytest.raises(StoppedByFlag):
        load_all(session, plan, run)
    assert len(slept) == 3


def test_a_wait_that_the_window_would_end_is_not_begun_and_nothing_is_held_meanwhile(open_session, plan):
    slept = []
    session = open_session(sleep=slept.append)
    now = runs.database_now(session.connection).astimezone(UTC)
    closes = now + timedelta(seconds=50)
    window = Window(start=(now - timedelta(hours=1)).time(), end=closes.time())
    closing = with_manifest(plan, window=window)
    run = begun(session, closing, ignore_window=False)
    with pytest.raises(WindowClosed, match=f"because the window closes at {closes:%H:%M:%S} UTC, before") as closed:
        load_all(session, closing, run)
    # The third batch waited its half minute, and the fourth would have had to wait a whole one.
    assert sum(slept) == pytest.approx(30, abs=5)
    flow.leave(session.connection, run.id, worker=session.worker, error=closed.value)
    assert runs.find(session.connection, run.id).state is RunState.PAUSED
    assert lease.holder_of(session.connection, run) is None


def test_a_window_that_the_seed_run_passes_over_ends_no_wait(open_session, plan):
    session = open_session(sleep=lambda _seconds: None)
    now = runs.database_now(session.connection).astimezone(UTC)
    window = Window(start=(now - timedelta(hours=1)).time(), end=(now + timedelta(seconds=5)).time())
    run = begun(session, plan, ignore_window=True)
    for entity in ("tenants", "customers"):
        loaded = flow.load_entity(session, with_manifest(plan, window=window), run, shard="0000", entity=entity)
    assert loaded.rows == 40

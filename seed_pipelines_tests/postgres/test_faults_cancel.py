"""Stops that somebody, or the clock, asked for: at a batch boundary, without a trace in what readers see."""

import time
from datetime import UTC, timedelta

import pytest
from seed_runs import (
    Worker,
    assert_exactly_the_plan,
    begun,
    build_tables,
    content,
    first_batch,
    held_shard,
    lean_plan,
    load_all,
    publish_all,
    run_all,
    state_of,
    wait_until,
    waits_for_a_lock,
    with_manifest,
    write_rows,
)
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import lease, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import OutsideWindow, SeedRunCancelled, SeedRunEnded, WindowClosed
from seed_pipelines.load import publish as publishing
from seed_pipelines.manifest.window import Window
from seed_pipelines.outside.postgres import transaction


def assert_nothing_is_held(seeded):
    assert seeded.value("SELECT count(*) FROM seed_control.lease WHERE lease_until > clock_timestamp()") == 0
    assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE holder IS NOT NULL") == 0


def reports(seeded):
    return seeded.value("SELECT array_agg(seed_run_id) FROM seed_control.report_outbox")


@pytest.mark.parametrize("left", ["stopped", "between shards", "dead"])
def test_a_seed_run_that_nobody_works_on_is_cancelled_at_once(seeded, open_session, left):
    session, plan = open_session(lease_seconds=0.2 if left == "dead" else 60), lean_plan(customers=12, shards=2)
    run = begun(session, plan)
    load_all(session, plan, run, shards=["0000"])
    if left == "between shards":
        flow.publish(session, plan, run, shard="0000")
    elif left == "stopped":
        flow.leave(session.connection, run.id, worker=session.worker, error=KeyboardInterrupt())
    else:
        wait_until(lambda: lease.holder_of(session.connection, run) is None, what="the lease runs out")
    assert flow.cancel(session.connection, run.id).state is RunState.CANCELLED
    assert build_tables(seeded) == 0
    assert_nothing_is_held(seeded)
    assert reports(seeded) == [run.id]


def test_a_seed_run_at_work_stops_at_its_next_batch_and_readers_keep_the_old_dataset(seeded, open_session):
    old = lean_plan(customers=9)
    run_all(open_session(), old)
    before = content(seeded, old)
    new = lean_plan(customers=40, batch_rows=10, version="1.1.0")
    operator = open_session()
    batches = []

    def cancel_in_the_middle(_seconds):
        batches.append(True)
        if len(batches) == 3:
            assert flow.cancel(operator.connection, run.id).state is RunState.RUNNING

    worker = open_session(sleep=cancel_in_the_middle)
    run = begun(worker, new, key="second")
    with pytest.raises(SeedRunCancelled) as cancelled:
        load_all(worker, new, run)
    flow.leave(worker.connection, run.id, worker=worker.worker, error=cancelled.value)
    assert seeded.value(f"SELECT count(*) FROM seed_control.checkpoint WHERE seed_run_id = '{run.id}'") == 2
    assert (state_of(seeded, run), build_tables(seeded)) == ("cancelled", 0)
    assert content(seeded, old) == before
    assert run.id in reports(seeded)
    assert_nothing_is_held(seeded)


def test_a_cancellation_waits_for_the_batch_of_another_shard_and_neither_is_lost(seeded, open_session):
    plan, first, second = lean_plan(customers=12, shards=2), open_session(), open_session()
    run = begun(first, plan)
    held, attempt = held_shard(first, plan, run)
    publishing.open_build(first.connection, held, "tenants")
    held_shard(second, plan, run, shard="0001")
    flow.cancel(second.connection, run.id)
    with transaction(first.connection):
        with pytest.raises(SeedRunCancelled):
            lease.guard(first.connection, held, shard="0000", attempt=attempt)
        first.connection.execute(f"LOCK TABLE seed_build.tenants_{run.id.hex} IN ROW EXCLUSIVE MODE")
        reason = SeedRunCancelled(str(run.id))
        leaver = Worker(lambda: flow.leave(second.connection, run.id, worker=second.worker, error=reason))
        wait_until(lambda: waits_for_a_lock(seeded, second), what="the one who leaves waits")
        write_rows(first, plan, held, first_batch(plan), attempt=attempt)
        lease.renew(first.connection, held)
    leaver.result()
    assert (state_of(seeded, run), build_tables(seeded)) == ("cancelled", 0)
    with pytest.raises(SeedRunCancelled):
        flow.load_entity(first, plan, run, shard="0000", entity="customers")
    assert_nothing_is_held(seeded)


def test_cancelling_twice_is_harmless_and_cancelling_what_has_ended_is_refused(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    held_shard(session, plan, run)
    asked = [flow.cancel(session.connection, run.id).cancel_requested_at for _ in range(2)]
    assert asked[0] == asked[1]
    flow.leave(session.connection, run.id, worker=session.worker, error=SeedRunCancelled(str(run.id)))
    with pytest.raises(SeedRunEnded):
        flow.cancel(session.connection, run.id)


def closing_in(session, plan, seconds):
    """The plan with a window that is open and closes soon, by the database's clock."""
    now = runs.database_now(session.connection).astimezone(UTC)
    window = Window(start=(now - timedelta(hours=1)).time(), end=(now + timedelta(seconds=seconds)).time())
    return with_manifest(plan, window=window)


def test_a_window_that_closes_pauses_at_a_batch_boundary_and_its_next_opening_goes_on(seeded, open_session):
    plan = lean_plan(customers=40, batch_rows=10)
    session = open_session()
    closing = closing_in(session, plan, 2)
    run = begun(session, closing, ignore_window=False)
    slow = open_session(sleep=lambda _seconds: time.sleep(0.5))
    with pytest.raises(WindowClosed) as closed:
        load_all(slow, closing, run)
    flow.leave(slow.connection, run.id, worker=slow.worker, error=closed.value)
    written = seeded.value("SELECT count(*) FROM seed_control.checkpoint")
    assert 0 < written < plan.total_batches
    assert state_of(seeded, run) == "paused"
    assert reports(seeded) is None
    assert_nothing_is_held(seeded)
    opened = closing_in(session, plan, 3600)
    run = begun(session, opened, ignore_window=False)
    load_all(session, opened, run)
    assert publish_all(session, opened, run).run.state is RunState.PUBLISHED
    assert_exactly_the_plan(seeded, plan)
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") == plan.total_batches


def test_outside_of_the_window_nothing_begins(seeded, open_session):
    session = open_session()
    plan = closing_in(session, lean_plan(customers=4), -60)
    with pytest.raises(OutsideWindow):
        flow.begin(session, plan, request_for(session, ignore_window=False))
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0
    assert_nothing_is_held(seeded)

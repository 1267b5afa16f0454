"""Shards: of two workers on one shard the newer one writes, no row is doubled, and who leaves takes nobody along."""

import time

import pytest
from seed_runs import (
    Worker,
    assert_exactly_the_plan,
    begun,
    first_batch,
    held_shard,
    lean_plan,
    load_all,
    publish_all,
    state_of,
    wait_until,
    waits_for_a_lock,
    write_rows,
)

from seed_pipelines import flow
from seed_pipelines.control import lease, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import DatabaseUnavailable, ShardSuperseded
from seed_pipelines.load import publish as publishing
from seed_pipelines.outside.postgres import transaction


def attempts(seeded, entity):
    return seeded.value(
        "SELECT array_agg(attempt ORDER BY number) FROM seed_control.checkpoint WHERE entity = %(entity)s",
        entity=entity,
    )


def shard_row(seeded, shard="0000"):
    with seeded.superuser() as connection:
        return connection.execute("SELECT * FROM seed_control.seed_shard WHERE shard = %s", [shard]).fetchone()


def leave(session, run, *, worker, state=RunState.FAILED):
    runs.leave_shard(session.connection, run.id, worker=worker, state=state, code="test", detail="test")


def test_one_worker_keeps_its_attempt_and_another_begins_a_new_one(open_session):
    plan, session, other = lean_plan(customers=4), open_session(), open_session()
    run = begun(session, plan)
    assert [held_shard(session, plan, run)[1] for _ in range(3)] == [1, 1, 1]
    assert held_shard(other, plan, run)[1] == 2


def test_a_second_worker_supersedes_the_first_at_its_next_batch_and_no_row_is_doubled(seeded, open_session):
    plan = lean_plan(customers=40, batch_rows=10)
    second = open_session()
    batches = []

    def overtake(_seconds):
        batches.append(True)
        if len(batches) == 3:
            flow.load_entity(second, plan, run, shard="0000", entity="customers")

    first = open_session(sleep=overtake)
    run = begun(first, plan)
    flow.load_entity(second, plan, run, shard="0000", entity="tenants")
    with pytest.raises(ShardSuperseded) as superseded:
        flow.load_entity(first, plan, run, shard="0000", entity="customers")
    assert superseded.value.attempt == 2
    assert attempts(seeded, "customers") == [2, 2, 3, 3]
    load_all(second, plan, run)
    publish_all(second, plan, run)
    assert_exactly_the_plan(seeded, plan)


def test_two_workers_of_one_shard_at_once_write_every_row_once(seeded, open_session):
    plan = lean_plan(customers=40, batch_rows=7)
    sessions = [open_session(), open_session()]
    run = begun(sessions[0], plan)

    def work(session):
        try:
            load_all(session, plan, run)
        except ShardSuperseded as superseded:
            return superseded
        return None

    endings = [worker.result() for worker in [Worker(lambda s=session: work(s)) for session in sessions]]
    assert None in endings
    publish_all(open_session(), plan, run)
    assert_exactly_the_plan(seeded, plan)


def test_a_new_worker_waits_for_the_batch_in_flight_and_then_counts_it_as_done(seeded, open_session):
    plan, first, second = lean_plan(customers=4), open_session(), open_session()
    run = begun(first, plan)
    held, attempt = held_shard(first, plan, run)
    publishing.open_build(first.connection, held, "tenants")
    with transaction(first.connection):
        lease.guard(first.connection, held, shard="0000", attempt=attempt)
        write_rows(first, plan, held, first_batch(plan), attempt=attempt)
        newer = Worker(lambda: held_shard(second, plan, run))
        wait_until(lambda: waits_for_a_lock(seeded, second), what="the newer worker waits")
        lease.renew(first.connection, held)
    assert newer.result()[1] == 2
    assert flow.load_entity(second, plan, run, shard="0000", entity="tenants").resumed_batches == 1


def test_a_worker_that_is_superseded_cannot_close_the_shard(open_session):
    plan, first, second = lean_plan(customers=4), open_session(), open_session()
    run = begun(first, plan)
    _, attempt = held_shard(first, plan, run)
    held_shard(second, plan, run)
    with pytest.raises(ShardSuperseded):
        runs.finish_shard(first.connection, run, "0000", attempt=attempt)


def test_a_shard_that_is_done_stays_done_for_whoever_comes_again(seeded, open_session):
    plan, first, second = lean_plan(customers=4), open_session(), open_session()
    run = begun(first, plan)
    _, attempt = held_shard(first, plan, run)
    runs.finish_shard(first.connection, run, "0000", attempt=attempt)
    held_shard(second, plan, run)
    assert (shard_row(seeded)["state"], shard_row(seeded)["attempt"]) == ("done", 2)


def test_a_worker_that_comes_again_for_a_shard_that_is_in_is_content_with_the_publication(
    seeded, open_session, monkeypatch
):
    plan, first, again = lean_plan(customers=40, shards=2), open_session(), open_session()
    run = begun(first, plan)
    load_all(first, plan, run)
    flow.publish(first, plan, run, shard="0000")
    begun_again = begun(again, plan)
    claim = runs.claim

    def published_meanwhile(*given):
        claimed = claim(*given)
        flow.publish(first, plan, run, shard="0001")
        return claimed

    monkeypatch.setattr(runs, "claim", published_meanwhile)
    assert begun(open_session(), plan).state is RunState.PUBLISHED
    assert begun_again.state is RunState.RUNNING
    loaded = flow.load_entity(again, plan, begun_again, shard="0000", entity="customers")
    assert (loaded.rows, loaded.fence, loaded.sealed) == (20, None, True)
    assert flow.publish(again, plan, begun_again, shard="0000").generation is None


def test_a_superseded_worker_that_leaves_does_not_stop_the_newer_one(seeded, open_session):
    plan, first, second = lean_plan(customers=4), open_session(), open_session()
    run = begun(first, plan)
    held_shard(first, plan, run)
    held_shard(second, plan, run)
    leave(first, run, worker=first.worker)
    assert (shard_row(seeded)["state"], state_of(seeded, run)) == ("active", "running")


def test_the_seed_run_goes_on_while_another_shard_is_at_work(seeded, open_session):
    plan, first, second = lean_plan(customers=40, shards=2), open_session(), open_session()
    run = begun(first, plan)
    held_shard(first, plan, run, shard="0000")
    held_shard(second, plan, run, shard="0001")
    leave(first, run, worker=first.worker)
    assert (state_of(seeded, run), lease.holder_of(first.connection, run)) == ("running", run.id)
    leave(second, run, worker=second.worker, state=RunState.PAUSED)
    assert (state_of(seeded, run), lease.holder_of(first.connection, run)) == ("paused", None)
    assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE holder IS NOT NULL") == 0


def test_two_workers_that_leave_at_the_same_moment_stop_the_seed_run(seeded, open_session):
    plan, first, second = lean_plan(customers=40, shards=2), open_session(), open_session()
    run = begun(first, plan)
    held_shard(first, plan, run, shard="0000")
    held_shard(second, plan, run, shard="0001")
    with transaction(first.connection):
        leave(first, run, worker=first.worker)
        other = Worker(lambda: leave(second, run, worker=second.worker))
        wait_until(lambda: waits_for_a_lock(seeded, second), what="the other leaver waits")
    other.result()
    assert (state_of(seeded, run), lease.holder_of(first.connection, run)) == ("failed", None)


def test_a_worker_that_has_begun_goes_on_though_the_last_one_just_failed(seeded, open_session):
    plan, first, second = lean_plan(customers=40, shards=2), open_session(), open_session()
    run = begun(first, plan)
    held_shard(first, plan, run, shard="0000")
    begun(second, plan)
    leave(first, run, worker=first.worker)
    assert state_of(seeded, run) == "failed"
    assert flow.load_entity(second, plan, run, shard="0001", entity="customers").rows == 20
    assert state_of(seeded, run) == "running"


def test_a_worker_that_fell_asleep_while_sending_is_put_out_by_the_next(seeded, open_session):
    plan = lean_plan(customers=4)
    asleep, second = open_session(worker="asleep"), open_session()
    run = begun(asleep, plan)
    held, attempt = held_shard(asleep, plan, run)
    table = publishing.open_build(asleep.connection, held, "tenants")

    newer = []

    def fall_asleep():
        with transaction(asleep.connection):
            lease.guard(asleep.connection, held, shard="0000", attempt=attempt)
            with asleep.connection.cursor() as cursor, cursor.copy(f"COPY seed_build.{table} FROM STDIN") as copy:
                copy.write(b"half a ")
                second.connection.execute("SET lock_timeout = '100ms'")
                with pytest.raises(DatabaseUnavailable):
                    held_shard(second, plan, run)
                time.sleep(5)
                second.connection.execute("SET lock_timeout = '5s'")
                newer.append(held_shard(second, plan, run)[1])

    with pytest.raises(DatabaseUnavailable):
        fall_asleep()
    assert newer == [2]
    assert flow.load_entity(second, plan, run, shard="0000", entity="tenants").rows == 1


def test_of_two_workers_that_seal_one_entity_the_second_waits_and_nobody_else_does(seeded, open_session):
    plan, first, second, third = lean_plan(customers=4), open_session(), open_session(), open_session()
    run = begun(first, plan)
    held, attempt = held_shard(first, plan, run)
    publishing.open_build(first.connection, held, "tenants")
    with transaction(first.connection):
        lease.guard(first.connection, held, shard="0000", attempt=attempt)
        write_rows(first, plan, held, first_batch(plan), attempt=attempt)
    with transaction(first.connection):
        assert publishing.seal(first.connection, held, "tenants")
        second.connection.execute("SET lock_timeout = '100ms'")
        other = Worker(lambda: publishing.seal(second.connection, held, "tenants"))
        wait_until(lambda: waits_for_a_lock(seeded, second), what="the second sealer waits")
        third.connection.execute("SET lock_timeout = '100ms'")
        assert runs.resume(third.connection, run, flags={}).state is RunState.RUNNING
        assert publishing.open_build(third.connection, held, "customers")
        assert runs.request_cancel(third.connection, run.id)
        time.sleep(0.2)
    assert other.result() is True

"""Every stop of a seed run is in its report, in order, whatever became of it afterwards."""

import psycopg
import pytest
from seed_runs import begun, lean_plan, load_all, publish_all
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import abandoned, roles, runs, stops
from seed_pipelines.errors import (
    BudgetExhausted,
    DatabaseRefused,
    DatabaseUnavailable,
    SeedRunCancelled,
    WindowClosed,
)
from seed_pipelines.evidence.collect import evidence_of


def lost():
    return DatabaseUnavailable("57P01")


def leave(session, run, error, *, worker=None):
    return flow.leave(session.connection, run.id, worker=worker or session.worker, error=error)


def stopped(session, run, error):
    """The seed run, at work in its first shard, and then stopped by an error."""
    runs.begin_shard(session.connection, run, "0000", worker=session.worker)
    leave(session, run, error)


def errors_of(session, run):
    return evidence_of(session.connection, run.id).errors


def test_a_published_run_tells_what_failed_and_paused_it_before(open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    refused, now = DatabaseRefused("23514", constraint="any", table="customers"), runs.database_now(session.connection)
    refused.batch = ("customers", "0000", 0)
    stopped(session, run, refused)
    stopped(session, begun(session, plan), WindowClosed(now=now, opens=now))
    load_all(session, plan, begun(session, plan))
    publish_all(session, plan, run)
    failed, paused = errors_of(session, run)
    assert (failed.type, failed.state) == ("urn:seed-pipelines:problem:database-refused", "failed")
    assert (failed.shard, failed.entity, failed.batch) == ("0000", "customers", 0)
    assert "23514" in failed.detail
    assert (paused.type, paused.state) == ("urn:seed-pipelines:problem:window-closed", "paused")
    assert (paused.shard, paused.entity, paused.batch) == ("0000", None, None)
    assert now <= failed.occurred_at < paused.occurred_at


@pytest.mark.parametrize("end", ["cancelled", "superseded", "abandoned and cancelled", "out of budget"])
def test_how_a_run_ended_does_not_hide_why_it_had_failed(open_session, end):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    stopped(session, run, lost())
    if end == "superseded":
        begun(session, lean_plan(customers=5, version="1.1.0"), key="second")
    elif end == "out of budget":
        stopped(session, begun(session, plan), BudgetExhausted("loans", shard="0000", number=1, left=0, cost=1))
    else:
        if end.startswith("abandoned"):
            begun(session, plan)
            session.connection.execute("UPDATE seed_control.lease SET lease_until = '-infinity'")
            assert abandoned.mark(session.connection, run.id)
        flow.cancel(session.connection, run.id)
    kinds = [error.type.rpartition(":")[2] for error in errors_of(session, run)]
    expected = {
        "cancelled": ["seed-run-cancelled"],
        "superseded": ["superseded"],
        "abandoned and cancelled": ["abandoned", "seed-run-cancelled"],
        "out of budget": ["budget-exhausted"],
    }
    assert kinds == ["database-unavailable", *expected[end]]


def test_a_worker_that_fails_while_others_go_on_is_told_too(open_session):
    session, plan = open_session(), lean_plan(customers=40, shards=2)
    run = begun(session, plan)
    for shard, worker in zip(plan.shard_keys, ("one", "two"), strict=False):
        runs.begin_shard(session.connection, run, shard, worker=worker)
    assert leave(session, run, lost(), worker="two") is None
    (stop,) = stops.of_run(session.connection, run.id)
    assert (stop.state, stop.code, stop.shard) == ("failed", "database-unavailable", plan.shard_keys[1])


def test_nothing_is_added_once_the_run_has_ended(open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    runs.begin_shard(session.connection, run, "0000", worker=session.worker)
    flow.cancel(session.connection, run.id)
    leave(session, run, SeedRunCancelled(str(run.id)))
    leave(session, run, lost())
    assert [stop.code for stop in stops.of_run(session.connection, run.id)] == ["seed-run-cancelled"]


def test_a_stop_is_neither_changed_nor_taken_away_nor_dated(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=4)
    stopped(session, begun(session, plan), lost())
    for statement in (
        "UPDATE seed_control.run_stop SET code = 'nothing'",
        "DELETE FROM seed_control.run_stop",
        "TRUNCATE seed_control.run_stop",
    ):
        with seeded.connection(roles.LOADER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        with seeded.superuser() as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(statement)
    forged = (
        "INSERT INTO seed_control.run_stop (seed_run_id, state, code, detail, stopped_at) "
        "SELECT id, 'failed', 'mine', '', now() FROM seed_control.seed_run"
    )
    with seeded.connection(roles.LOADER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(forged)


def test_a_run_that_ended_before_stops_were_kept_tells_its_last_error(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    flow.cancel(session.connection, run.id)
    with seeded.superuser() as connection:
        connection.execute("ALTER TABLE seed_control.run_stop DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM seed_control.run_stop")
    (error,) = errors_of(session, run)
    assert error.type.endswith(":seed-run-cancelled")


def test_the_word_lists_are_those_of_the_claim(open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = flow.begin(session, plan, request_for(session))
    flow.cancel(session.connection, run.id)
    assert evidence_of(session.connection, run.id).vocabulary_sha256 == "b" * 64

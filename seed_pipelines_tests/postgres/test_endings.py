"""How seed runs come to a stop, and that each stop is measured once, whoever brought it about."""

import json

import pytest
from seed_runs import begun, claimed, held_shard, lean_plan, run_all
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control.endings import ending_of
from seed_pipelines.control.runs import database_now
from seed_pipelines.errors import (
    BudgetExhausted,
    DatabaseUnavailable,
    SeedRunCancelled,
    StoppedByFlag,
    WindowClosed,
)
from seed_pipelines.orchestration.reconciler import marked
from seed_pipelines.session import Installation, say_ended
from seed_pipelines.settings import Settings


@pytest.fixture
def installation(seeded, tmp_path):
    return Installation.of(Settings(home=tmp_path, manifests=tmp_path, database_url=seeded.loader_url))


def durations(home):
    """Outcome → how often it was measured, out of every metric that was sent."""
    found = {}
    for path in (home / "telemetry").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            for metric in metrics_in(json.loads(line)):
                if metric["name"] == "seed_run_duration_ms":
                    for point in metric["histogram"]["dataPoints"]:
                        said = {each["key"]: each["value"].get("stringValue") for each in point["attributes"]}
                        found[said["outcome"]] = found.get(said["outcome"], 0) + int(point["count"])
    return found


def metrics_in(export):
    for resource in export.get("resourceMetrics", ()):
        for scope in resource["scopeMetrics"]:
            yield from scope["metrics"]


def stops(session):
    now = database_now(session.connection)
    return {
        "cancelled": SeedRunCancelled("any"),
        "aborted": BudgetExhausted("loans", shard="0000", number=1, left=0, cost=1),
        "paused": WindowClosed(now=now, opens=now),
        "paused by a flag": StoppedByFlag("seed-run-enabled", environment="dev", tenant="acme", mode="baseline"),
        "failed": DatabaseUnavailable("57P01"),
        "failed by a bug": RuntimeError("a bug"),
    }


@pytest.mark.parametrize(
    "stop", ["cancelled", "aborted", "paused", "paused by a flag", "failed", "failed by a bug"], ids=str
)
def test_every_way_to_stop_is_measured_with_its_outcome(open_session, installation, stop):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    ending = flow.leave(session.connection, run.id, worker=session.worker, error=stops(session)[stop])
    assert (ending.tenant, ending.environment, ending.mode) == ("acme", "dev", "baseline")
    assert ending.outcome == stop.partition(" ")[0]
    assert 0 <= ending.elapsed_ms < 60_000
    say_ended(installation, ending)
    assert durations(installation.settings.home) == {ending.outcome: 1}


def test_a_worker_that_leaves_others_at_work_is_no_ending_and_neither_is_one_that_comes_too_late(open_session):
    plan, first, second = lean_plan(customers=40, shards=2), open_session(), open_session()
    run = begun(first, plan)
    held_shard(first, plan, run, shard="0000")
    held_shard(second, plan, run, shard="0001")
    error = DatabaseUnavailable("57P01")
    assert flow.leave(first.connection, run.id, worker=first.worker, error=error) is None
    assert flow.leave(second.connection, run.id, worker=second.worker, error=error).outcome == "failed"
    assert flow.leave(second.connection, run.id, worker=second.worker, error=error) is None


def test_a_publication_and_a_seed_run_that_another_took_the_place_of_are_measured_by_the_worker(
    open_session, installation
):
    left = open_session()
    run = begun(left, lean_plan(customers=4), key="left behind")
    flow.leave(left.connection, run.id, worker=left.worker, error=DatabaseUnavailable("57P01"))
    session = open_session()
    run_all(session, lean_plan(customers=4, version="1.1.0"))
    session.telemetry.finish()
    assert durations(installation.settings.home) == {"aborted": 1, "published": 1}


def test_an_abandoned_seed_run_is_measured_when_it_is_marked(seeded, open_session, installation):
    session = open_session()
    run = begun(session, lean_plan(customers=4))
    held_shard(session, lean_plan(customers=4), run)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET lease_until = clock_timestamp() - interval '10 min'")
    assert [(found.id, error) for found, error in marked(session.connection, installation)] == [(run.id, None)]
    assert durations(installation.settings.home) == {"failed": 1}


def test_a_seed_run_that_stands_still_is_measured_until_now(open_session):
    session = open_session()
    run = claimed(session, lean_plan(customers=4))
    first, second = (ending_of(session.connection, run.id) for _ in range(2))
    assert first.outcome == "running"
    assert second.elapsed_ms >= first.elapsed_ms


def test_a_seed_run_says_its_id_in_every_span_after_its_claim(open_session, tmp_path):
    session = open_session()
    run = flow.begin(session, lean_plan(customers=4), request_for(session))
    flow.load_entity(session, lean_plan(customers=4), run, shard="0000", entity="tenants")
    session.telemetry.finish()
    told = "".join(path.read_text() for path in (tmp_path / "telemetry").glob("*.jsonl"))
    batch = next(line for line in told.splitlines() if '"seed.batch"' in line)
    assert str(run.id) in batch

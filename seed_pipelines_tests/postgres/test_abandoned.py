"""Seed runs whose workers were killed: marked, given back, and asked for again where nobody looks."""

from types import SimpleNamespace

import dagster as dg
import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import abandoned, lease, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import TelemetryUnavailable
from seed_pipelines.orchestration import reconciler
from seed_pipelines.orchestration.names import IDEMPOTENCY_KEY_TAG, TRIGGER_TAG, ManifestName
from seed_pipelines.orchestration.reconciler import requests_of
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment


@dg.job(name="seed__dev__acme", partitions_def=dg.StaticPartitionsDefinition(["0000", "0001", "0002"]))
def job_of_acme():
    """The job of a manifest, as far as the sensor looks at it."""


@pytest.fixture
def killed(seeded, open_session):
    """A seed run of three shards, one of them in, whose worker never came back."""
    session, plan = open_session(), make_plan(customers=30, mode="carga", shards=3)
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")
    flow.load_entity(session, plan, run, shard="0001", entity="customers")
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET lease_until = now() - interval '31 s'")
    return session, plan, run


def test_a_seed_run_at_work_is_not_abandoned(seeded, open_session):
    session, plan = open_session(), make_plan(customers=10)
    run = flow.begin(session, plan, request_for(session))
    assert abandoned.found(session.connection, environment=None) == []
    assert not abandoned.mark(session.connection, run.id)
    assert runs.find(session.connection, run.id).state is RunState.RUNNING


def test_an_abandoned_seed_run_fails_visibly_gives_back_what_it_held_and_can_go_on(seeded, killed):
    session, plan, run = killed
    (found,) = abandoned.found(session.connection, environment="dev")
    assert (found.id, found.done_shards) == (run.id, ("0000",))
    assert abandoned.found(session.connection, environment="staging") == []
    assert abandoned.mark(session.connection, run.id)
    marked = runs.find(session.connection, run.id)
    assert (marked.state, marked.error_code) == (RunState.FAILED, "abandoned")
    assert {shard.state for shard in runs.shards_of(session.connection, run.id)} == {"done", "idle"}
    assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE holder IS NOT NULL") == 0
    again = flow.begin(session, plan, request_for(session))
    for shard in ("0001", "0002"):
        for entity in plan.rows:
            flow.load_entity(session, plan, again, shard=shard, entity=entity)
        published = flow.publish(session, plan, again, shard=shard)
    assert published.run.id == run.id


def test_what_somebody_had_cancelled_ends_cancelled_when_its_worker_is_found_dead(seeded, killed):
    session, _, run = killed
    runs.request_cancel(session.connection, run.id)
    assert abandoned.mark(session.connection, run.id)
    ended = runs.find(session.connection, run.id)
    assert (ended.state, ended.error_code) == (RunState.CANCELLED, "seed-run-cancelled")
    assert seeded.value("SELECT count(*) FROM seed_control.report_outbox") == 1
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0


def test_a_worker_that_is_stopped_after_a_cancellation_leaves_a_cancelled_seed_run(seeded, killed):
    session, _, run = killed
    runs.request_cancel(session.connection, run.id)
    flow.leave(session.connection, run.id, worker=session.worker, error=KeyboardInterrupt())
    assert runs.find(session.connection, run.id).state is RunState.CANCELLED


def test_a_marked_seed_run_is_requested_at_every_tick_until_somebody_goes_on_with_it(seeded, killed):
    """So a tick that dies between the mark and Dagster's own record loses nothing; equal keys are one run."""
    session, plan, run = killed
    unwatched(seeded, "schedule")
    assert abandoned.mark(session.connection, run.id)
    keys = [keys_of(session, plan) for _ in range(2)]
    assert keys[0] == keys[1] == [f"abandoned:{run.id}:0001:1", f"abandoned:{run.id}:0002:0"]
    flow.begin(session, plan, request_for(session))
    assert keys_of(session, plan) == []


def test_a_second_death_is_a_second_request(seeded, killed, open_session):
    session, plan, run = killed
    unwatched(seeded, "api")
    assert abandoned.mark(session.connection, run.id)
    first, again = keys_of(session, plan), open_session()
    flow.begin(again, plan, request_for(again))
    flow.load_entity(again, plan, run, shard="0001", entity="customers")
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET lease_until = now() - interval '31 s'")
    assert abandoned.mark(session.connection, run.id)
    assert set(keys_of(session, plan)) - set(first) == {f"abandoned:{run.id}:0001:2"}


def test_the_sensor_goes_on_after_one_that_it_cannot_mark(seeded, killed, tmp_path, monkeypatch):
    _, plan, run = killed
    unwatched(seeded, "schedule")
    monkeypatch.setenv("SEED_DATABASE_URL", seeded.loader_url)
    monkeypatch.setenv("SEED_HOME", str(tmp_path))

    def refuse(_installation, _ending):
        raise TelemetryUnavailable(why="nobody listens", what_to_do="Listen.")

    monkeypatch.setattr(reconciler, "say_ended", refuse)
    loaded = SimpleNamespace(**vars(manifest_of(plan)), job=job_of_acme)
    sensor = reconciler.abandoned_sensor(Installation.of(from_environment()), [loaded])
    repository = dg.Definitions(jobs=[job_of_acme], sensors=[sensor]).get_repository_def()
    with dg.instance_for_test() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        found = sensor.evaluate_tick(context).run_requests
    assert [request.run_key for request in found] == [f"abandoned:{run.id}:0001:1", f"abandoned:{run.id}:0002:0"]


def test_a_worker_that_comes_back_in_time_keeps_its_seed_run(seeded, killed):
    session, _, run = killed
    (found,) = abandoned.found(session.connection, environment=None)
    lease.ensure(session.connection, run)
    assert not abandoned.mark(session.connection, found.id)
    assert runs.find(session.connection, run.id).state is RunState.RUNNING


def test_a_seal_that_takes_longer_than_a_lease_keeps_its_seed_run(seeded, killed):
    session, _, run = killed
    with seeded.connection() as worker, worker.transaction():
        worker.execute("SELECT FROM seed_control.lease FOR KEY SHARE")
        assert not abandoned.mark(session.connection, run.id)
    assert runs.find(session.connection, run.id).state is RunState.RUNNING
    assert abandoned.mark(session.connection, run.id)


def unwatched(seeded, trigger):
    with seeded.superuser() as connection:
        connection.execute(
            "UPDATE seed_control.seed_run SET flags = flags || jsonb_build_object('trigger', %s::text)", [trigger]
        )


def manifest_of(plan):
    name = ManifestName(environment="dev", tenant="acme")
    return SimpleNamespace(name=name, outline=plan, hash=plan.manifest.manifest_hash)


def keys_of(session, plan):
    loaded = {"dev/acme.yaml": manifest_of(plan)}
    found = abandoned.to_request(session.connection, environment=None)
    return [request.run_key for run in found for request in requests_of(run, loaded)]


@pytest.mark.parametrize(
    ("trigger", "shards"),
    [
        ("schedule", ["0001", "0002"]),
        ("manifest", ["0001", "0002"]),
        ("backfill", ["0001", "0002"]),
        ("api", ["0001", "0002"]),
        ("person", []),
    ],
)
def test_only_what_nobody_watches_is_requested_again_shard_by_shard_under_its_key(seeded, killed, trigger, shards):
    session, plan, _ = killed
    unwatched(seeded, trigger)
    (found,) = abandoned.found(session.connection, environment=None)
    loaded, name = {"dev/acme.yaml": manifest_of(plan)}, manifest_of(plan).name
    requests = requests_of(found, loaded)
    assert [request.partition_key for request in requests] == shards
    assert len({request.run_key for request in requests}) == len(shards)
    assert all(request.tags[IDEMPOTENCY_KEY_TAG] == "first" for request in requests)
    assert all(request.tags[TRIGGER_TAG] == "abandoned" for request in requests)
    changed = {"dev/acme.yaml": SimpleNamespace(name=name, outline=plan, hash="0" * 64)}
    assert requests_of(found, changed) == requests_of(found, {}) == []

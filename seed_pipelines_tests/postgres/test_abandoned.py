"""Seed runs whose workers were killed: marked, given back, and asked for again where nobody looks."""

from types import SimpleNamespace

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import abandoned, lease, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.orchestration.names import IDEMPOTENCY_KEY_TAG, TRIGGER_TAG, ManifestName
from seed_pipelines.orchestration.reconciler import requests_of


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


@pytest.mark.parametrize(
    ("trigger", "shards"),
    [("schedule", ["0001", "0002"]), ("manifest", ["0001", "0002"]), ("backfill", ["0001", "0002"]), ("person", [])],
)
def test_only_what_nobody_watches_is_requested_again_shard_by_shard_under_its_key(seeded, killed, trigger, shards):
    session, plan, _ = killed
    with seeded.superuser() as connection:
        connection.execute(
            "UPDATE seed_control.seed_run SET flags = flags || jsonb_build_object('trigger', %s::text)", [trigger]
        )
    (found,) = abandoned.found(session.connection, environment=None)
    name = ManifestName(environment="dev", tenant="acme")
    loaded = {"dev/acme.yaml": SimpleNamespace(name=name, outline=plan, hash=plan.manifest.manifest_hash)}
    requests = requests_of(found, loaded)
    assert [request.partition_key for request in requests] == shards
    assert len({request.run_key for request in requests}) == len(shards)
    assert all(request.tags[IDEMPOTENCY_KEY_TAG] == "first" for request in requests)
    assert all(request.tags[TRIGGER_TAG] == "abandoned" for request in requests)
    changed = {"dev/acme.yaml": SimpleNamespace(name=name, outline=plan, hash="0" * 64)}
    assert requests_of(found, changed) == requests_of(found, {}) == []

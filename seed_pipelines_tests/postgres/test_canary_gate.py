"""The canary gate: a version whose canary was begun is not run wider until the canary is published."""

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.errors import CanaryMissing


def begin(open_session, *, mode, key=None, environment="staging", **wishes):
    session = open_session(environment=environment)
    plan = make_plan(customers=10, mode=mode, environment=environment, categories=0, suppliers=0, **wishes)
    return session, plan, flow.begin(session, plan, request_for(session, key or mode))


def finish(session, plan, run):
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")


def stop(session, run):
    flow.cancel(session.connection, run.id)
    flow.leave(session.connection, run.id, worker=session.worker, error=RuntimeError())


@pytest.mark.parametrize("mode", ["carga", "dr"])
def test_a_wider_run_waits_for_the_canary_of_its_version(seeded, open_session, mode):
    session, _, run = begin(open_session, mode="canary")
    stop(session, run)
    with pytest.raises(CanaryMissing, match="Finish the canary"):
        begin(open_session, mode=mode)
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1
    finish(*begin(open_session, mode="canary", key="again"))
    begin(open_session, mode=mode)


@pytest.mark.parametrize(
    "wishes",
    [
        {"mode": "carga", "version": "1.1.0"},
        {"mode": "carga", "tenant": "globex"},
        {"mode": "carga", "environment": "dev"},
        {"mode": "baseline"},
    ],
    ids=["another version", "another tenant", "dev", "a baseline"],
)
def test_the_gate_is_for_wider_runs_of_the_same_version_tenant_and_environment(seeded, open_session, wishes):
    session, _, run = begin(open_session, mode="canary", environment=wishes.get("environment", "staging"))
    stop(session, run)
    tenant = wishes.pop("tenant", "acme")
    environment = wishes.pop("environment", "staging")
    session = open_session(environment=environment, tenant=tenant)
    plan = make_plan(customers=10, environment=environment, tenant=tenant, **wishes)
    assert flow.begin(session, plan, request_for(session)).tenant == tenant


def test_without_a_canary_nothing_is_gated(seeded, open_session):
    begin(open_session, mode="dr")

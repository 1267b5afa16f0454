"""The canary gate: a version whose canary was begun is not run wider until the canary is published."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from factories import make_manifest, make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.errors import CanaryMissing, SettingNotUsable
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment


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


@pytest.mark.parametrize(("environment", "is_refused"), [("staging", True), ("dev", False)])
def test_where_canaries_are_required_one_that_nobody_ran_is_missing(seeded, open_session, environment, is_refused):
    session = open_session(environment=environment)
    plan = replace(make_plan(customers=10, environment=environment, mode="carga"), canary_required=True)
    refusal = pytest.raises(CanaryMissing, match="no canary of it was run") if is_refused else nullcontext()
    with refusal:
        flow.begin(session, plan, request_for(session))
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == (0 if is_refused else 1)


def test_the_setting_is_the_plans(tmp_path):
    manifest = make_manifest(environment="staging")
    for text, required in {"true": True, "false": False, "": False}.items():
        settings = from_environment({"SEED_HOME": str(tmp_path), "SEED_CANARY_REQUIRED": text})
        assert Installation.of(settings).plan(manifest).canary_required is required
    with pytest.raises(SettingNotUsable):
        from_environment({"SEED_CANARY_REQUIRED": "yes"})


def test_without_a_canary_nothing_is_gated(seeded, open_session):
    begin(open_session, mode="dr")

"""`seed-data dr rehearse`: whatever would refuse the seed run is said while the published dataset is still there."""

import json
from datetime import UTC, timedelta

import pytest
from factories import make_plan, manifest_data
from seeded import request_for
from typer.testing import CliRunner

from seed_pipelines import flow
from seed_pipelines.cli import dr
from seed_pipelines.control import queue
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

SMALL = {"customers": 10, "categories": 0, "suppliers": 0}
STOPPED = {"seed-run-enabled": {"default": True, "rules": [{"tenant": "acme", "value": False}]}}


@pytest.fixture
def dataset(seeded, open_session):
    """A published dataset of mode dr in an environment; says whether it is still there."""

    def publish(environment):
        session, plan, run = begin(open_session, environment, mode="dr")
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard="0000", entity=entity)
        flow.publish(session, plan, run, shard="0000")
        return lambda: (
            seeded.value("SELECT count(*) FROM app.customers") == 10
            and seeded.value("SELECT count(*) FROM seed_control.purge_log") == 0
        )

    return publish


@pytest.fixture
def refusal_of(seeded, tmp_path, monkeypatch):
    """The command on a dataset of an environment, and what it was refused with."""
    now = seeded.value("SELECT clock_timestamp()").astimezone(UTC)
    for name, value in {"DATABASE_URL": seeded.loader_url, "HOME": tmp_path, "MANIFESTS_DIR": tmp_path}.items():
        monkeypatch.setenv(f"SEED_{name}", str(value))
    monkeypatch.delenv("CI", raising=False)

    def rehearse(environment, *options, opens_in_hours=-1):
        opens = now + timedelta(hours=opens_in_hours)
        window = {"start_utc": f"{opens:%H:%M}", "end_utc": f"{opens + timedelta(hours=2):%H:%M}"}
        data = manifest_data(mode="dr", environment=environment, **SMALL) | {"window": window}
        file = tmp_path / environment / "acme.yaml"
        file.parent.mkdir()
        file.write_text(sealed_text(as_yaml(data)))
        return CliRunner().invoke(dr.app, ["rehearse", f"{environment}/acme.yaml", "--yes", *options]).exception

    return rehearse


def begin(open_session, environment, *, mode, tenant="acme"):
    session = open_session(environment=environment, tenant=tenant)
    plan = make_plan(environment=environment, tenant=tenant, mode=mode, **SMALL)
    return session, plan, flow.begin(session, plan, request_for(session, mode))


@pytest.mark.parametrize(
    ("options", "opens_in_hours", "code"),
    [(["--ignore-window"], -1, "window-not-ignorable"), ([], 3, "outside-window")],
    ids=["it may not be passed over", "it is closed"],
)
def test_a_window_refuses_before_anything_is_taken_away(dataset, refusal_of, options, opens_in_hours, code):
    is_still_there = dataset("staging")
    assert refusal_of("staging", *options, opens_in_hours=opens_in_hours).code == code
    assert is_still_there()


def test_vault_and_a_store_that_are_not_there_refuse_before_anything_is_taken_away(dataset, refusal_of):
    is_still_there = dataset("staging")
    refusal = refusal_of("staging")
    assert refusal.code == "drill-refused"
    assert {found.split()[0] for found in refusal.found} >= {"report-store", "masking-key"}
    assert is_still_there()


def test_a_canary_that_is_not_published_refuses_before_anything_is_taken_away(dataset, refusal_of, open_session):
    is_still_there = dataset("staging")
    session, _, run = begin(open_session, "staging", mode="canary")
    flow.leave(session.connection, run.id, worker=session.worker, error=RuntimeError())
    flow.cancel(session.connection, run.id)
    assert any(found.startswith("admission (") for found in refusal_of("staging").found)
    assert is_still_there()


def test_a_full_environment_refuses_before_anything_is_taken_away(dataset, refusal_of, open_session):
    is_still_there = dataset("staging")
    for tenant in ("one", "two"):
        begin(open_session, "staging", mode="baseline", tenant=tenant)
    assert refusal_of("staging").code == "environment-full"
    assert is_still_there()


def test_those_who_wait_for_the_last_slot_come_before_a_drill(dataset, refusal_of, open_session):
    is_still_there = dataset("staging")
    session, *_ = begin(open_session, "staging", mode="baseline", tenant="one")
    whose = {"environment": "staging", "tenant": "two", "idempotency_key": "waits", "waiter": "somebody"}
    with queue.waiting(session.connection, whose, reason="environment-full", ttl_seconds=60):
        assert refusal_of("staging").code == "queued-behind"
    assert is_still_there()


def test_a_seed_run_of_the_tenant_refuses_before_anything_is_taken_away(dataset, refusal_of, open_session):
    is_still_there = dataset("dev")
    begin(open_session, "dev", mode="baseline")
    assert refusal_of("dev").code == "lease-held-elsewhere"
    assert is_still_there()


@pytest.mark.parametrize(
    ("variable", "value", "code", "said"),
    [
        ("SEED_FLAGS_FILE", "flags.json", "drill-refused", "feature-flag ("),
        ("SEED_WORM_URL", "file:///proc/reports", "drill-refused", "report-store ("),
        ("SEED_LENDING_ORACLE_URL", "http://127.0.0.1:1", "lending-service-not-ready", ""),
    ],
    ids=["flag", "store", "official calculation"],
)
def test_any_other_part_refuses_alone(dataset, refusal_of, monkeypatch, tmp_path, variable, value, code, said):
    (tmp_path / "flags.json").write_text(json.dumps(STOPPED))
    monkeypatch.setenv(variable, str(tmp_path / value) if variable == "SEED_FLAGS_FILE" else value)
    is_still_there = dataset("dev")
    refusal = refusal_of("dev")
    assert refusal.code == code
    assert said in str(refusal)
    assert is_still_there()

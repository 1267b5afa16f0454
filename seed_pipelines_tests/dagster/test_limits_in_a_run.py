"""What Dagster shows of limits: recovery objectives, spent budget, and a turn that was waited for."""

import dagster as dg
import pytest
from factories import make_plan
from sealed_manifests import write_manifest
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import lease, queue
from seed_pipelines.orchestration import names
from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

RECOVERY = "recovery_objectives"


@pytest.fixture
def laptop(seeded, tmp_path, monkeypatch):
    """An environment in which runs find the test's database and manifests; CI refuses the local dev key."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("SEED_DATABASE_URL", seeded.loader_url)
    monkeypatch.setenv("SEED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEED_MANIFESTS_DIR", str(tmp_path / "manifests"))
    return tmp_path / "manifests"


def run(**tags):
    job = definitions_of(Installation.of(from_environment())).resolve_job_def("seed__dev__acme")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, partition_key="0000", tags=tags, raise_on_error=False)
        texts = [record.user_message for record in instance.all_logs(result.run_id)]
    return result, texts


@pytest.mark.parametrize(("mode", "checked"), [("dr", True), ("baseline", False)])
def test_a_dr_dataset_has_its_objectives_checked_and_no_other_has(laptop, mode, checked):
    write_manifest(laptop, customers=10, mode=mode)
    result, _ = run()
    assert result.success
    passed = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
    assert (RECOVERY in passed) is checked
    assert all(passed.values())


def test_a_missed_recovery_objective_fails_its_check(seeded, laptop, monkeypatch):
    write_manifest(laptop, customers=10, mode="dr")
    loads = flow.load_entity

    def late(*arguments, entity, **more):
        if entity == "loans":
            with seeded.superuser() as connection:
                connection.execute("UPDATE seed_control.seed_run SET started_at = started_at - interval '6 min'")
        return loads(*arguments, entity=entity, **more)

    monkeypatch.setattr(flow, "load_entity", late)
    result, _ = run()
    missed = {found.check_name for found in result.get_asset_check_evaluations() if not found.passed}
    assert (result.success, missed) == (True, {RECOVERY})


def test_a_run_that_spends_four_fifths_of_its_budget_says_so_in_the_event_log(laptop, monkeypatch):
    write_manifest(laptop, customers=100)
    rows = make_plan(customers=100).total_rows
    monkeypatch.setenv("SEED_PRICE_MILLION_ROWS_BRL", f"{4500 * 10**6 // rows}")
    result, texts = run()
    assert result.success
    assert any("of the seed run's budget is spent" in text for text in texts)


def test_a_run_of_a_schedule_waits_for_its_turn_and_another_is_refused(seeded, laptop, open_session, monkeypatch):
    write_manifest(laptop, customers=10)
    session, plan = open_session(), make_plan(customers=20)
    busy = flow.begin(session, plan, request_for(session, "busy"))
    refused, _ = run()
    assert not refused.success
    assert queue.recent(session.connection) == []
    # The one that is waited for is done as soon as somebody waits.
    turn = queue.is_turn

    def done_first(connection, place):
        flow.cancel(session.connection, busy.id)
        lease.release(session.connection, busy)
        return turn(connection, place)

    monkeypatch.setattr(queue, "is_turn", done_first)
    waited, _ = run(**{names.TRIGGER_TAG: "schedule"})
    assert waited.success
    (wait,) = queue.recent(session.connection)
    assert (wait.outcome, wait.reason) == ("started", "lease-held-elsewhere")

"""Budgets on a real PostgreSQL: spent before the work, once a batch, never over the cap, whoever spends."""

from contextlib import suppress
from dataclasses import replace

import pytest
import structlog
from factories import make_plan
from seed_runs import all_batches, cost_of, lean_plan
from seeded import open_one_session, request_for

from seed_pipelines import flow
from seed_pipelines.control import budget, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import (
    BudgetExhausted,
    DatabaseUnavailable,
    ErrorBudgetExhausted,
    LeaseLost,
    LendingServiceUnavailable,
)
from seed_pipelines.evidence.collect import evidence_of
from seed_pipelines.generate.oracle import Oracle
from seed_pipelines.lending.check import calculate


def loaded(session, plan, *, key="first", entities=None):
    run = flow.begin(session, plan, request_for(session, key))
    for shard in plan.shard_keys:
        for entity in entities or plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)
    return run


def set_budget(seeded, **columns):
    with seeded.superuser() as connection:
        for column, value in columns.items():
            connection.execute(f"UPDATE seed_control.budget SET {column} = %s", [value])


def test_a_whole_seed_run_spends_what_its_batches_cost_and_never_more_than_the_plan(seeded, open_session):
    plan = make_plan(customers=40, mode="carga", shards=3, batch_rows=50)
    run = loaded(open_session(), plan)
    spent = seeded.value("SELECT spent_micro_brl FROM seed_control.budget")
    assert spent == sum(cost_of(plan, batch) for batch in all_batches(plan))
    assert 0 < spent <= plan.cost_micro_brl
    with seeded.connection() as connection:
        assert budget.spending_of(connection, run).faults == 0


def test_a_batch_that_is_begun_again_is_paid_for_once(seeded, open_session):
    session, plan = open_session(), make_plan(customers=20)
    run = flow.begin(session, plan, request_for(session))
    batch = next(plan.batches("0000", "customers"))
    for _ in range(3):
        budget.reserve(session.connection, run, plan, batch)
    assert seeded.value("SELECT spent_micro_brl FROM seed_control.budget") == cost_of(plan, batch)


def test_an_exhausted_budget_ends_the_seed_run_and_leaves_the_published_dataset(seeded, open_session):
    session, plan = open_session(), make_plan(customers=20)
    first = loaded(session, plan)
    flow.publish(session, plan, first, shard="0000")
    before = seeded.value("SELECT dataset_hash FROM seed_control.dataset")
    run = flow.begin(session, plan, request_for(session, "again"))
    flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.budget SET cap_micro_brl = spent_micro_brl")
    with pytest.raises(BudgetExhausted, match=r"the budget has R\$ 0\.000000 left") as caught:
        flow.load_entity(session, plan, run, shard="0000", entity="customers")
    flow.leave(session.connection, run.id, worker=session.worker, error=caught.value)
    ended = runs.find(session.connection, run.id)
    assert (ended.state, ended.error_code) == (RunState.ABORTED, "budget-exhausted")
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0
    assert seeded.value("SELECT dataset_hash FROM seed_control.dataset") == before
    assert seeded.value("SELECT count(*) FROM app.customers") == 20


def test_at_four_fifths_there_is_one_alert_and_the_report_says_so(seeded, open_session):
    session, plan = open_session(), make_plan(customers=40, batch_rows=20)
    run = flow.begin(session, plan, request_for(session))
    batches = [batch for batch in all_batches(plan) if cost_of(plan, batch) > 0]
    total = sum(cost_of(plan, batch) for batch in batches)
    set_budget(seeded, cap_micro_brl=total * 100 // 90)
    alerts = [budget.reserve(session.connection, run, plan, batch) for batch in batches]
    assert alerts.count(True) == 1
    upto = sum(cost_of(plan, batch) for batch in batches[: alerts.index(True) + 1])
    assert upto * 100 >= total * 100 // 90 * 80
    for entity in plan.rows:
        load = flow.load_entity(session, plan, run, shard="0000", entity=entity)
    assert load.spending.is_alerted
    flow.publish(session, plan, run, shard="0000")
    evidence = evidence_of(session.connection, run.id)
    assert evidence.flags["budget_alert"] is True
    assert evidence.budget_usage.spent_micro_brl == load.spending.spent_micro_brl


def test_the_alert_is_one_log_line_and_a_metric(seeded, tmp_path):
    plan = make_plan(customers=40, batch_rows=20)
    structlog.configure()
    with structlog.testing.capture_logs() as lines, open_one_session(seeded.loader_url, tmp_path) as session:
        run = flow.begin(session, plan, request_for(session))
        set_budget(seeded, cap_micro_brl=sum(cost_of(plan, batch) for batch in all_batches(plan)) * 100 // 90)
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard="0000", entity=entity)
    structlog.reset_defaults()
    assert [line["budget_pct"] >= 80 for line in lines if line["event"] == "budget almost spent"] == [True]
    (told,) = (tmp_path / "telemetry").iterdir()
    assert "seed_budget_spent_percent" in told.read_text()


def test_the_loader_can_neither_raise_a_cap_nor_spend_over_it(seeded, open_session):
    session = open_session()
    loaded(session, make_plan(customers=20), entities=["tenants"])
    for change in ("cap_micro_brl = cap_micro_brl + 1", "spent_micro_brl = cap_micro_brl + 1"):
        with pytest.raises(Exception, match=r"permission denied|check constraint"):
            session.connection.execute(f"UPDATE seed_control.budget SET {change}")


@pytest.mark.parametrize(("percent", "allowed"), [(0, 0), (1, 1), (50, 7), (100, 13)])
def test_the_error_budget_is_a_share_of_the_planned_batches_rounded_up(percent, allowed):
    plan = make_plan(customers=20)
    assert plan.total_batches == 13
    changed = plan.manifest.budget.model_copy(update={"error_budget_pct": percent})
    manifest = plan.manifest.model_copy(update={"budget": changed})
    assert budget.allowed_faults(_with(plan, manifest=manifest)) == allowed


def _with(plan, **changes):
    return replace(plan, **changes)


def slow_plan(*, p99_ms, **wishes):
    plan = make_plan(**wishes)
    slo = plan.manifest.slo.model_copy(update={"p99_target_ms": p99_ms})
    return _with(plan, manifest=plan.manifest.model_copy(update={"slo": slo}))


def test_slow_batches_use_the_error_budget_up_and_end_the_seed_run(seeded, open_session):
    session, plan = open_session(), slow_plan(p99_ms=0, customers=20)
    with pytest.raises(ErrorBudgetExhausted, match=r"2 of 13 batches .* allows 1") as caught:
        loaded(session, plan)
    run_id = seeded.value("SELECT id FROM seed_control.seed_run")
    flow.leave(session.connection, run_id, worker=session.worker, error=caught.value)
    assert seeded.value("SELECT state FROM seed_control.seed_run") == "aborted"
    assert seeded.value("SELECT array_agg(kind) FROM seed_control.batch_fault") == ["slow", "slow"]


@pytest.mark.parametrize(("error", "faults"), [(DatabaseUnavailable("57P01"), 1), (LeaseLost(), 0)])
def test_a_failed_batch_counts_and_one_that_was_fenced_off_does_not(seeded, open_session, error, faults):
    session, plan = open_session(), make_plan(customers=20)
    run = flow.begin(session, plan, request_for(session))
    batch = next(plan.batches("0000", "customers"))
    recorded = budget.faults_recorded(session.connection, run, attempt=1)
    with suppress(type(error)), recorded, budget.blamed(batch):
        raise error
    assert seeded.value("SELECT count(*) FROM seed_control.batch_fault WHERE kind = 'failed'") == faults


def test_a_batch_that_fails_while_it_is_made_counts_once_and_those_before_it_are_in(seeded, open_session):
    plan, asked = lean_plan(customers=40, batch_rows=20), []

    def away_after_the_first_batch(questions):
        asked.append(1)
        if len(asked) > 1:
            raise LendingServiceUnavailable("http://calculation.test", why="does not answer")
        return list(calculate(questions))

    session = replace(open_session(), oracle=Oracle(official=away_after_the_first_batch))
    run = flow.begin(session, plan, request_for(session))
    for entity in ("tenants", "customers"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    with pytest.raises(LendingServiceUnavailable):
        flow.load_entity(session, plan, run, shard="0000", entity="loans")
    faults = "SELECT array_agg(concat_ws(' ', entity, shard, number, kind, code)) FROM seed_control.batch_fault"
    assert seeded.value(faults) == ["loans 0000 1 failed lending-service-unavailable"]
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint WHERE entity = 'loans'") == 1


def test_a_service_that_is_away_uses_the_error_budget_up(seeded, open_session):
    def away(_questions):
        raise LendingServiceUnavailable("http://calculation.test", why="does not answer")

    plan = lean_plan(customers=20)
    nothing_may_fail = plan.manifest.budget.model_copy(update={"error_budget_pct": 0})
    plan = _with(plan, manifest=plan.manifest.model_copy(update={"budget": nothing_may_fail}))
    session = replace(open_session(), oracle=Oracle(official=away))
    run = flow.begin(session, plan, request_for(session))
    for entity in ("tenants", "customers"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    with pytest.raises(LendingServiceUnavailable):
        flow.load_entity(session, plan, run, shard="0000", entity="loans")
    with pytest.raises(ErrorBudgetExhausted, match="1 of "):
        flow.load_entity(replace(session, oracle=Oracle()), plan, run, shard="0000", entity="loans")

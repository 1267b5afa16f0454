"""A plan told to programs and to people."""

import json
from datetime import UTC, datetime

import pytest
from factories import make_plan

from seed_pipelines.plan_summary import estimated_seconds, explanation_of, summary_of

OPEN, CLOSED = datetime(2026, 11, 2, 23, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_summary_has_every_row_and_batch_of_the_plan_and_is_json():
    plan = make_plan(customers=60, mode="carga", batch_rows=50)
    summary = json.loads(json.dumps(summary_of(plan, now=OPEN)))
    assert sum(entity["rows"] for entity in summary["entities"]) == summary["total_rows"] == plan.total_rows
    assert sum(entity["batches"] for entity in summary["entities"]) == summary["batches"] == plan.total_batches
    assert sum(shard["rows"] for shard in summary["shards"]) == plan.total_rows


@pytest.mark.parametrize(("now", "opens"), [(OPEN, None), (CLOSED, "2026-11-02T22:00:00+00:00")])
def test_a_summary_says_when_the_window_opens(now, opens):
    window = summary_of(make_plan(), now=now)["window"]
    assert (window["is_open"], window["opens"]) == (opens is None, opens)


def test_the_rate_limit_bounds_the_estimate():
    free, limited = make_plan(customers=60), make_plan(customers=60, batch_rows=1)
    rate = limited.manifest.rate_limit
    assert estimated_seconds(free) == 1
    assert estimated_seconds(limited) >= (limited.total_batches - rate.burst) * rate.window_seconds / rate.limit


def test_an_explanation_names_every_entity_state_and_the_budget():
    plan = make_plan(customers=400, mode="carga")
    told = "\n".join(explanation_of(plan, now=CLOSED))
    for entity, rows in plan.rows.items():
        assert f"{entity}: {rows:,} rows" in told
    assert f"{plan.state_rows['loans']['delinquent']:,} of them delinquent" in told
    assert "until then a run is refused" in told
    assert f"R$ {plan.manifest.budget.cost_cap_micro_brl / 10**6:.2f}" in told

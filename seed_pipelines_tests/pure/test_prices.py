"""Prices: whole millionths of a real, the same however the rows are cut."""

from itertools import pairwise

import pytest
from factories import make_plan
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.errors import SettingNotUsable
from seed_pipelines.prices import PriceBook
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

PRICES = st.integers(0, 10**9)


@given(
    prices=st.builds(
        PriceBook, million_rows_micro_brl=PRICES, gib_month_micro_brl=PRICES, worker_hour_micro_brl=PRICES
    ),
    cuts=st.lists(st.integers(0, 10**7), max_size=8),
    rows=st.integers(0, 10**7),
)
def test_batches_cost_together_what_their_rows_cost_in_one(prices, cuts, rows):
    edges = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    parts = [prices.batch_micro_brl("loans", first_row=first, rows=stop - first) for first, stop in pairwise(edges)]
    assert sum(parts) == prices.batch_micro_brl("loans", first_row=0, rows=rows)
    assert all(part >= 0 for part in parts)


def test_batches_never_cost_more_than_the_plan():
    plan = make_plan(customers=300, mode="carga", shards=4, batch_rows=7)
    batches = [batch for shard in plan.shard_keys for entity in plan.rows for batch in plan.batches(shard, entity)]
    spent = sum(plan.prices.batch_micro_brl(b.entity, first_row=b.first_row, rows=b.rows) for b in batches)
    assert plan.cost_micro_brl - 3 - len(plan.rows) * 3 <= spent <= plan.cost_micro_brl


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("SEED_PRICE_MILLION_ROWS_BRL", "million_rows_micro_brl"),
        ("SEED_PRICE_GIB_MONTH_BRL", "gib_month_micro_brl"),
        ("SEED_PRICE_WORKER_HOUR_BRL", "worker_hour_micro_brl"),
    ],
)
def test_a_price_comes_from_the_environment_exactly(name, field, tmp_path):
    settings = from_environment({name: "0.29", "SEED_MANIFESTS_DIR": str(tmp_path)})
    plan = Installation.of(settings).plan(make_plan(customers=10).manifest)
    assert getattr(plan.prices, field) == 290_000


@pytest.mark.parametrize("text", ["-1", "1e3", "0,25", "1.0000001", "free", "\u0661"])
def test_a_price_that_is_none_is_refused_by_name(text):
    with pytest.raises(SettingNotUsable, match="SEED_PRICE_GIB_MONTH_BRL"):
        from_environment({"SEED_PRICE_GIB_MONTH_BRL": text})

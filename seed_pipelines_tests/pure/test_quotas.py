"""Rows of each state: exact by largest remainder, the happy path counted in."""

from collections import Counter
from decimal import Decimal

import pytest
from factories import make_plan
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.generate.rows import generate
from seed_pipelines.profile.expected import state_shares
from seed_pipelines.quotas import quotas_of

PERCENTS = st.decimals(min_value=0, max_value=33, places=2)


@pytest.mark.parametrize(
    ("rows", "percents", "counts"),
    [
        (199, {"blocked": 1}, {"blocked": 2}),
        (10, {"blocked": 19}, {"blocked": 2}),
        (10, {"a": 19, "b": 19}, {"a": 2, "b": 2}),
        (10, {"a": 14, "b": 14}, {"a": 2, "b": 1}),
        (149, {"blocked": 1}, {"blocked": 1}),
        (3, {"a": 40, "b": 40}, {"a": 1, "b": 1}),
        (7, {"a": 50, "b": 50}, {"a": 4, "b": 3}),
        (1, {"blocked": 50}, {"blocked": 0}),
        (5, {"blocked": 100}, {"blocked": 5}),
        (5, {}, {}),
    ],
)
def test_each_state_has_the_rows_that_are_nearest_to_its_percentage(rows, percents, counts):
    assert quotas_of({state: Decimal(percent) for state, percent in percents.items()}, rows) == counts


@given(rows=st.integers(0, 10**7), percents=st.dictionaries(st.sampled_from("abc"), PERCENTS))
def test_no_other_whole_rows_are_nearer(rows, percents):
    """Taking a row from any state and giving it to another would lead further away from the percentages."""
    counts = quotas_of(percents, rows)
    rest = 100 - sum(percents.values())
    counts = {**counts, "happy": rows - sum(counts.values())}
    above = [counts[state] - rows * percent / 100 for state, percent in {**percents, "happy": rest}.items()]
    assert max(above) - min(above) <= 1
    assert all(-1 < each < 1 for each in above)


def test_the_rows_of_a_plan_have_them():
    plan = make_plan(customers=199, mode="carga", states={"customers": {"blocked": Decimal(1)}})
    assert plan.state_rows["customers"] == {"blocked": 2}


@pytest.mark.parametrize("rows", [199, 10, 9])
def test_generated_rows_have_the_states_of_the_plan(rows):
    plan = make_plan(customers=rows, mode="carga", states={"customers": {"blocked": Decimal(19)}})
    status = Counter(generate(plan, "customers", first_row=0, rows=rows)["status"].to_pylist())
    assert status["blocked"] == round(rows * 0.19)


@pytest.mark.parametrize(
    ("rows", "planned", "shares"),
    [
        (199, {"blocked": 2}, {"blocked": 2 / 199}),
        (199, {"blocked": 1}, {"blocked": 0.01}),
        (199, {"blocked": 3}, {"blocked": 0.01}),
    ],
)
def test_a_profile_takes_the_rows_of_a_plan_only_where_none_are_nearer(rows, planned, shares):
    assert state_shares(planned, {"blocked": Decimal(1)}, rows) == pytest.approx(shares)

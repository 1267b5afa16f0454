"""Buckets, stages, late charges and early settlement."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending_cases import batch, batches, contract

from seed_pipelines.lending.arrears import (
    BUCKETS,
    Stage,
    bucket_of,
    late_charges,
    official_late_charges,
    official_settlement,
    settlement_cents,
    stage_of,
)
from seed_pipelines.lending.conventions import FirstDue, System
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import cents
from seed_pipelines.lending.official import official_schedule


@pytest.mark.parametrize(
    ("days", "bucket", "stage"),
    [
        (-5, "0", Stage.PERFORMING),
        (0, "0", Stage.PERFORMING),
        (1, "1-14", Stage.PERFORMING),
        (14, "1-14", Stage.PERFORMING),
        (15, "15-30", Stage.PERFORMING),
        (30, "15-30", Stage.PERFORMING),
        (31, "31-60", Stage.SIGNIFICANT_INCREASE),
        (60, "31-60", Stage.SIGNIFICANT_INCREASE),
        (61, "61-90", Stage.SIGNIFICANT_INCREASE),
        (90, "61-90", Stage.SIGNIFICANT_INCREASE),
        (91, "91-180", Stage.PROBLEM),
        (180, "91-180", Stage.PROBLEM),
        (181, "181-360", Stage.PROBLEM),
        (360, "181-360", Stage.PROBLEM),
        (361, ">360", Stage.PROBLEM),
    ],
)
def test_days_late_decide_bucket_and_stage(days, bucket, stage):
    assert BUCKETS[bucket_of(np.array([days]))[0]] == bucket
    assert Stage(stage_of(np.array([days]))[0]) is stage


@pytest.mark.parametrize(
    ("days", "fine", "interest", "total"),
    [
        (0, "0.00", "0.00", "945.60"),
        (1, "18.91", "0.32", "964.83"),
        (17, "18.91", "5.36", "969.87"),
        (31, "18.91", "9.77", "974.28"),
    ],
)
def test_a_late_payment_costs_the_published_amount(days, fine, interest, total):
    official = official_late_charges(Decimal("945.60"), days_late=days)
    assert (official.fine, official.interest, official.total) == (
        Decimal(fine),
        Decimal(interest),
        Decimal(total),
    )


def test_the_contracts_own_interest_runs_on_when_it_is_charged():
    official = official_late_charges(Decimal("945.60"), days_late=17, monthly_rate=Decimal("0.02"))
    assert official.remuneratory == Decimal("10.67")
    assert official.total == Decimal("969.87") + Decimal("10.67")


@given(
    rows=st.lists(st.tuples(st.integers(0, 10**11), st.integers(-30, 3_000)), min_size=1, max_size=20),
)
def test_late_charges_of_many_are_those_of_each(rows):
    payments, days = (np.array(column) for column in zip(*rows, strict=True))
    made = late_charges(payments, days)
    official = [official_late_charges(Decimal(payment).scaleb(-2), days_late=late) for payment, late in rows]
    for name in ("fine", "interest", "total"):
        assert getattr(made, name).tolist() == [cents(getattr(row, name)) for row in official]


@pytest.mark.parametrize("system", System)
def test_settling_on_a_due_date_costs_the_balance(system):
    terms = contract(system=system)
    rows = official_schedule(terms)
    for row in rows:
        settled = official_settlement(terms, rows, settled_on=row.due_on)
        # Each instalment left carries up to half a cent of rounding.
        assert abs(settled - row.balance) <= Decimal("0.01") * (len(rows) - row.number)


@pytest.mark.parametrize("convention", FirstDue)
@pytest.mark.parametrize("first_due_on", [date(2026, 2, 15), date(2026, 3, 1), date(2026, 1, 25)])
def test_settling_on_the_day_of_release_costs_the_principal(convention, first_due_on):
    terms = contract(first_due_on=first_due_on, first_due=convention)
    settled = official_settlement(terms, official_schedule(terms), settled_on=terms.released_on)
    assert abs(settled - terms.principal) <= Decimal("0.05")


def test_settling_between_due_dates_earns_the_days_gone_by():
    terms = contract()
    rows = official_schedule(terms)
    days = [official_settlement(terms, rows, settled_on=date(2026, 2, 15) + timedelta(n)) for n in range(28)]
    assert days == sorted(days)
    # 10 payments of 945.60 and one of 945.55, discounted by 2 % a month each.
    assert days[0] == Decimal("9254.40")
    assert abs(days[14] - days[0] * Decimal("1.02") ** Decimal("0.5")) <= Decimal("0.01")


def test_nothing_is_left_to_settle_after_the_last_due_date():
    terms = contract()
    assert official_settlement(terms, official_schedule(terms), settled_on=date(2027, 1, 15)) == 0
    assert settlement_cents(batch(terms), schedules(batch(terms)), np.array(["2027-01-15"], "M8[D]")) == [0]


@given(terms=batches(), days=st.integers(0, 2_000))
@settings(max_examples=50, deadline=None)
def test_settlements_of_many_are_those_of_each(terms, days):
    settled_on = terms.released_on + np.timedelta64(days, "D")
    made = settlement_cents(terms, schedules(terms), settled_on)
    contracts = [terms.contract(loan) for loan in range(len(terms))]
    official = [
        official_settlement(loan, official_schedule(loan), settled_on=loan.released_on + timedelta(days=days))
        for loan in contracts
    ]
    assert made.tolist() == [cents(amount) for amount in official]

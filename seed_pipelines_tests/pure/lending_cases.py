"""Loans for the lending tests: one contract, a batch of engine columns, and the published schedules."""

import json
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from seed_pipelines.errors import LoanImpossible
from seed_pipelines.lending.conventions import FirstDue, System
from seed_pipelines.lending.loan_terms import LoanTerms, cents
from seed_pipelines.lending.official import Installment, Terms, months_after

PUBLISHED = json.loads((Path(__file__).parents[1] / "fixtures" / "lending_examples.json").read_text())


def contract(principal="10000.00", rate="0.02", count=12, **changes):
    released_on = changes.get("released_on", date(2026, 1, 15))
    defaults = {
        "system": System.PRICE,
        "released_on": released_on,
        "first_due_on": months_after(released_on, 1),
    }
    return Terms(principal=Decimal(principal), monthly_rate=Decimal(rate), count=count, **(defaults | changes))


def batch(*contracts):
    """The same contracts as the engine takes them; they share the first one's convention."""
    return LoanTerms(
        principal_cents=np.array([cents(terms.principal) for terms in contracts]),
        monthly_rate_ppm=np.array([int(terms.monthly_rate * 1_000_000) for terms in contracts]),
        count=np.array([terms.count for terms in contracts]),
        system=np.array([terms.system for terms in contracts]),
        released_on=np.array([terms.released_on for terms in contracts], dtype="datetime64[D]"),
        first_due_on=np.array([terms.first_due_on for terms in contracts], dtype="datetime64[D]"),
        first_due=contracts[0].first_due,
    )


def published_rows(rows):
    return tuple(
        Installment(
            number=row["n"],
            due_on=date.fromisoformat(row["due"]),
            **{name: Decimal(row[name]) for name in ("payment", "interest", "amortization", "balance")},
        )
        for row in rows
    )


PUBLISHED_CONTRACTS = {
    "price-12": (contract(), PUBLISHED["price_10000_2pct_12"]),
    "price-24": (contract(count=24), PUBLISHED["price_10000_2pct_24"]),
    "sac-12": (contract(system=System.SAC), PUBLISHED["sac_10000_2pct_12"]),
    "month-end": (
        contract("5000.00", "0.0599", 6, released_on=date(2026, 1, 31)),
        PUBLISHED["price_5000_5.99pct_6_monthend"]["schedule"],
    ),
    "financed": (contract("10209.67"), PUBLISHED["financed_net10000_tac0_12x"]["schedule"]),
    "financed-with-fee": (contract("10362.82"), PUBLISHED["financed_net10000_tac150_12x"]["schedule"]),
}


@st.composite
def contracts(draw, *, convention):
    """Any contract that the engine takes, most of them with one month to the first due date."""
    released_on = draw(st.dates(date(2015, 2, 1), date(2035, 12, 31)))
    irregular = st.integers(1, 120).map(lambda days: released_on + timedelta(days=days))
    return Terms(
        principal=Decimal(draw(st.integers(1, 10_000_000_000) | st.integers(1, 5_000))).scaleb(-2),
        monthly_rate=Decimal(draw(st.integers(0, 200_000) | st.integers(0, 30))).scaleb(-6),
        count=draw(st.integers(1, 60) | st.integers(1, 420)),
        system=draw(st.sampled_from(System)),
        released_on=released_on,
        first_due_on=draw(st.just(months_after(released_on, 1)) | irregular),
        first_due=convention,
    )


@st.composite
def batches(draw):
    convention = draw(st.sampled_from(FirstDue))
    drawn = draw(st.lists(contracts(convention=convention), min_size=1, max_size=12))
    try:
        return batch(*drawn)
    except LoanImpossible:
        assume(False)


def same(left, right):
    """Whether two values of one dataclass of columns are equal element by element."""
    return all(np.array_equal(getattr(left, field.name), getattr(right, field.name)) for field in fields(left))

"""A kept block changes nothing but the time it takes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from decimal import Decimal
from inspect import unwrap

import numpy as np
import pytest
from factories import make_plan

from seed_pipelines.generate.blocks import BLOCKS_KEPT, LOANS_PER_BLOCK
from seed_pipelines.generate.loan_book import fates_of, loan_book
from seed_pipelines.generate.loan_totals import loan_totals
from seed_pipelines.plan import CUSTOMERS_PER_LARGE_SHARD, RowRange

PLAN = make_plan(customers=10_000, mode="carga", states={"loans": {"delinquent": Decimal(8)}})
LOANS = PLAN.rows["loans"]
KEPT = (loan_book, fates_of, loan_totals)


def columns_of(value):
    """Every column by its name, those of columns in columns too."""
    if is_dataclass(value):
        return {
            (each.name, *inner): column
            for each in fields(value)
            for inner, column in columns_of(getattr(value, each.name)).items()
        }
    return {(): value} if isinstance(value, np.ndarray) else {}


def assert_same(one, other):
    one, other = columns_of(one), columns_of(other)
    assert one.keys() == other.keys()
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=str(name))


@pytest.mark.parametrize("make", KEPT)
@pytest.mark.parametrize(
    ("first", "rows"),
    [(0, 1), (777, 50), (LOANS_PER_BLOCK - 1, 1), (LOANS_PER_BLOCK - 5, 9), (LOANS_PER_BLOCK, 100), (LOANS - 1, 1)],
)
def test_loans_worked_out_on_their_own_are_those_of_the_kept_blocks(make, first, rows):
    loans = RowRange(first=first, rows=rows)
    assert_same(make(PLAN, loans), unwrap(make)(PLAN, loans))


@pytest.mark.parametrize("make", KEPT)
def test_all_loans_are_those_of_every_block_one_after_the_other(make):
    whole = columns_of(make(PLAN, RowRange(first=0, rows=LOANS)))
    halves = [columns_of(make(PLAN, RowRange(first=first, rows=LOANS // 2))) for first in (0, LOANS // 2)]
    for name, column in whole.items():
        np.testing.assert_array_equal(column, np.concatenate([half[name] for half in halves]))


@pytest.mark.parametrize(
    "wish",
    [
        {"version": "1.0.1"},
        {"salt_version": "2026b"},
        {"tenant": "globex"},
        {"environment": "stg"},
        {"reference_datetime": "2026-11-03T00:00:00Z"},
        {"states": {"loans": {"delinquent": Decimal(9)}}},
        {"loans": 301},
        {"customers": 151},
        {"installments": 3_000},
        {"mode": "dr"},
    ],
)
def test_loans_of_another_manifest_are_never_taken_for_these(wish):
    these = {"customers": 150, "loans": 300, "installments": 3_600, "mode": "carga", "states": {}}
    plan, other = make_plan(**these), make_plan(**(these | wish))
    loans = RowRange(first=0, rows=300)
    for make in (fates_of, loan_book, loan_totals):
        make(plan, loans)
        assert_same(make(other, loans), unwrap(make)(other, loans))


def test_a_plan_made_anew_has_the_blocks_of_the_first():
    plan, again = (make_plan(customers=20, mode="carga") for _ in range(2))
    loans = RowRange(first=0, rows=10)
    assert loan_book(plan, loans).customer.base is loan_book(again, loans).customer.base


@pytest.mark.parametrize("make", KEPT)
def test_nobody_can_write_to_a_kept_column(make):
    for column in columns_of(make(PLAN, RowRange(first=0, rows=10))).values():
        with pytest.raises(ValueError, match="read-only"):
            column[0] = column[1]


def test_threads_that_ask_at_the_same_time_are_given_the_same():
    plan = make_plan(customers=400, mode="carga")
    ranges = [RowRange(first=first, rows=100) for first in range(0, 700, 50)]
    with ThreadPoolExecutor(max_workers=4) as threads:
        made = list(threads.map(lambda loans: loan_totals(plan, loans), ranges))
    for loans, totals in zip(ranges, made, strict=True):
        assert_same(totals, unwrap(loan_totals)(plan, loans))


def test_a_large_shard_is_kept_whole_in_few_megabytes():
    assert BLOCKS_KEPT * LOANS_PER_BLOCK > 2.1 * CUSTOMERS_PER_LARGE_SHARD + 2 * LOANS_PER_BLOCK
    kept = [column for make in KEPT for column in columns_of(make(PLAN, RowRange(first=0, rows=1_000))).values()]
    assert BLOCKS_KEPT * LOANS_PER_BLOCK * sum(column.nbytes for column in kept) / 1_000 < 64e6

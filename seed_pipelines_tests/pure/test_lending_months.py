"""Months over columns, against the official date of each alone."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.lending.months import day_in_month, month_and_day, months_later
from seed_pipelines.lending.official import months_after

DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31))


def column(days):
    return np.array(days, dtype="datetime64[D]")


@given(st.lists(st.tuples(DAYS, st.integers(-500, 500)), max_size=30))
def test_the_same_day_months_later_is_the_official_one(pairs):
    days, months = [day for day, _ in pairs], [number for _, number in pairs]
    moved = months_later(column(days), np.array(months, dtype=np.int64))
    assert moved.tolist() == [months_after(day, number) for day, number in pairs]


def test_every_day_of_some_years_is_looked_up_as_it_is_worked_out():
    days = np.arange("1967-12-30", "1973-03-02", dtype="datetime64[D]")
    month, day = month_and_day(np.concatenate((days, days)))
    alone = [(each.year * 12 + each.month - 1 - 1970 * 12, each.day) for each in days.tolist()]
    assert list(zip(month.tolist(), day.tolist(), strict=True)) == alone * 2


def test_a_day_that_the_month_lacks_is_its_last_one():
    # February, April and December of 2024.
    month = np.array([649, 651, 659])
    assert day_in_month(month, np.array([31, 31, 31])).tolist() == [
        date(2024, 2, 29),
        date(2024, 4, 30),
        date(2024, 12, 31),
    ]


def test_no_dates_have_no_months():
    none = column([])
    assert [len(each) for each in (*month_and_day(none), months_later(none, 1))] == [0, 0, 0]

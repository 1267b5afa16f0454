"""Whole months over columns of dates; a day that the month lacks becomes its last one.

A column has far fewer days than rows, so a day's month is worked out once and looked up for every row that has it.
"""

import numpy as np

from seed_pipelines.lending.rounding import Dates, Int64s


def month_and_day(dates: Dates) -> tuple[Int64s, Int64s]:
    """The months since January 1970, and the day of the month, from 1."""
    days = dates.astype("datetime64[D]").view(np.int64)
    if not len(days):
        return days, days
    first, last = int(days.min()), int(days.max())
    # Few dates, far from each other.
    if last - first >= len(days):
        return _month_and_day(days)
    month, day = _month_and_day(np.arange(first, last + 1, dtype=np.int64))
    return month[days - first], day[days - first]


def day_in_month(month: Int64s, day: Int64s) -> Dates:
    """The day, from 1, of each month, counted since January 1970."""
    if not len(month):
        return np.empty(0, dtype="datetime64[D]")
    first, last = int(month.min()), int(month.max())
    starts = _starts(np.arange(first, last + 2, dtype=np.int64))
    place = month - first
    days: Int64s = np.minimum(starts[place] + (day - 1), starts[place + 1] - 1)
    return days.view("datetime64[D]")


def months_later(dates: Dates, months: Int64s | int) -> Dates:
    """The same day `months` later, or earlier where negative."""
    month, day = month_and_day(dates)
    return day_in_month(month + months, day)


def _month_and_day(days: Int64s) -> tuple[Int64s, Int64s]:
    month = days.view("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return month, days - _starts(month) + 1


def _starts(month: Int64s) -> Int64s:
    """Days since 1970 of the first day of each month."""
    return month.view("datetime64[M]").astype("datetime64[D]").astype(np.int64)

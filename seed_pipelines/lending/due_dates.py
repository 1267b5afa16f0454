"""Due dates of many loans: the anchor day in every month, or the month's last day where it is shorter.

Each date is counted from the anchor, never from the date before it: 31 January, 28 February, 31 March.
"""

import numpy as np

from seed_pipelines.lending.loan_terms import LoanTerms, days_of_month
from seed_pipelines.lending.rounding import Dates, Int64s


def numbers_of(offsets: Int64s) -> Int64s:
    """1, 2, … for each loan in turn."""
    counts = np.diff(offsets)
    return np.arange(1, offsets[-1] + 1, dtype=np.int64) - np.repeat(offsets[:-1], counts)


def due_dates(terms: LoanTerms, numbers: Int64s) -> Dates:
    """One date an instalment, in loan order; `numbers` are those of `numbers_of`."""
    if not len(terms):
        return np.empty(0, dtype="datetime64[D]")
    anchors = np.where(terms.is_regular, terms.released_on, terms.first_due_on)
    months_before = terms.first_due_on.astype("datetime64[M]").astype(np.int64) - 1
    first_month = int(months_before.min())
    starts = _month_starts(first_month, months=int((months_before + terms.count).max()) - first_month + 2)
    month = np.repeat(months_before - first_month, terms.count) + numbers
    day = np.repeat(days_of_month(anchors) - 1, terms.count)
    days: Int64s = np.minimum(starts[month] + day, starts[month + 1] - 1)
    return days.view("datetime64[D]")


def _month_starts(first_month: int, *, months: int) -> Int64s:
    """Days since 1970 of the first day of each month."""
    listed = np.arange(first_month, first_month + months, dtype=np.int64).view("datetime64[M]")
    return listed.astype("datetime64[D]").astype(np.int64)

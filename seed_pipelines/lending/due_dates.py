"""Due dates of many loans: the anchor day in every month, or the month's last day where it is shorter.

Each date is counted from the anchor, never from the date before it: 31 January, 28 February, 31 March.
"""

import numpy as np

from seed_pipelines.lending.loan_terms import LoanTerms
from seed_pipelines.lending.months import day_in_month, month_and_day
from seed_pipelines.lending.rounding import Dates, Int64s


def numbers_of(offsets: Int64s) -> Int64s:
    """1, 2, … for each loan in turn."""
    counts = np.diff(offsets)
    return np.arange(1, offsets[-1] + 1, dtype=np.int64) - np.repeat(offsets[:-1], counts)


def due_dates(terms: LoanTerms, numbers: Int64s) -> Dates:
    """One date an instalment, in loan order; `numbers` are those of `numbers_of`."""
    _, day = month_and_day(np.where(terms.is_regular, terms.released_on, terms.first_due_on))
    first_month, _ = month_and_day(terms.first_due_on)
    return day_in_month(np.repeat(first_month - 1, terms.count) + numbers, np.repeat(day, terms.count))

"""Whole months over columns of dates; a day that the month lacks becomes its last one."""

import numpy as np

from seed_pipelines.lending.loan_terms import days_of_month
from seed_pipelines.lending.rounding import Dates, Int64s


def months_later(dates: Dates, months: Int64s | int) -> Dates:
    """The same day `months` later, or earlier where negative."""
    starts = dates.astype("datetime64[M]") + np.asarray(months).astype("timedelta64[M]")
    last_days = (starts + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    same_days = starts.astype("datetime64[D]") + (days_of_month(dates) - 1).astype("timedelta64[D]")
    moved: Dates = np.minimum(same_days, last_days)
    return moved

"""The lending columns are the same bytes on every processor.

The digest changes only in a commit that says why.
"""

import os
import subprocess
import sys

import pytest
from numpy._core import _multiarray_umath as umath

GOLDEN = "f416fc497f908b1229632f3de4b49cf994ff6a4f9bdeb6e8790f32e74f9325f5"

PROGRAM = """
import hashlib
import numpy as np
from seed_pipelines.lending.arrears import settlement_cents
from seed_pipelines.lending.cet import cet_of
from seed_pipelines.lending.charges import gross_up, iof_cents
from seed_pipelines.lending.conventions import FirstDue
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import LoanTerms

def column(factor, least, most):
    return least + np.arange(6000, dtype=np.int64) * factor % (most - least)

released_on = np.datetime64("2016-01-01") + column(7919, 0, 3600).astype("timedelta64[D]")
months = released_on.astype("datetime64[M]") + 1
day = released_on - released_on.astype("datetime64[M]").astype("datetime64[D]")
month_end = (months + 1).astype("datetime64[D]") - 1
one_month = np.minimum(months.astype("datetime64[D]") + day, month_end)
days_later = released_on + column(101, 10, 90).astype("timedelta64[D]")

digest = hashlib.sha256()
for convention in FirstDue:
    terms = LoanTerms(
        principal_cents=column(15485863, 50_000, 90_000_000),
        monthly_rate_ppm=column(1299709, 0, 80_000),
        count=column(104729, 1, 61),
        system=column(3, 0, 2),
        released_on=released_on,
        first_due_on=np.where(column(13, 0, 4) == 0, days_later, one_month),
        first_due=convention,
    )
    borrower = column(17, 0, 3)
    made = schedules(terms)
    iof = iof_cents(terms, made, borrower)
    columns = (
        made.due_on.astype(np.int64), made.payment_cents, made.interest_cents,
        made.amortization_cents, made.balance_cents, iof, gross_up(terms, borrower),
        cet_of(terms, made, terms.principal_cents - iof).annual_bp,
        settlement_cents(terms.of(np.arange(500)), schedules(terms.of(np.arange(500))), terms.released_on[:500] + 100),
    )
    for values in columns:
        digest.update(np.ascontiguousarray(values, dtype="<i8").tobytes())
print(digest.hexdigest())
"""


def digest_without(features):
    environment = {name: value for name, value in os.environ.items() if name != "NPY_DISABLE_CPU_FEATURES"}
    if features:
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def optional_features():
    """What this processor has beyond the baseline that numpy was built for."""
    return [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


@pytest.mark.parametrize("features", [[], optional_features()], ids=["all-features", "baseline-only"])
def test_the_lending_columns_are_the_golden_ones_with_and_without_vector_instructions(features):
    assert digest_without(features) == GOLDEN

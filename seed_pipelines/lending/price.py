"""The equal payment of a Price schedule: exact, half to even.

A float comes first; where it lies so near to half a cent that its error could decide, integers of any size do.
"""

import numpy as np

from seed_pipelines.lending.ladder import Ladder, ladders
from seed_pipelines.lending.rounding import MILLION, Floats, Int64s, half_even_ratio, is_doubtful


def price_payments(principal_cents: Int64s, *, monthly_rate_ppm: Int64s, count: Int64s) -> Int64s:
    """The equal payment of each Price schedule with periods of one month; exact, half to even."""
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(count)))
    payments = np.empty(len(principal_cents), dtype=np.int64)
    for ladder in ladders(offsets, np.arange(len(principal_cents), dtype=np.int64)):
        loans = ladder.loans
        payments[loans] = payments_of(ladder, principal_cents[loans], monthly_rate_ppm[loans])
    return payments


def payments_of(ladder: Ladder, principal: Int64s, rate: Int64s) -> Int64s:
    """The same for one ladder, its columns in ladder order."""
    discount = 1.0 / (1.0 + rate / MILLION)
    annuity = np.zeros(len(principal), dtype=np.float64)
    for number in range(1, ladder.height + 1):
        active = ladder.active(number)
        annuity[:active] = (annuity[:active] + 1.0) * discount[:active]
    raw = principal / annuity
    payments = np.rint(raw).astype(np.int64)
    counts = ladder.counts()
    for loan in np.flatnonzero(is_doubtful(raw, margin=margin_of(raw, counts))):
        payments[loan] = _exact_payment(int(principal[loan]), int(rate[loan]), int(counts[loan]))
    return payments


def _exact_payment(principal: int, rate: int, count: int) -> int:
    if rate == 0:
        return half_even_ratio(principal, count)
    compound, unit = (MILLION + rate) ** count, MILLION**count
    return half_even_ratio(principal * rate * compound, MILLION * (compound - unit))


def margin_of(values: Floats | Int64s, counts: Int64s) -> Floats:
    """How near to a half a value computed in so many float steps must not be rounded."""
    # Each step of a recurrence adds at most a few units of 1.1e-16; this is at least ten times their sum.
    return np.asarray(1e-9 + np.abs(values) * (counts + 30) * 1e-14, dtype=np.float64)

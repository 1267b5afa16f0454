"""Powers and roots out of + - * / alone, so that no processor's own exp or pow decides a value.

Results carry a few units of the last place of error for each doubling of the exponent; whoever rounds them uses
`rounding.is_doubtful` with a margin above that.
"""

import numpy as np

from seed_pipelines.lending.ladder import Ladder
from seed_pipelines.lending.rounding import Floats, Int64s

# Between two due dates a month apart there are 28 to 31 days.
_SHORTEST_MONTH = 28
_MONTH_LENGTHS = 4

_ROOT_STEPS = 8


def power(base: Floats, exponent: Int64s | int) -> Floats:
    """base^exponent for whole exponents from 0, one for each element or one for all."""
    exponents = np.asarray(exponent, dtype=np.int64)
    result = np.ones_like(base)
    for bit in range(int(exponents.max(initial=0)).bit_length()):
        if bit:
            base = base * base
        is_set = (exponents >> bit) & 1 == 1
        if exponents.ndim:
            result = np.where(is_set, result * base, result)
        elif is_set:
            result = result * base
    return result


def root(value: Floats, degree: Int64s | int) -> Floats:
    """value^(1 / degree) for values from 1 to 2; Newton from above, where it only comes down."""
    degrees = np.asarray(degree, dtype=np.int64)
    estimate = 1.0 + (value - 1.0) / degrees
    for _ in range(_ROOT_STEPS):
        estimate = estimate - (estimate - value / power(estimate, degrees - 1)) / degrees
    return estimate


class Periods:
    """The days of every period of a ladder, and daily factors raised to them."""

    def __init__(self, ladder: Ladder, *, first_days: Int64s, days: Int64s) -> None:
        self.first_days = first_days
        self.days = days.astype(np.float64)
        loans = len(ladder.loans)
        self._first = ladder.rung(1)
        column = np.concatenate([np.arange(active) for active in ladder.actives])
        lengths = np.clip(days - _SHORTEST_MONTH, 0, _MONTH_LENGTHS - 1)
        self._pick = lengths * loans + column

    def factors(self, daily: Floats) -> Floats:
        """daily^days for each period, in rung order; `daily` has one element a loan."""
        by_length = [power(daily, _SHORTEST_MONTH)]
        for _ in range(_MONTH_LENGTHS - 1):
            by_length.append(by_length[-1] * daily)
        factors: Floats = np.concatenate(by_length)[self._pick]
        factors[self._first] = power(daily, self.first_days)
        return factors


def periods(ladder: Ladder, *, due_days: Int64s, released_days: Int64s) -> Periods:
    """`due_days` in rung order and `released_days` in ladder order, both in days since 1970."""
    days = np.empty_like(due_days)
    before = released_days
    for number in range(1, ladder.height + 1):
        rung = ladder.rung(number)
        days[rung] = due_days[rung] - before[: ladder.active(number)]
        before = due_days[rung]
    return Periods(ladder, first_days=days[ladder.rung(1)], days=days)

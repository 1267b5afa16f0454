"""Whole-number rounding, half to even (ABNT NBR 5891), over numpy columns.

Exact for every int64 whose double fits in 64 bits. Floats are rounded only together with `is_doubtful`, which
marks every value so near to a half that its float error could have decided it; the caller settles those exactly.
"""

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]

MILLION = 1_000_000


def divide_half_even(numerators: Int64s, divisors: Int64s | int) -> Int64s:
    """`numerators / divisors`, rounded half to even; divisors are positive."""
    quotients = numerators // divisors
    doubled = 2 * (numerators - quotients * divisors)
    is_up = (doubled > divisors) | ((doubled == divisors) & (quotients & 1 == 1))
    rounded: Int64s = quotients + is_up
    return rounded


def millionths_half_even(numerators: Int64s) -> Int64s:
    """`numerators / 1,000,000`, rounded half to even: `divide_half_even` with fewer passes over the column."""
    lifted = numerators + MILLION // 2
    quotients = lifted // MILLION
    rounded: Int64s = quotients - ((quotients * MILLION == lifted) & quotients & 1)
    return rounded


def half_even_ratio(numerator: int, denominator: int) -> int:
    """The same for two Python integers of any size; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    doubled = 2 * remainder
    return quotient + (doubled > denominator or (doubled == denominator and quotient % 2 == 1))


def is_doubtful(values: Floats, *, margin: Floats | float) -> Booleans:
    """Which values lie within `margin` of a half, so that rounding them would trust float noise."""
    return np.abs(values - np.floor(values) - 0.5) <= margin

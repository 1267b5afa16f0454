"""CET of many loans by real dates, in hundredths of a percent a year or a month, rounded half to even.

Newton on the daily discount factor, with + - * / only. A loan that does not settle, or whose CET lies within a
ten-millionth of a rounding boundary, is computed by the official calculation, so no float error shows.
"""

from dataclasses import dataclass

import numpy as np

from seed_pipelines.errors import LoanImpossible
from seed_pipelines.lending.engine import periods_of
from seed_pipelines.lending.ladder import Ladder, ladders
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, cents, day, reais
from seed_pipelines.lending.official_charges import (
    MOST_CET_BP,
    assert_cet_holds,
    monthly_of_annual,
    official_cet,
    percent_a_year,
)
from seed_pipelines.lending.powers import Periods, power, root
from seed_pipelines.lending.rounding import MILLION, Booleans, Floats, Int64s, is_doubtful

_STEPS = 40

# Relative size of the last Newton step, after which the factor is as good as a float can be.
_SETTLED = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cet:
    """32.14 % a year is 3214; the monthly rate is the one that twelve times over gives the yearly one."""

    annual_bp: Int64s
    monthly_bp: Int64s


def cet_of(terms: LoanTerms, made: Schedules, net_cents: Int64s) -> Cet:
    """Both rates of the same flows; `net_cents` is what the client receives on the day of release."""
    annual, monthly = _rates(terms, made, net_cents)
    return Cet(annual_bp=annual, monthly_bp=monthly)


def _rates(terms: LoanTerms, made: Schedules, net_cents: Int64s) -> Int64s:
    """One row of yearly rates, and one of monthly ones."""
    if (net_cents < 1).any():
        nothing_released = int(np.flatnonzero(net_cents < 1)[0])
        raise LoanImpossible(nothing_released, field="net_cents", least=1, most="the principal")
    result = np.empty((2, len(terms)), dtype=np.int64)
    for ladder in ladders(made.offsets, np.arange(len(terms), dtype=np.int64)):
        factor, doubtful = _solve(terms, made, ladder, net_cents[ladder.loans])
        with np.errstate(all="ignore"):
            raw = _raw_rates(factor)
            doubtful |= (~(np.abs(raw) < MOST_CET_BP) | is_doubtful(raw, margin=1e-7 + np.abs(raw) * 1e-11)).any(axis=0)
        result[:, ladder.loans] = np.rint(np.where(doubtful, 0.0, raw)).astype(np.int64)
        for loan in ladder.loans[doubtful].tolist():
            result[:, loan] = _official_bp(terms, made, loan, int(net_cents[loan]))
    return result


def _raw_rates(factor: Floats) -> Floats:
    """Yearly and monthly rates, unrounded, of a daily discount factor; a year has 365 days and twelve equal months."""
    annual = 1.0 / power(factor, 365)
    # The root of the daily rate, not of the yearly one: it lies just above 1, where the root is exact.
    monthly = power(root(1.0 / factor, 12), 365)
    return (np.stack((annual, monthly)) - 1.0) * 10_000.0


def _solve(terms: LoanTerms, made: Schedules, ladder: Ladder, net: Int64s) -> tuple[Floats, Booleans]:
    """The daily discount factor of each loan, and which of them did not settle."""
    spans = periods_of(terms, ladder, made)
    payments = made.payment_cents[ladder.rows].astype(np.float64)
    factor = _first_guess(terms.monthly_rate_ppm[ladder.loans])
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            value, slope = _present_value(ladder, payments, spans, factor)
            step = (value - net) / slope
            factor = factor - factor * step
            if np.abs(step).max() <= _SETTLED:
                break
        return factor, ~(np.abs(step) <= _SETTLED)


def _first_guess(monthly_rate_ppm: Int64s) -> Floats:
    """About (1 + rate)^(-12/365): where the contract's own rate would put it, by two rational approximations."""
    rate = monthly_rate_ppm / MILLION
    ratio = rate / (2.0 + rate)
    logarithm = 2.0 * ratio * (1.0 + ratio * ratio / 3.0)
    exponent = logarithm * (-12.0 / 365.0)
    return (2.0 + exponent) / (2.0 - exponent)


def _present_value(ladder: Ladder, payments: Floats, spans: Periods, factor: Floats) -> tuple[Floats, Floats]:
    """The payments' value on the day of release, and the factor times its derivative."""
    discounts = spans.factors(factor)
    value, slope = np.zeros_like(factor), np.zeros_like(factor)
    for number in range(ladder.height, 0, -1):
        active, rung = ladder.active(number), ladder.rung(number)
        due = value[:active] + payments[rung]
        slope[:active] = (slope[:active] + spans.days[rung] * due) * discounts[rung]
        value[:active] = due * discounts[rung]
    return value, slope


def _official_bp(terms: LoanTerms, made: Schedules, loan: int, net: int) -> tuple[int, int]:
    rows = made.rows_of(loan)
    payments = [
        (day(due_on), reais(payment))
        for due_on, payment in zip(made.due_on[rows], made.payment_cents[rows], strict=True)
    ]
    fraction = official_cet(reais(net), released_on=day(terms.released_on[loan]), payments=payments, loan=loan)
    assert_cet_holds(fraction, loan=loan)
    return cents(percent_a_year(fraction)), cents(percent_a_year(monthly_of_annual(fraction)))

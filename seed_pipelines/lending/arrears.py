"""Arrears and early settlement: buckets, stages, late charges, the present value of what is left.

Buckets split at the bands of Resolução BCB 352, stages at those of Resolução CMN 4.966/2021. Late charges are a fine
of 2 % and simple interest of 1 % a month, pro rata by days over 30, each rounded on its own. Settlement before term
is the present value of the instalments left, at the contract's rate (Resolução CMN 5.004/2022, article 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import IntEnum

import numpy as np

from seed_pipelines.lending.ladder import Ladder, ladders
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, cents, day
from seed_pipelines.lending.official import (
    WORKING_DIGITS,
    Installment,
    Terms,
    growth,
    official_schedule,
    settled_cents,
)
from seed_pipelines.lending.powers import power, root
from seed_pipelines.lending.price import margin_of
from seed_pipelines.lending.rounding import (
    MILLION,
    Booleans,
    Dates,
    Floats,
    Int64s,
    divide_half_even,
    is_doubtful,
)

# The first day of each bucket after "0".
_BUCKET_STARTS = np.array([1, 15, 31, 61, 91, 181, 361], dtype=np.int64)
BUCKETS = ("0", "1-14", "15-30", "31-60", "61-90", "91-180", "181-360", ">360")

# A fine of 2 % of the instalment and interest of 1 % a month: the most that the law allows.
LATE_FEE_BP = 200
LATE_INTEREST_MONTHLY_BP = 100

_NOTHING = Decimal("0.00")

# The first day of each stage after the first.
STAGE_STARTS = np.array([31, 91], dtype=np.int64)


class Stage(IntEnum):
    """Credit risk stage by days late alone."""

    # Up to 30 days.
    PERFORMING = 1
    # More than 30 days: risk has grown significantly.
    SIGNIFICANT_INCREASE = 2
    # More than 90 days: problem asset.
    PROBLEM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCharges:
    """What a late instalment costs; `total` holds the instalment too. Whole cents."""

    fine: Int64s
    interest: Int64s
    total: Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialLateCharges:
    """The same for one instalment, in reais."""

    fine: Decimal
    interest: Decimal
    remuneratory: Decimal
    total: Decimal


def bucket_of(days_late: Int64s) -> Int64s:
    """The position in `BUCKETS`; a payment that is not late is in the first."""
    return np.searchsorted(_BUCKET_STARTS, days_late, side="right").astype(np.int64)


def stage_of(days_late: Int64s) -> Int64s:
    """`Stage` numbers."""
    return Stage.PERFORMING + np.searchsorted(STAGE_STARTS, days_late, side="right").astype(np.int64)


def late_charges(payment_cents: Int64s, days_late: Int64s) -> LateCharges:
    """Fine and default interest of each instalment; none for one that is not late."""
    days = np.maximum(days_late, 0)
    fine = np.where(days > 0, divide_half_even(payment_cents * LATE_FEE_BP, 10_000), 0)
    interest = divide_half_even(payment_cents * days * LATE_INTEREST_MONTHLY_BP, 30 * 10_000)
    return LateCharges(fine=fine, interest=interest, total=payment_cents + fine + interest)


def official_late_charges(
    payment: Decimal, *, days_late: int, monthly_rate: Decimal = Decimal(0)
) -> OfficialLateCharges:
    """One instalment; with a rate, the contract's own interest runs on for the days as well."""
    if days_late <= 0:
        return OfficialLateCharges(fine=_NOTHING, interest=_NOTHING, remuneratory=_NOTHING, total=payment)
    with localcontext(prec=WORKING_DIGITS):
        fine = settled_cents(payment * Decimal("0.02"))
        interest = settled_cents(payment * days_late / 3_000)
        remuneratory = settled_cents(payment * (growth(monthly_rate, days=days_late) - 1))
        total = payment + fine + interest + remuneratory
    return OfficialLateCharges(fine=fine, interest=interest, remuneratory=remuneratory, total=total)


def official_settlement(terms: Terms, installments: Sequence[Installment], *, settled_on: date) -> Decimal:
    """What settles the loan on a day from its release on; instalments due until that day count as paid.

    Periods of one month are discounted as one month each, and the running one by its days left over its length, so
    that on a due date the value is the balance but for the rounding of cents. Periods counted in days: days over 30.
    """
    left = [row for row in installments if row.due_on > settled_on]
    if not left:
        return Decimal("0.00")
    with localcontext(prec=WORKING_DIGITS):
        if terms.counts_days:
            rate = terms.monthly_rate
            return settled_cents(
                sum(
                    (row.payment * growth(rate, days=-(row.due_on - settled_on).days) for row in left),
                    start=Decimal(0),
                )
            )
        value = Decimal(0)
        for row in reversed(left):
            value = value / (1 + terms.monthly_rate) + row.payment
        days_left = (left[0].due_on - settled_on).days
        basis = _period_days(terms, installments, len(installments) - len(left))
        return settled_cents(value * growth(terms.monthly_rate, days=-days_left, basis=basis))


def settlement_cents(terms: LoanTerms, made: Schedules, settled_on: Dates) -> Int64s:
    """The same for many loans, one day of settlement each."""
    result = np.empty(len(terms), dtype=np.int64)
    by_months = np.flatnonzero(terms.is_regular)
    for ladder in ladders(made.offsets, by_months):
        result[ladder.loans], doubtful = _settle_by_months(terms, made, ladder, settled_on)
        _settle_officially(terms, result, ladder.loans[doubtful], settled_on)
    _settle_officially(terms, result, np.flatnonzero(~terms.is_regular), settled_on)
    return result


def _settle_by_months(terms: LoanTerms, made: Schedules, ladder: Ladder, settled_on: Dates) -> tuple[Int64s, Booleans]:
    loans = ladder.loans
    compound = 1.0 + terms.monthly_rate_ppm[loans] / MILLION
    settled = settled_on[loans]
    due_on, payments = made.due_on[ladder.rows], made.payment_cents[ladder.rows]
    value = np.zeros(len(loans), dtype=np.float64)
    next_due, last_due = settled.copy(), terms.released_on[loans].copy()
    for number in range(ladder.height, 0, -1):
        active, rung = ladder.active(number), ladder.rung(number)
        is_left = due_on[rung] > settled[:active]
        value[:active] = np.where(is_left, value[:active] / compound[:active] + payments[rung], value[:active])
        next_due[:active] = np.where(is_left, due_on[rung], next_due[:active])
        last_due[:active] = np.where(is_left, last_due[:active], np.maximum(last_due[:active], due_on[rung]))
    raw = value / _running_growth(
        compound,
        left=(next_due - settled).astype(np.int64),
        length=(next_due - last_due).astype(np.int64),
    )
    doubtful = is_doubtful(raw, margin=margin_of(raw, ladder.counts()))
    return np.rint(raw).astype(np.int64), doubtful


def _running_growth(compound: Floats, *, left: Int64s, length: Int64s) -> Floats:
    """compound^(left / length); a loan with nothing left has no length."""
    return power(root(compound, np.maximum(length, 1)), left)


def _settle_officially(terms: LoanTerms, result: Int64s, loans: Int64s, settled_on: Dates) -> None:
    for loan in loans.tolist():
        contract = terms.contract(loan)
        amount = official_settlement(contract, official_schedule(contract), settled_on=day(settled_on[loan]))
        result[loan] = cents(amount)


def _period_days(terms: Terms, installments: Sequence[Installment], position: int) -> int:
    """The length of the running period; a capitalised first period is counted in months of 30 days."""
    if position == 0:
        return (installments[0].due_on - terms.released_on).days if terms.is_regular else 30
    return (installments[position].due_on - installments[position - 1].due_on).days

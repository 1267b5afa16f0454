"""The schedules of millions of loans, in whole cents, equal to the official calculation to the cent.

Periods of one month are exact integer arithmetic; only the Price payment starts from a float, and one that lies too
near to half a cent is settled with integers of any size. Periods counted in days use + - * / on floats, and a loan
with one doubtful rounding is taken over whole from the official calculation. No result depends on the processor.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seed_pipelines.lending.conventions import FirstDue, System
from seed_pipelines.lending.due_dates import due_dates, numbers_of
from seed_pipelines.lending.ladder import Ladder, ladders
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, cents
from seed_pipelines.lending.official import official_schedule
from seed_pipelines.lending.powers import Periods, periods, power, root
from seed_pipelines.lending.price import margin_of, payments_of
from seed_pipelines.lending.rounding import (
    MILLION,
    Booleans,
    Floats,
    Int64s,
    divide_half_even,
    is_doubtful,
    millionths_half_even,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What a ladder climbs from; `level` is the payment of a Price loan and the amortization of a SAC one."""

    opening: Int64s
    level: Int64s
    is_price: Booleans


def schedules(terms: LoanTerms) -> Schedules:
    """All instalments of all loans; amortizations add up to the principal and the last balance is 0."""
    numbers = numbers_of(terms.offsets)
    made = Schedules(
        offsets=terms.offsets,
        number=numbers.astype(np.int16),
        due_on=due_dates(terms, numbers),
        payment_cents=np.empty_like(numbers),
        interest_cents=np.empty_like(numbers),
        amortization_cents=np.empty_like(numbers),
        balance_cents=np.empty_like(numbers),
    )
    counts_days = terms.counts_days
    for ladder in ladders(terms.offsets, np.flatnonzero(~counts_days)):
        _settle(terms, made, _climb_by_months(terms, ladder, made))
    for ladder in ladders(terms.offsets, np.flatnonzero(counts_days)):
        _settle(terms, made, _climb_by_days(terms, ladder, made))
    np.add(made.interest_cents, made.amortization_cents, out=made.payment_cents)
    return made


def _climb_by_months(terms: LoanTerms, ladder: Ladder, made: Schedules) -> Int64s:
    """Fill the ladder's rows; periods of one month. Gives the loans that need the official calculation."""
    loans = ladder.loans
    rate = terms.monthly_rate_ppm[loans]
    opening, doubtful = _opening(terms, loans)
    is_price = terms.system[loans] == System.PRICE
    level = divide_half_even(opening, ladder.counts())
    if is_price.any():
        level = np.where(is_price, payments_of(ladder, opening, rate), level)

    def interest_of(number: int, owed: Int64s) -> Int64s:
        earned: Int64s = owed * rate[: len(owed)]
        return millionths_half_even(earned)

    start = _Start(opening=opening, level=level, is_price=is_price)
    _climb(ladder, made, start=start, interest_of=interest_of)
    first_rows, moved = made.offsets[loans], opening - terms.principal_cents[loans]
    made.interest_cents[first_rows] += moved
    made.amortization_cents[first_rows] -= moved
    return loans[doubtful]


def _climb_by_days(terms: LoanTerms, ladder: Ladder, made: Schedules) -> Int64s:
    """The same for periods counted in actual days over 30."""
    loans, counts = ladder.loans, ladder.counts()
    growth = _growth(terms, ladder, made)
    opening = terms.principal_cents[loans]
    is_price = terms.system[loans] == System.PRICE
    raw = opening / _annuity(ladder, 1.0 / growth)
    doubtful: Booleans = is_price & is_doubtful(raw, margin=margin_of(raw, counts))
    level = np.where(is_price, np.rint(raw).astype(np.int64), divide_half_even(opening, counts))

    def interest_of(number: int, owed: Int64s) -> Int64s:
        active = len(owed)
        raw_interest: Floats = owed * (growth[ladder.rung(number)] - 1.0)
        doubtful[:active] |= is_doubtful(raw_interest, margin=margin_of(owed, counts[:active]))
        return np.rint(raw_interest).astype(np.int64)

    start = _Start(opening=opening, level=level, is_price=is_price)
    _climb(ladder, made, start=start, interest_of=interest_of)
    return loans[doubtful]


def _climb(ladder: Ladder, made: Schedules, *, start: _Start, interest_of: Callable[[int, Int64s], Int64s]) -> None:
    """Instalment by instalment, all loans of the ladder at once."""
    interest = np.empty(len(ladder.rows), dtype=np.int64)
    amortization, balances = np.empty_like(interest), np.empty_like(interest)
    balance, from_level = start.opening.copy(), start.is_price.astype(np.int64)
    for number in range(1, ladder.height + 1):
        active, rung, ending = ladder.active(number), ladder.rung(number), ladder.ending(number)
        owed = balance[:active]
        earned = interest_of(number, owed)
        # A payment rounded up on a small loan pays it off early: never more than is owed.
        step = np.minimum(start.level[:active] - earned * from_level[:active], owed)
        step[ending] = owed[ending]
        owed -= step
        interest[rung], amortization[rung], balances[rung] = earned, step, owed
    made.interest_cents[ladder.rows] = interest
    made.amortization_cents[ladder.rows] = amortization
    made.balance_cents[ladder.rows] = balances


def _opening(terms: LoanTerms, loans: Int64s) -> tuple[Int64s, Booleans]:
    """What the first month starts with: the principal, with the extra days capitalised where that is the convention."""
    principal = terms.principal_cents[loans]
    regular = terms.is_regular[loans]
    if terms.first_due is FirstDue.ACTUAL_DAYS_30 or regular.all():
        return principal, np.zeros(len(loans), dtype=np.bool_)
    days = (terms.first_due_on[loans] - terms.released_on[loans]).astype(np.int64)
    compound = 1.0 + terms.monthly_rate_ppm[loans] / MILLION
    raw = principal * (power(root(compound, 30), days) / compound)
    opening = np.where(regular, principal, np.rint(raw).astype(np.int64))
    return opening, ~regular & is_doubtful(raw, margin=margin_of(raw, days))


def _growth(terms: LoanTerms, ladder: Ladder, made: Schedules) -> Floats:
    """(1 + rate)^(days / 30) of each period, in rung order."""
    daily = root(1.0 + terms.monthly_rate_ppm[ladder.loans] / MILLION, 30)
    return periods_of(terms, ladder, made).factors(daily)


def periods_of(terms: LoanTerms, ladder: Ladder, made: Schedules) -> Periods:
    """The days of every period, from release to the first due date and from each to the next."""
    return periods(
        ladder,
        due_days=made.due_on[ladder.rows].astype(np.int64),
        released_days=terms.released_on[ladder.loans].astype(np.int64),
    )


def _annuity(ladder: Ladder, discounts: Floats) -> Floats:
    """The present value of 1 at each due date."""
    value = np.zeros(len(ladder.loans), dtype=np.float64)
    for number in range(ladder.height, 0, -1):
        active = ladder.active(number)
        value[:active] = (value[:active] + 1.0) * discounts[ladder.rung(number)]
    return value


def _settle(terms: LoanTerms, made: Schedules, doubtful: Int64s) -> None:
    for loan in doubtful.tolist():
        for row, official in enumerate(official_schedule(terms.contract(loan)), start=int(made.offsets[loan])):
            made.interest_cents[row] = cents(official.interest)
            made.amortization_cents[row] = cents(official.amortization)
            made.balance_cents[row] = cents(official.balance)

"""The terms and the fate of loans, each a function of its row alone.

A batch of installments finds the loans that it touches on its own, so it needs no batch of loans before it. A loan's
fate is its state in the plan's exact quotas: the happy ones are paid up to the reference date, the others stopped
paying so long ago as their state says. Every loan is younger than its customer's registration. Its product and amount
are what its share of the customer's income pays for.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from seed_pipelines import catalog
from seed_pipelines.generate.affordability import (
    MOST_COUNT,
    burden_of,
    cards_and_counts,
    chosen_products,
    most_principal_cents,
)
from seed_pipelines.generate.blocks import kept_by_block
from seed_pipelines.generate.financing import AMOUNT_STEP_CENTS, with_financed_iof
from seed_pipelines.generate.people import borrowers_earning, income_of_at_least, tenure_days
from seed_pipelines.generate.planned import draws_of, reference_day, states_of
from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.generate.streams import Draws
from seed_pipelines.lending.conventions import Borrower, System
from seed_pipelines.lending.loan_terms import LoanTerms
from seed_pipelines.lending.months import month_and_day, months_later
from seed_pipelines.lending.price import price_payments
from seed_pipelines.lending.products import PRODUCT_DECK
from seed_pipelines.lending.rounding import MILLION, Booleans, Dates, Int64s
from seed_pipelines.plan import Plan, RowRange

LOAN_STATES = catalog.STATES["loans"]
DELINQUENT, CANCELLED, RENEGOTIATED, WRITTEN_OFF = map(
    LOAN_STATES.index, ("delinquent", "cancelled", "renegotiated", "written_off")
)
HAPPY = len(LOAN_STATES)

# More than any loan has.
NEVER = 1_000

_MOST_DAYS_TO_APPROVE = 5
_MOST_DAYS_TO_RELEASE = 3

# The longest month: a customer is at least this much older than the first unpaid due date.
_MONTH = 31

RATE_STEP_PPM = 100
_PROBE_CENTS = 10**8

# Days since the first unpaid due date. Month ends may move that date back by three days more.
DAYS_LATE = {
    DELINQUENT: Quantiles(shares=(0, 20, 32, 44, 53, 75, 100), values=(1, 15, 31, 61, 91, 181, 358)),
    RENEGOTIATED: Quantiles(shares=(0, 60, 100), values=(31, 91, 301)),
}
_LEAST_WRITTEN_OFF, _MOST_WRITTEN_OFF = 361, 720
_MOST_CANCELLED_AGE = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanBook:
    """One element a loan; `product` is a position in PRODUCT_DECK, `state` one in LOAN_STATES, or HAPPY, `borrower`
    a `Borrower` number. Where `is_financed`, the principal covers its own IOF.

    Installments from number `unpaid_from` on were never paid, whatever their date.
    """

    customer: Int64s
    borrower: Int64s
    product: Int64s
    state: Int64s
    unpaid_from: Int64s
    proposed_on: Dates
    approved_on: Dates
    terms: LoanTerms
    is_financed: Booleans

    @property
    def count(self) -> Int64s:
        return self.terms.count

    @property
    def released_on(self) -> Dates:
        return self.terms.released_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """What decides which installments are paid; `card` is a loan's place in the deck of products."""

    customer: Int64s
    card: Int64s
    count: Int64s
    state: Int64s
    released_on: Dates
    unpaid_from: Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dating:
    """When a loan was released, and from which installment on it was not paid."""

    released_on: Dates
    unpaid_from: Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Who asked for a loan, of what product, and what its first payment and its principal may be at most."""

    borrower: Int64s
    product: Int64s
    budget: Int64s
    most_cents: Int64s


@kept_by_block
def loan_book(plan: Plan, rows: RowRange) -> LoanBook:
    draws, fates = draws_of(plan, "loans", rows), fates_of(plan, rows)
    asked = _asked(plan, rows, fates)
    to_approve = draws.integers("approved_on", low=0, high=_MOST_DAYS_TO_APPROVE)
    to_release = draws.integers("released_on", low=0, high=_MOST_DAYS_TO_RELEASE)
    approved_on = fates.released_on - to_release
    least_cents = _by_product(0, "principal_cents")[asked.product]
    terms, is_financed = with_financed_iof(
        draws, _terms(draws, fates, asked), borrower=asked.borrower, least_cents=least_cents
    )
    return LoanBook(
        customer=fates.customer,
        borrower=asked.borrower,
        product=asked.product,
        state=fates.state,
        unpaid_from=fates.unpaid_from,
        approved_on=approved_on,
        proposed_on=approved_on - to_approve,
        terms=terms,
        is_financed=is_financed,
    )


@kept_by_block
def fates_of(plan: Plan, rows: RowRange) -> Fates:
    """The part of the loan book that needs no amounts."""
    draws = draws_of(plan, "loans", rows)
    customer, _ = plan.relations["loans"].parents_of(rows.first, rows.rows)
    known = _touched(customer)
    card, count = cards_and_counts(plan, rows)
    state = states_of(plan, "loans", rows)
    tenure = tenure_days(plan, known)[customer - known.first]
    oldest = tenure - _MOST_DAYS_TO_APPROVE - _MOST_DAYS_TO_RELEASE - 1
    dating = _dated(draws, state, count=count, oldest=oldest, today=reference_day(plan))
    return Fates(
        customer=customer,
        card=card,
        count=count,
        state=state,
        released_on=dating.released_on,
        unpaid_from=dating.unpaid_from,
    )


def paid_counts(loans: Fates | LoanBook, today: np.datetime64) -> Int64s:
    """How many installments of each loan are paid: those due before today that were not left unpaid."""
    released_on = loans.released_on
    months = today.astype("datetime64[M]").astype(np.int64) - month_and_day(released_on)[0]
    due = months - 1 + (months_later(released_on, months) < today)
    paid: Int64s = np.clip(np.minimum(due, loans.unpaid_from - 1), 0, loans.count)
    return paid


def _touched(customer: Int64s) -> RowRange:
    """From the first to the last of rows in order."""
    return RowRange(first=int(customer[0]), rows=int(customer[-1] - customer[0]) + 1)


def _asked(plan: Plan, rows: RowRange, fates: Fates) -> _Asked:
    known = _touched(fates.customer)
    burden, place = burden_of(plan, known), fates.customer - known.first
    income = income_of_at_least(burden.least_income_cents, plan, known)
    borrower = borrowers_earning(income, plan, known)[place]
    first = rows.first - burden.loans.first
    budget, company = burden.budgets(income)[first : first + rows.rows], borrower != Borrower.PF
    return _Asked(
        borrower=borrower,
        product=chosen_products(fates.card, company, count=fates.count, budget=budget),
        budget=budget,
        most_cents=most_principal_cents(budget, company),
    )


def _dated(draws: Draws, state: Int64s, *, count: Int64s, oldest: Int64s, today: np.datetime64) -> _Dating:
    """About a fifth of the happy loans are old enough to be settled; no loan is more than `oldest` days old."""
    age = draws.scaled("age", np.minimum(oldest, count * 40) + 1)
    # Whoever withdrew did so on a day after the release.
    age = np.where(state == CANCELLED, np.clip(age, 1, _MOST_CANCELLED_AGE), age)
    unpaid_from = np.where(state == CANCELLED, 1, NEVER)
    released_on = today - age
    late = np.flatnonzero((state != HAPPY) & (state != CANCELLED))
    if len(late):
        days_late = _days_late(draws, state, oldest)[late]
        longest = np.minimum(count[late], (oldest[late] - days_late) // _MONTH)
        number = 1 + draws.scaled("unpaid_from", NEVER * NEVER)[late] % longest
        released_on[late] = months_later(today - days_late, -number)
        unpaid_from[late] = number
    return _Dating(released_on=released_on, unpaid_from=unpaid_from)


def _days_late(draws: Draws, state: Int64s, oldest: Int64s) -> Int64s:
    bits = draws.bits("days_late")
    most = np.minimum(_MOST_WRITTEN_OFF, oldest - _MONTH)
    days = _LEAST_WRITTEN_OFF + draws.scaled("days_written_off", most - _LEAST_WRITTEN_OFF + 1)
    for late, quantiles in DAYS_LATE.items():
        days = np.where(state == late, quantiles.of(bits), days)
    return days


def _terms(draws: Draws, fates: Fates, asked: _Asked) -> LoanTerms:
    product, count = asked.product, fates.count
    low, high = (_by_product(end, "monthly_rate_ppm")[product] for end in (0, 1))
    rate = low + draws.scaled("monthly_rate_ppm", (high - low) // RATE_STEP_PPM + 1) * RATE_STEP_PPM
    system = _SYSTEMS[product]
    least, most = (_by_product(end, "principal_cents")[product] for end in (0, 1))
    paid_for = np.minimum(_affordable(asked.budget, rate, count=count, system=system), asked.most_cents)
    upper: Int64s = np.clip(paid_for, least, most)
    # The square of an even draw: small loans are more common than large ones.
    share = draws.scaled("principal_cents", 2**16)
    principal = least + ((share * share >> 16) * (upper - least) >> 16)
    return LoanTerms(
        principal_cents=principal // AMOUNT_STEP_CENTS * AMOUNT_STEP_CENTS,
        monthly_rate_ppm=rate,
        count=count,
        system=system,
        released_on=fates.released_on,
        first_due_on=months_later(fates.released_on, 1),
    )


def _affordable(budget: Int64s, rate: Int64s, *, count: Int64s, system: Int64s) -> Int64s:
    """The principal whose first installment is the budget, which rounding does not exceed."""
    budget = budget - 1
    by_price = budget * _PROBE_CENTS // _probe_payments()[rate // RATE_STEP_PPM, count]
    by_sac = budget * count * MILLION // (MILLION + rate * count)
    return np.where(system == System.PRICE, by_price, by_sac)


# Looking them up takes a tenth of the time of working them out.
@cache
def _probe_payments() -> Int64s:
    """What the probe costs a month by Price, by rate in steps, then by term; term 0 has the payment of 1."""
    steps = 1 + max(product.monthly_rate_ppm[1] for product in PRODUCT_DECK) // RATE_STEP_PPM
    rate = np.repeat(np.arange(steps, dtype=np.int64) * RATE_STEP_PPM, MOST_COUNT + 1)
    count = np.tile(np.maximum(np.arange(MOST_COUNT + 1, dtype=np.int64), 1), steps)
    payments = price_payments(np.full(len(count), _PROBE_CENTS), monthly_rate_ppm=rate, count=count)
    return payments.reshape(steps, MOST_COUNT + 1)


def _by_product(end: int, field: str) -> Int64s:
    return np.array([getattr(product, field)[end] for product in PRODUCT_DECK], dtype=np.int64)


_SYSTEMS = np.array([System[product.amortization_system.upper()] for product in PRODUCT_DECK], dtype=np.int64)

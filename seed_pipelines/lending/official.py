"""The official calculation: one loan at a time, in Decimal, as the contract would be checked by hand.

This is the oracle. It shares no arithmetic with the vectorised engine, whose every row must equal it to the cent.
Amounts are in reais with two decimals, rates are fractions, and each rounding is half to even. It decides nothing
about the loan: unusual terms are computed as given, and only what has no answer is refused.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache

from seed_pipelines.lending.conventions import FirstDue, System

CENT = Decimal("0.01")
DIGITS = 34

# Work that divides or takes roots carries ten digits more than are kept, so that an exact tie comes out as one.
WORKING_DIGITS = DIGITS + 10

_KEPT = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a contract says; `monthly_rate` is a fraction, 0.02 for 2 %."""

    principal: Decimal
    monthly_rate: Decimal
    count: int
    system: System
    released_on: date
    first_due_on: date
    first_due: FirstDue = FirstDue.ACTUAL_DAYS_30

    @property
    def is_regular(self) -> bool:
        """The first payment is due exactly one month after release, so that every period is one month."""
        return self.first_due_on == months_after(self.released_on, 1)

    @property
    def counts_days(self) -> bool:
        """Interest follows the actual days of each period."""
        return not self.is_regular and self.first_due is FirstDue.ACTUAL_DAYS_30


@dataclass(frozen=True, slots=True, kw_only=True)
class Installment:
    """One row of a schedule; `balance` is what is still owed after it."""

    number: int
    due_on: date
    payment: Decimal
    interest: Decimal
    amortization: Decimal
    balance: Decimal


def months_after(anchor: date, months: int) -> date:
    """The anchor's day of the month, that many months later, or the month's last day if it is shorter."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(anchor.day, _days_of(year, month)))


def official_due_dates(terms: Terms) -> tuple[date, ...]:
    """Every due date, each counted from the anchor day and never from the due date before it."""
    if terms.is_regular:
        return tuple(months_after(terms.released_on, number) for number in range(1, terms.count + 1))
    return tuple(months_after(terms.first_due_on, number) for number in range(terms.count))


def official_schedule(terms: Terms) -> tuple[Installment, ...]:
    """All rows; the amortizations add up to the principal and the last balance is 0.00."""
    # An annuity needs about 6 digits a month to be told from a tie between two cents.
    with localcontext(prec=WORKING_DIGITS + 7 * terms.count, rounding=ROUND_HALF_EVEN):
        return tuple(_rows(terms))


def official_price_payment(principal: Decimal, *, monthly_rate: Decimal, count: int) -> Decimal:
    """The equal payment of a Price schedule with periods of one month, to the cent."""
    with localcontext(prec=DIGITS + 7 * count, rounding=ROUND_HALF_EVEN):
        return _cents(_price_payment(principal, monthly_rate, count))


@lru_cache(maxsize=1_024)
def _days_of(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _rows(terms: Terms) -> Iterator[Installment]:
    due_dates = official_due_dates(terms)
    rates = _period_rates(terms, due_dates)
    capitalised = _capitalised_interest(terms)
    balance = terms.principal + capitalised
    level = _level(terms, balance, due_dates)
    for number, (due_on, rate) in enumerate(zip(due_dates, rates, strict=True), start=1):
        interest = settled_cents(balance * rate)
        # A payment rounded up on a small loan pays it off early: never more than is owed.
        amortization = min(level - interest if terms.system is System.PRICE else level, balance)
        if number == terms.count:
            amortization = balance
        balance -= amortization
        moved = capitalised if number == 1 else Decimal(0)
        yield Installment(
            number=number,
            due_on=due_on,
            payment=interest + amortization,
            interest=interest + moved,
            amortization=amortization - moved,
            balance=balance,
        )


def _period_rates(terms: Terms, due_dates: tuple[date, ...]) -> tuple[Decimal, ...]:
    if not terms.counts_days:
        return (terms.monthly_rate,) * terms.count
    starts = (terms.released_on, *due_dates[:-1])
    return tuple(
        growth(terms.monthly_rate, days=(due_on - start).days) - 1
        for start, due_on in zip(starts, due_dates, strict=True)
    )


def _capitalised_interest(terms: Terms) -> Decimal:
    """What the days beyond 30 add to the principal; it is paid as interest of the first instalment."""
    if terms.is_regular or terms.counts_days:
        return Decimal("0.00")
    extra_days = (terms.first_due_on - terms.released_on).days - 30
    return settled_cents(terms.principal * growth(terms.monthly_rate, days=extra_days)) - terms.principal


def _level(terms: Terms, opening: Decimal, due_dates: tuple[date, ...]) -> Decimal:
    """The equal payment (Price) or the equal amortization (SAC)."""
    if terms.system is System.SAC:
        return _cents(opening / terms.count)
    if not terms.counts_days:
        return _cents(_price_payment(opening, terms.monthly_rate, terms.count))
    discounts = (growth(terms.monthly_rate, days=-(due_on - terms.released_on).days) for due_on in due_dates)
    return settled_cents(opening / sum(discounts, start=Decimal(0)))


def _price_payment(principal: Decimal, monthly_rate: Decimal, count: int) -> Decimal:
    if monthly_rate == 0:
        return principal / count
    compound = (1 + monthly_rate) ** count
    return principal * monthly_rate * compound / (compound - 1)


def growth(monthly_rate: Decimal, *, days: int, basis: int = 30) -> Decimal:
    """(1 + rate)^(days / basis), at the working digits."""
    with localcontext(prec=WORKING_DIGITS):
        return (1 + monthly_rate) ** (Decimal(days) / basis)


def settled_cents(amount: Decimal) -> Decimal:
    """An amount known to the working digits, to the cent; what is beyond the kept digits cannot break a tie."""
    return _KEPT.quantize(_KEPT.plus(amount), CENT)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)

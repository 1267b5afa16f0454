"""The columns that the engine works on: terms of many loans, and their instalments in loan order.

Money is int64 cents, a rate is millionths a month. Terms outside the ranges for which the engine's arithmetic is
exact are refused, naming the loan by its index.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

import numpy as np
import numpy.typing as npt

from seed_pipelines.errors import LoanImpossible
from seed_pipelines.lending.conventions import FirstDue, System
from seed_pipelines.lending.months import months_later
from seed_pipelines.lending.official import Terms
from seed_pipelines.lending.powers import power
from seed_pipelines.lending.rounding import MILLION, Booleans, Dates, Floats, Int64s

_RANGES = (
    # Interest is balance times rate in one int64, and IOF is amortization times days times rate.
    ("principal_cents", 1, 100_000_000_000),
    ("monthly_rate_ppm", 0, MILLION),
    ("count", 1, 420),
    ("system", 0, 1),
)
_FIRST_DUE_DAYS = (1, 366)

# Half a cent of rounding in the payment grows with the debt; beyond this the last payment would be mere rounding.
_MOST_GROWTH = 1_000_000

# Ten times the largest principal: its product with a rate still fits in an int64.
_MOST_DEBT = 1_000_000_000_000


@dataclass(frozen=True, kw_only=True)
class LoanTerms:
    """One element a loan; integers of any width are taken and held as int64, dates as datetime64[D]."""

    principal_cents: Int64s
    monthly_rate_ppm: Int64s
    count: Int64s
    system: Int64s
    released_on: Dates
    first_due_on: Dates
    first_due: FirstDue = FirstDue.ACTUAL_DAYS_30

    def __post_init__(self) -> None:
        for field, least, most in _RANGES:
            column = np.asarray(getattr(self, field), dtype=np.int64)
            object.__setattr__(self, field, column)
            _refuse_outside(column, field=field, least=least, most=most)
        for field in ("released_on", "first_due_on"):
            object.__setattr__(self, field, np.asarray(getattr(self, field), dtype="datetime64[D]"))
        days = (self.first_due_on - self.released_on).astype(np.int64)
        least, most = _FIRST_DUE_DAYS
        _refuse_outside(days, field="days from release to the first due date", least=least, most=most)
        self._refuse_runaway(days)

    def _refuse_runaway(self, first_days: Int64s) -> None:
        columns = (self.principal_cents, self.monthly_rate_ppm, self.count, first_days)
        over_term, opening = _grown(*(column.max(initial=1, keepdims=True) for column in columns))
        # Where the largest of each together would not run away, no loan does.
        if over_term <= _MOST_GROWTH and opening <= _MOST_DEBT:
            return
        over_term, opening = _grown(*columns)
        _refuse_outside(over_term, field="(1 + monthly rate) ^ count", least=1, most=_MOST_GROWTH)
        _refuse_outside(opening, field="debt in cents at the first due date", least=1, most=_MOST_DEBT)

    def __len__(self) -> int:
        return len(self.principal_cents)

    @cached_property
    def offsets(self) -> Int64s:
        """Where each loan's instalments start; one element more than loans, the last is the total."""
        return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(self.count)))

    @cached_property
    def is_regular(self) -> Booleans:
        """The first payment is due exactly one month after release."""
        return np.asarray(self.first_due_on == months_later(self.released_on, 1))

    @property
    def counts_days(self) -> Booleans:
        """Interest follows the actual days of each period."""
        if self.first_due is FirstDue.CAPITALISED:
            return np.zeros(len(self), dtype=np.bool_)
        return ~self.is_regular

    def of(self, chosen: Int64s, *, principal_cents: Int64s | None = None) -> "LoanTerms":
        """The chosen loans, in that order; over other principals, where some are given."""
        return LoanTerms(
            principal_cents=self.principal_cents[chosen] if principal_cents is None else principal_cents,
            monthly_rate_ppm=self.monthly_rate_ppm[chosen],
            count=self.count[chosen],
            system=self.system[chosen],
            released_on=self.released_on[chosen],
            first_due_on=self.first_due_on[chosen],
            first_due=self.first_due,
        )

    def with_principal(self, principal_cents: Int64s) -> "LoanTerms":
        return LoanTerms(
            principal_cents=principal_cents,
            monthly_rate_ppm=self.monthly_rate_ppm,
            count=self.count,
            system=self.system,
            released_on=self.released_on,
            first_due_on=self.first_due_on,
            first_due=self.first_due,
        )

    def contract(self, index: int) -> Terms:
        """One loan as the official calculation takes it."""
        return Terms(
            principal=reais(self.principal_cents[index]),
            monthly_rate=Decimal(int(self.monthly_rate_ppm[index])) / MILLION,
            count=int(self.count[index]),
            system=System(int(self.system[index])),
            released_on=day(self.released_on[index]),
            first_due_on=day(self.first_due_on[index]),
            first_due=self.first_due,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """Every instalment of every loan, in loan order; loan i owns rows offsets[i] … offsets[i + 1] - 1."""

    offsets: Int64s
    number: npt.NDArray[np.int16]
    due_on: Dates
    payment_cents: Int64s
    interest_cents: Int64s
    amortization_cents: Int64s
    balance_cents: Int64s

    def __len__(self) -> int:
        return len(self.number)

    def rows_of(self, loan: int) -> slice:
        return slice(int(self.offsets[loan]), int(self.offsets[loan + 1]))


def reais(cents: np.int64 | int) -> Decimal:
    return Decimal(int(cents)).scaleb(-2)


def cents(amount: Decimal) -> int:
    return int(amount.scaleb(2))


def day(value: np.datetime64) -> date:
    return date.fromordinal(_EPOCH + int(value.astype(np.int64)))


_EPOCH = date(1970, 1, 1).toordinal()


def _grown(principal_cents: Int64s, monthly_rate_ppm: Int64s, count: Int64s, days: Int64s) -> tuple[Floats, Floats]:
    """What one cent becomes over the whole term, and the principal until the first due date, were nothing paid."""
    compound = 1.0 + monthly_rate_ppm / MILLION
    return power(compound, count), principal_cents * power(compound, -(-days // 30))


def _refuse_outside(column: Int64s | Floats, *, field: str, least: int, most: int) -> None:
    outside = np.flatnonzero((column < least) | (column > most))
    if len(outside):
        raise LoanImpossible(int(outside[0]), field=field, least=least, most=most)

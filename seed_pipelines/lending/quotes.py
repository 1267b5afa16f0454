"""Single figures of a loan: late charges, early settlement, financed IOF.

Each is worked out twice, by the official calculation and by the engine, and given only where both say the same.
Terms that the engine cannot compute exactly are refused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from seed_pipelines.errors import LoanImpossible, QuotesDiffer
from seed_pipelines.lending.arrears import (
    late_charges,
    official_late_charges,
    official_settlement,
    settlement_cents,
)
from seed_pipelines.lending.charges import gross_up, iof_cents
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import LoanTerms, cents, reais
from seed_pipelines.lending.official import Terms, official_schedule
from seed_pipelines.lending.official_charges import official_gross_up
from seed_pipelines.lending.rounding import MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class LateInstallment:
    """One installment; with a rate, the contract's own interest runs on for the days as well."""

    payment_cents: int
    days_late: int
    monthly_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateQuote:
    """What pays it; the total holds the installment too."""

    fine_cents: int
    interest_cents: int
    remuneratory_cents: int
    total_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """A loan that is to be settled on a day from its release on."""

    terms: Terms
    settled_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What settles it, and how many installments that pays."""

    settlement_cents: int
    installments_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Financing:
    """A loan whose IOF is to be lent as well; the principal of `terms` is what the client is to receive."""

    terms: Terms
    borrower: Borrower


@dataclass(frozen=True, slots=True, kw_only=True)
class Financed:
    """The principal that is lent, and the IOF that is paid out of it."""

    principal_cents: int
    iof_cents: int


def quote_late_charges(installments: Sequence[LateInstallment]) -> tuple[LateQuote, ...]:
    """Raises QuotesDiffer."""
    engine = late_charges(
        np.array([asked.payment_cents for asked in installments], dtype=np.int64),
        np.array([asked.days_late for asked in installments], dtype=np.int64),
    )
    quotes = tuple(_late_quote(asked) for asked in installments)
    _assert_agreed(
        "late charges",
        [(quote.fine_cents, quote.interest_cents) for quote in quotes],
        list(zip(engine.fine.tolist(), engine.interest.tolist(), strict=True)),
    )
    return quotes


def quote_settlements(loans: Sequence[Settling]) -> tuple[Settlement, ...]:
    """Raises LoanImpossible or QuotesDiffer."""
    engine = [_settled_by_engine(index, asked) for index, asked in enumerate(loans)]
    quotes = tuple(_settlement(asked) for asked in loans)
    _assert_agreed("early settlement", [quote.settlement_cents for quote in quotes], engine)
    return quotes


def quote_financings(loans: Sequence[Financing]) -> tuple[Financed, ...]:
    """Raises IofRateUnknown, LoanImpossible or QuotesDiffer."""
    engine = [_financed_by_engine(index, asked) for index, asked in enumerate(loans)]
    quotes = tuple(_financed(asked) for asked in loans)
    _assert_agreed("financed IOF", quotes, engine)
    return quotes


def _late_quote(asked: LateInstallment) -> LateQuote:
    charges = official_late_charges(
        reais(asked.payment_cents), days_late=asked.days_late, monthly_rate=asked.monthly_rate
    )
    return LateQuote(
        fine_cents=cents(charges.fine),
        interest_cents=cents(charges.interest),
        remuneratory_cents=cents(charges.remuneratory),
        total_cents=cents(charges.total),
    )


def _settlement(asked: Settling) -> Settlement:
    schedule = official_schedule(asked.terms)
    return Settlement(
        settlement_cents=cents(official_settlement(asked.terms, schedule, settled_on=asked.settled_on)),
        installments_left=sum(row.due_on > asked.settled_on for row in schedule),
    )


def _settled_by_engine(index: int, asked: Settling) -> int:
    with _naming(index):
        terms = _column_of(asked.terms)
        return int(settlement_cents(terms, schedules(terms), np.array([asked.settled_on], dtype="datetime64[D]"))[0])


def _financed(asked: Financing) -> Financed:
    principal, iof = official_gross_up(asked.terms, asked.borrower)
    return Financed(principal_cents=cents(principal), iof_cents=cents(iof))


def _financed_by_engine(index: int, asked: Financing) -> Financed:
    borrower = np.array([asked.borrower], dtype=np.int64)
    with _naming(index):
        terms = _column_of(asked.terms)
        lent = terms.with_principal(gross_up(terms, borrower))
    return Financed(
        principal_cents=int(lent.principal_cents[0]), iof_cents=int(iof_cents(lent, schedules(lent), borrower)[0])
    )


@contextmanager
def _naming(index: int) -> Iterator[None]:
    """The engine sees one loan at a time; a refusal names the one that was asked about."""
    try:
        yield
    except LoanImpossible as error:
        raise LoanImpossible(index, field=error.field, least=error.least, most=error.most) from None


def _column_of(terms: Terms) -> LoanTerms:
    return LoanTerms(
        principal_cents=np.array([cents(terms.principal)]),
        monthly_rate_ppm=np.array([int(terms.monthly_rate * MILLION)]),
        count=np.array([terms.count]),
        system=np.array([terms.system]),
        released_on=np.array([terms.released_on], dtype="datetime64[D]"),
        first_due_on=np.array([terms.first_due_on], dtype="datetime64[D]"),
        first_due=terms.first_due,
    )


def _assert_agreed(figure: str, official: Sequence[object], engine: Sequence[object]) -> None:
    differing = tuple(index for index, pair in enumerate(zip(official, engine, strict=True)) if pair[0] != pair[1])
    if differing:
        raise QuotesDiffer(figure, indexes=differing)

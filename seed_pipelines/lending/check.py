"""The engine's rows held against the official calculation.

All loans of a small batch are compared, and evenly spaced ones of a large batch, never by chance. The
official calculation is this package's own, or a service that answers the same questions (outside/lending_service.py).
The caller fails the batch with `OracleDisagrees` when any index comes back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import InvalidOperation
from itertools import pairwise

from seed_pipelines.errors import LoanImpossible
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.iof_rates import iof_rate
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, cents, reais
from seed_pipelines.lending.official import Installment, Terms, official_schedule
from seed_pipelines.lending.official_charges import (
    assert_cet_holds,
    monthly_of_annual,
    official_cet,
    official_iof,
    percent_a_year,
)
from seed_pipelines.lending.rounding import Int64s

# The largest amount of any row of a schedule.
MOST_AMOUNT_CENTS = 10**15

_WORD = 1 << 32
_GOLDEN = 2_654_435_769


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """What is claimed of each loan besides its schedule."""

    borrower: Int64s
    iof_cents: Int64s
    net_cents: Int64s
    cet_annual_bp: Int64s
    cet_monthly_bp: Int64s | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What decides the costs of a loan: who borrows, and what is released. A CET that is not wanted may be left out."""

    borrower: Borrower
    net_cents: int
    wants_cet: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One loan as an official calculation is asked about it; without `costs`, for its schedule alone."""

    terms: Terms
    costs: Costs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialRow:
    """One row of an official schedule, in whole cents."""

    number: int
    due_on: date
    payment_cents: int
    interest_cents: int
    amortization_cents: int
    balance_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialCharges:
    """The official costs of one loan: IOF in cents, CET in hundredths of a percent."""

    iof_cents: int
    cet_annual_bp: int | None
    cet_monthly_bp: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an official calculation says of one loan."""

    rows: tuple[OfficialRow, ...]
    charges: OfficialCharges | None = None


# Answers come in the order of the questions.
OfficialCalculation = Callable[[Sequence[Question]], Sequence[Answer]]


def calculate(questions: Sequence[Question]) -> tuple[Answer, ...]:
    """The official calculation of this package; raises LoanImpossible or IofRateUnknown."""
    return tuple(_answer(index, question) for index, question in enumerate(questions))


def disagreements(
    terms: LoanTerms,
    made: Schedules,
    *,
    sample: int,
    charges: Charges | None = None,
    official: OfficialCalculation = calculate,
) -> tuple[int, ...]:
    """The loans, of those compared, in which any cent, date or basis point differs."""
    loans = tuple(sampled(len(terms), sample))
    if not loans:
        return ()
    answers = official([_question(terms, loan, charges) for loan in loans])
    return tuple(loan for loan, answer in zip(loans, answers, strict=True) if not _agrees(answer, made, loan, charges))


def sampled(loans: int, sample: int, *, turn: int = 0) -> Iterator[int]:
    """All indexes, or `sample` of them evenly spaced, the first and the last among them.

    Those in between move on with each turn, by another part of the gap to the next one.
    """
    if loans <= sample:
        yield from range(loans)
    elif sample == 1:
        yield _part_of(loans, turn)
    else:
        places = [position * (loans - 1) // (sample - 1) for position in range(sample)]
        for position, (place, following) in enumerate(pairwise(places)):
            yield place + _part_of(following - place, turn if position else 0)
        yield from places[-1:]


def _part_of(gap: int, turn: int) -> int:
    """0 for turn 0, then all over 0 … gap - 1: multiples of the golden ratio come nowhere near each other."""
    return gap * (turn * _GOLDEN % _WORD) // _WORD


def _question(terms: LoanTerms, loan: int, charges: Charges | None) -> Question:
    if charges is None:
        return Question(terms=terms.contract(loan))
    costs = Costs(borrower=Borrower(int(charges.borrower[loan])), net_cents=int(charges.net_cents[loan]))
    return Question(terms=terms.contract(loan), costs=costs)


def _answer(index: int, question: Question) -> Answer:
    schedule = _bounded_schedule(index, question.terms)
    rows = tuple(_in_cents(row) for row in schedule)
    if question.costs is None:
        return Answer(rows=rows)
    return Answer(rows=rows, charges=_official_charges(index, question.terms, question.costs, schedule))


def _bounded_schedule(index: int, terms: Terms) -> tuple[Installment, ...]:
    """At rates beyond any contract, a cent of rounding grows with every period until no amount holds it."""
    impossible = LoanImpossible(index, field="balance in cents", least=-MOST_AMOUNT_CENTS, most=MOST_AMOUNT_CENTS)
    try:
        schedule = official_schedule(terms)
    except InvalidOperation:
        raise impossible from None
    most = reais(MOST_AMOUNT_CENTS)
    if any(abs(amount) > most for row in schedule for amount in (row.payment, row.interest, row.balance)):
        raise impossible
    return schedule


def _in_cents(row: Installment) -> OfficialRow:
    return OfficialRow(
        number=row.number,
        due_on=row.due_on,
        payment_cents=cents(row.payment),
        interest_cents=cents(row.interest),
        amortization_cents=cents(row.amortization),
        balance_cents=cents(row.balance),
    )


def _official_charges(index: int, terms: Terms, costs: Costs, schedule: tuple[Installment, ...]) -> OfficialCharges:
    released_on = terms.released_on
    rate = iof_rate(costs.borrower, released_on=released_on, principal_cents=cents(terms.principal))
    annual, monthly = _cet_bp(index, released_on, costs, schedule) if costs.wants_cet else (None, None)
    return OfficialCharges(
        iof_cents=cents(official_iof(schedule, released_on=released_on, rate=rate)),
        cet_annual_bp=annual,
        cet_monthly_bp=monthly,
    )


def _cet_bp(index: int, released_on: date, costs: Costs, schedule: tuple[Installment, ...]) -> tuple[int, int]:
    """The yearly and the monthly rate."""
    payments = [(row.due_on, row.payment) for row in schedule]
    cet = official_cet(reais(costs.net_cents), released_on=released_on, payments=payments, loan=index)
    assert_cet_holds(cet, loan=index)
    return cents(percent_a_year(cet)), cents(percent_a_year(monthly_of_annual(cet)))


def _agrees(answer: Answer, made: Schedules, loan: int, charges: Charges | None) -> bool:
    if _claimed_rows(made, loan) != [_expected_row(row) for row in answer.rows]:
        return False
    return charges is None or (answer.charges is not None and _charges_agree(answer.charges, loan, charges))


def _claimed_rows(made: Schedules, loan: int) -> list[tuple[int, ...]]:
    rows = made.rows_of(loan)
    columns = (
        made.number[rows],
        made.due_on[rows].astype("int64"),
        made.payment_cents[rows],
        made.interest_cents[rows],
        made.amortization_cents[rows],
        made.balance_cents[rows],
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


_EPOCH = date(1970, 1, 1).toordinal()


def _expected_row(row: OfficialRow) -> tuple[int, ...]:
    amounts = (row.payment_cents, row.interest_cents, row.amortization_cents, row.balance_cents)
    return (row.number, row.due_on.toordinal() - _EPOCH, *amounts)


def _charges_agree(official: OfficialCharges, loan: int, charges: Charges) -> bool:
    if (official.iof_cents, official.cet_annual_bp) != (int(charges.iof_cents[loan]), int(charges.cet_annual_bp[loan])):
        return False
    monthly = charges.cet_monthly_bp
    return monthly is None or official.cet_monthly_bp == int(monthly[loan])

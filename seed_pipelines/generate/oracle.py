"""Generated rows held against the official calculation, batch by batch.

What is compared are the batch's own columns, loan by loan: all of a small batch, and an evenly spaced sample of a large
one, which depends on the batch's place alone and is another from batch to batch. Rows of a loan that begin or end in
another batch are completed by the engine, so that every row stands a chance to be compared. What is charged for being
late is asked of this package's own calculation, whoever is asked for the rest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.financing import AMOUNT_STEP_CENTS, FINANCED
from seed_pipelines.generate.loan_book import loan_book
from seed_pipelines.generate.people import borrowers
from seed_pipelines.generate.transactions import KINDS, PAYMENT
from seed_pipelines.lending.arrears import official_late_charges
from seed_pipelines.lending.charges import iof_cents
from seed_pipelines.lending.check import (
    Answer,
    Charges,
    Costs,
    OfficialCalculation,
    Question,
    calculate,
    disagreements,
    sampled,
)
from seed_pipelines.lending.conventions import Borrower, System
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, cents, reais
from seed_pipelines.lending.official_charges import official_gross_up
from seed_pipelines.lending.rounding import Booleans, Dates, Int64s
from seed_pipelines.plan import Plan, RowRange

# The official calculation takes about a third of a millisecond a loan.
LOANS_PER_BATCH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Whose calculation is asked, and about how many loans of a batch; each `turn` chooses others."""

    official: OfficialCalculation = calculate
    loans_per_batch: int = LOANS_PER_BATCH
    turn: int = 0

    def chosen(self, loans: int) -> Int64s:
        """Which of so many loans are compared."""
        return np.fromiter(sampled(loans, self.loans_per_batch, turn=self.turn), dtype=np.int64)


# This package's own calculation.
OURS = Oracle()


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleSample:
    """How many loans were compared, and which of them differ, counted from the batch's first loan."""

    loans: int
    differing: tuple[int, ...] = ()


def compare_with_oracle(
    plan: Plan, entity: str, *, first_row: int, rows: pa.RecordBatch, oracle: Oracle = OURS
) -> OracleSample:
    """Compare a generated batch; entities without money have nothing to compare."""
    oracle = replace(oracle, turn=first_row // plan.batch_rows[entity])
    if entity == "loans":
        return _compare_loans(plan, rows, oracle)
    if entity == "installments":
        return _compare_installments(plan, rows, first_row=first_row, oracle=oracle)
    if entity == "contracts":
        return _compare_contracts(plan, rows, first_row=first_row, oracle=oracle)
    if entity == "financial_transactions":
        return _compare_transactions(plan, rows, first_row=first_row, oracle=oracle)
    return OracleSample(loans=0)


def _compare_loans(plan: Plan, rows: pa.RecordBatch, oracle: Oracle) -> OracleSample:
    chosen = oracle.chosen(rows.num_rows)
    claimed = rows.take(pa.array(chosen))
    terms = LoanTerms(
        principal_cents=_integers(claimed, "principal_cents"),
        monthly_rate_ppm=_integers(claimed, "monthly_rate_ppm"),
        count=_integers(claimed, "installment_count"),
        system=np.array([System[system.as_py().upper()] for system in claimed["amortization_system"]]),
        released_on=_dates(claimed, "released_on"),
        first_due_on=_dates(claimed, "first_due_on"),
    )
    charges = Charges(
        borrower=_borrowers(plan, claimed),
        iof_cents=_integers(claimed, "iof_cents"),
        net_cents=_integers(claimed, "net_amount_cents"),
        cet_annual_bp=_integers(claimed, "cet_annual_bp"),
    )
    made = schedules(terms)
    differing = set(disagreements(terms, made, sample=len(terms), charges=charges, official=oracle.official))
    wrong_net = np.flatnonzero(charges.net_cents + charges.iof_cents != terms.principal_cents)
    return _sample(chosen, differing.union(wrong_net.tolist(), _financed_wrongly(claimed, terms, charges)))


def _financed_wrongly(loans: pa.RecordBatch, terms: LoanTerms, charges: Charges) -> Iterator[int]:
    """Loans with financed IOF whose principal is not what officially brings the client what was asked for."""
    # Where cents oscillate the client gets one more than was asked, which is a round amount.
    asked = terms.with_principal(charges.net_cents // AMOUNT_STEP_CENTS * AMOUNT_STEP_CENTS)
    for loan in np.flatnonzero(_is_word(loans, "iof_mode", FINANCED)).tolist():
        principal, _ = official_gross_up(asked.contract(loan), Borrower(int(charges.borrower[loan])))
        if cents(principal) != terms.principal_cents[loan]:
            yield loan


def _borrowers(plan: Plan, loans: pa.RecordBatch) -> Int64s:
    customer = _integers(loans, "customer_id") - plan.first_id
    known = RowRange(first=int(customer.min()), rows=int(np.ptp(customer)) + 1)
    return borrowers(plan, known)[customer - known.first]


def _compare_contracts(plan: Plan, rows: pa.RecordBatch, *, first_row: int, oracle: Oracle) -> OracleSample:
    """A contract's charges and dates, against those of its loan."""
    chosen = oracle.chosen(rows.num_rows)
    claimed = rows.take(pa.array(chosen))
    book = loan_book(plan, RowRange(first=first_row, rows=rows.num_rows))
    terms, iof = book.terms.of(chosen), _integers(claimed, "iof_cents")
    made = schedules(terms)
    charges = Charges(
        borrower=book.borrower[chosen],
        iof_cents=iof,
        net_cents=terms.principal_cents - iof,
        cet_annual_bp=_integers(claimed, "cet_annual_bp"),
        cet_monthly_bp=_integers(claimed, "cet_monthly_bp"),
    )
    differing = set(disagreements(terms, made, sample=len(terms), charges=charges, official=oracle.official))
    is_wrong = _integers(claimed, "total_payable_cents") != np.add.reduceat(made.payment_cents, made.offsets[:-1])
    is_wrong |= _dates(claimed, "first_due_on") != terms.first_due_on
    is_wrong |= _dates(claimed, "last_due_on") != made.due_on[made.offsets[1:] - 1]
    return _sample(chosen, differing.union(np.flatnonzero(is_wrong).tolist()))


def _compare_installments(plan: Plan, rows: pa.RecordBatch, *, first_row: int, oracle: Oracle) -> OracleSample:
    loan, ordinal = plan.relations["installments"].parents_of(first_row, rows.num_rows)
    touched = RowRange(first=int(loan[0]), rows=int(loan[-1] - loan[0]) + 1)
    chosen = oracle.chosen(touched.rows)
    all_terms = loan_book(plan, touched).terms
    terms = all_terms.of(chosen)
    starts = all_terms.offsets[chosen] - int(ordinal[0])
    claimed = _overlaid(schedules(terms), rows, starts)
    differing = set(disagreements(terms, claimed, sample=len(terms), official=oracle.official))
    positions, place = _rows_of(loan - touched.first, chosen)
    is_wrong = _is_charged_wrongly(rows.take(pa.array(positions)))
    return _sample(chosen, differing.union(place[is_wrong].tolist()))


def _is_charged_wrongly(installments: pa.RecordBatch) -> Booleans:
    payment, late_charges = (_integers(installments, column) for column in ("payment_cents", "late_charges_cents"))
    due_on, paid_on = _dates(installments, "due_on"), _dates(installments, "paid_on")
    days_late = np.where(np.isnat(paid_on), 0, (paid_on - due_on).astype(np.int64))
    official = [_paid_cents(*one) for one in zip(payment.tolist(), days_late.tolist(), strict=True)]
    is_wrong: Booleans = payment + late_charges != np.array(official, dtype=np.int64)
    return is_wrong


def _paid_cents(payment_cents: int, days_late: int) -> int:
    """What officially pays an installment so many days late."""
    return cents(official_late_charges(reais(payment_cents), days_late=days_late).total)


def _compare_transactions(plan: Plan, rows: pa.RecordBatch, *, first_row: int, oracle: Oracle) -> OracleSample:
    """Amounts: what was released or came back is the principal less IOF, a payment is its installment on its day."""
    loan, ordinal = plan.relations["financial_transactions"].parents_of(first_row, rows.num_rows)
    touched = RowRange(first=int(loan[0]), rows=int(loan[-1] - loan[0]) + 1)
    chosen = oracle.chosen(touched.rows)
    answers = oracle.official(_questions_of(plan, touched, chosen))
    positions, place = _rows_of(loan - touched.first, chosen)
    claimed = rows.take(pa.array(positions))
    number = np.where(_is_word(claimed, "kind", KINDS[PAYMENT]), ordinal[positions], 0)
    columns = (place, number, _dates(claimed, "occurred_on"), _integers(claimed, "amount_cents"))
    differing = {
        of
        for of, number, occurred_on, amount_cents in zip(*(column.tolist() for column in columns), strict=True)
        if amount_cents != _official_amount(answers[of], number=number, occurred_on=occurred_on)
    }
    return _sample(chosen, differing)


def _questions_of(plan: Plan, loans: RowRange, chosen: Int64s) -> list[Question]:
    book = loan_book(plan, loans)
    terms, borrower = book.terms.of(chosen), book.borrower[chosen]
    net = terms.principal_cents - iof_cents(terms, schedules(terms), borrower)
    costs = [
        Costs(borrower=Borrower(who), net_cents=each, wants_cet=False)
        for who, each in zip(borrower.tolist(), net.tolist(), strict=True)
    ]
    return [Question(terms=terms.contract(loan), costs=cost) for loan, cost in enumerate(costs)]


def _official_amount(answer: Answer, *, number: int, occurred_on: date) -> int | None:
    """Of the payment of an installment, or, of number 0, what is released; none where the answer does not say."""
    if number:
        row = answer.rows[number - 1]
        return _paid_cents(row.payment_cents, (occurred_on - row.due_on).days)
    if answer.charges is None:
        return None
    return sum(row.amortization_cents for row in answer.rows) - answer.charges.iof_cents


def _is_word(rows: pa.RecordBatch, column: str, word: str) -> Booleans:
    return np.asarray(rows[column].to_numpy(zero_copy_only=False) == word)


def _rows_of(loan: Int64s, chosen: Int64s) -> tuple[Int64s, Int64s]:
    """The rows of the chosen loans, and the place of each one's loan among them; both inputs rise."""
    places = np.full(loan[-1] + 1, -1)
    places[chosen] = np.arange(len(chosen))
    place = places[loan]
    positions = np.flatnonzero(place >= 0)
    return positions, place[positions]


def _overlaid(made: Schedules, rows: pa.RecordBatch, starts: Int64s) -> Schedules:
    """The engine's rows of some loans, with the batch's own wherever it has them; `starts` are batch rows."""
    inside_loan = np.arange(len(made), dtype=np.int64) - np.repeat(made.offsets[:-1], np.diff(made.offsets))
    position = np.repeat(starts, np.diff(made.offsets)) + inside_loan
    is_ours = (position >= 0) & (position < rows.num_rows)
    taken = np.clip(position, 0, rows.num_rows - 1)

    def overlaid(column: str) -> Int64s:
        values: Int64s = np.where(is_ours, _integers(rows, column)[taken], getattr(made, column))
        return values

    return Schedules(
        offsets=made.offsets,
        number=overlaid("number").astype(np.int16),
        due_on=np.where(is_ours, _dates(rows, "due_on")[taken], made.due_on),
        payment_cents=overlaid("payment_cents"),
        interest_cents=overlaid("interest_cents"),
        amortization_cents=overlaid("amortization_cents"),
        balance_cents=overlaid("balance_cents"),
    )


def _sample(chosen: Int64s, differing: Iterable[int]) -> OracleSample:
    return OracleSample(loans=len(chosen), differing=tuple(int(chosen[index]) for index in sorted(differing)))


def _integers(rows: pa.RecordBatch, column: str) -> Int64s:
    values: Int64s = rows[column].to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return values


def _dates(rows: pa.RecordBatch, column: str) -> Dates:
    values: Dates = rows[column].to_numpy(zero_copy_only=False)
    return values

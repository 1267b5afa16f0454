"""Generated rows held against the official calculation, batch by batch.

What is compared are the batch's own columns, loan by loan, a fixed and evenly spaced sample of them. Rows of a loan
that begin or end in another batch are completed by the engine, so that every row stands a chance to be compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.loan_book import loan_book
from seed_pipelines.generate.people import borrowers
from seed_pipelines.lending.check import Charges, OfficialCalculation, calculate, disagreements, sampled
from seed_pipelines.lending.conventions import System
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules
from seed_pipelines.lending.rounding import Dates, Int64s
from seed_pipelines.plan import Plan, RowRange

# The official calculation takes about a millisecond a loan.
LOANS_PER_BATCH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Whose calculation is asked, and about how many loans of a batch."""

    official: OfficialCalculation = calculate
    loans_per_batch: int = LOANS_PER_BATCH


# This package's own calculation.
OURS = Oracle()


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleSample:
    """How many loans were compared, and which of them differ, counted from the batch's first loan."""

    loans: int
    differing: tuple[int, ...] = ()

    def __add__(self, other: "OracleSample") -> "OracleSample":
        return OracleSample(loans=self.loans + other.loans, differing=self.differing + other.differing)


def compare_with_oracle(
    plan: Plan, entity: str, *, first_row: int, rows: pa.RecordBatch, oracle: Oracle = OURS
) -> OracleSample:
    """Compare a generated batch; entities without money have nothing to compare."""
    if entity == "loans":
        return _compare_loans(plan, rows, oracle)
    if entity == "installments":
        return _compare_installments(plan, rows, first_row=first_row, oracle=oracle)
    if entity == "contracts":
        return _compare_contracts(plan, rows, first_row=first_row, oracle=oracle)
    return OracleSample(loans=0)


def _compare_loans(plan: Plan, rows: pa.RecordBatch, oracle: Oracle) -> OracleSample:
    chosen = np.fromiter(sampled(rows.num_rows, oracle.loans_per_batch), dtype=np.int64)
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
    return _sample(chosen, differing.union(wrong_net.tolist()))


def _borrowers(plan: Plan, loans: pa.RecordBatch) -> Int64s:
    customer = _integers(loans, "customer_id") - plan.first_id
    known = RowRange(first=int(customer.min()), rows=int(np.ptp(customer)) + 1)
    return borrowers(plan, known)[customer - known.first]


def _compare_contracts(plan: Plan, rows: pa.RecordBatch, *, first_row: int, oracle: Oracle) -> OracleSample:
    """A contract's charges and dates, against those of its loan."""
    chosen = np.fromiter(sampled(rows.num_rows, oracle.loans_per_batch), dtype=np.int64)
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
    chosen = np.fromiter(sampled(touched.rows, oracle.loans_per_batch), dtype=np.int64)
    all_terms = loan_book(plan, touched).terms
    terms = all_terms.of(chosen)
    starts = all_terms.offsets[chosen] - int(ordinal[0])
    claimed = _overlaid(schedules(terms), rows, starts)
    return _sample(chosen, disagreements(terms, claimed, sample=len(terms), official=oracle.official))


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
    values: Int64s = rows[column].to_numpy(zero_copy_only=False).astype(np.int64)
    return values


def _dates(rows: pa.RecordBatch, column: str) -> Dates:
    values: Dates = rows[column].to_numpy(zero_copy_only=False)
    return values

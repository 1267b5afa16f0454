"""What a loan comes to as a whole: its IOF, its CET, all that is paid of it and what of it is still owed.

Each is a sum over the loan's schedule or follows from one, so the schedule is worked out once for all of them.
"""

from dataclasses import dataclass

import numpy as np

from seed_pipelines.generate.blocks import kept_by_block
from seed_pipelines.generate.loan_book import LoanBook, loan_book, paid_counts
from seed_pipelines.generate.planned import reference_day
from seed_pipelines.lending.cet import cet_of
from seed_pipelines.lending.charges import iof_cents
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import Schedules
from seed_pipelines.lending.rounding import Dates, Int64s
from seed_pipelines.plan import Plan, RowRange


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanTotals:
    """One element a loan; what is left is the principal that no paid installment has paid back, whatever the state."""

    iof_cents: Int64s
    net_cents: Int64s
    cet_annual_bp: Int64s
    cet_monthly_bp: Int64s
    total_payable_cents: Int64s
    left_cents: Int64s
    last_due_on: Dates


@kept_by_block
def loan_totals(plan: Plan, loans: RowRange) -> LoanTotals:
    book = loan_book(plan, loans)
    terms, made = book.terms, schedules(book.terms)
    iof = iof_cents(terms, made, book.borrower)
    net = terms.principal_cents - iof
    cet = cet_of(terms, made, net)
    return LoanTotals(
        iof_cents=iof,
        net_cents=net,
        cet_annual_bp=cet.annual_bp,
        cet_monthly_bp=cet.monthly_bp,
        total_payable_cents=np.add.reduceat(made.payment_cents, made.offsets[:-1]),
        left_cents=_left_cents(book, made, reference_day(plan)),
        last_due_on=made.due_on[made.offsets[1:] - 1],
    )


def _left_cents(book: LoanBook, made: Schedules, today: np.datetime64) -> Int64s:
    paid = paid_counts(book, today)
    last_paid = made.offsets[:-1] + np.maximum(paid - 1, 0)
    return np.where(paid > 0, made.balance_cents[last_paid], book.terms.principal_cents)

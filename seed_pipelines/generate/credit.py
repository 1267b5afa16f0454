"""Loans and their installments: terms from the loan book, money from the lending engine.

An installment due before the reference date is paid unless its loan's state says otherwise; one due on or after it
is open. Cancelled and renegotiated loans have no debt left: what was not paid is cancelled. A payment that comes late
pays fine and interest besides the installment.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.arrow import batch_of, dates, numbers, words
from seed_pipelines.generate.financing import IOF_MODES
from seed_pipelines.generate.loan_book import (
    CANCELLED,
    HAPPY,
    LOAN_STATES,
    RENEGOTIATED,
    LoanBook,
    fates_of,
    loan_book,
)
from seed_pipelines.generate.loan_totals import loan_totals
from seed_pipelines.generate.planned import draws_of, keys_of, reference_day
from seed_pipelines.lending.arrears import late_charges
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import Schedules
from seed_pipelines.lending.products import PRODUCT_DECK
from seed_pipelines.lending.rounding import Booleans, Dates, Int64s
from seed_pipelines.plan import Plan, RowRange

LOAN_STATUSES = (*LOAN_STATES, "active", "settled")
INSTALLMENT_STATUSES = ("paid", "open", "overdue", "cancelled")
PAID, OPEN, OVERDUE, ENDED = range(len(INSTALLMENT_STATUSES))

# Days from the due date to the payment, and how many of a hundred payments come then.
PAYMENT_DAYS = np.array([-5, -3, -2, -1, 0, 1, 2, 3, 5], dtype=np.int64)
PAYMENT_SHARES = (4, 8, 14, 24, 80, 90, 95, 98, 100)


def loans(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    book, totals = loan_book(plan, rows), loan_totals(plan, rows)
    terms = book.terms
    return batch_of(
        "loans",
        {
            **keys_of(plan, rows),
            "customer_id": numbers(book.customer + plan.first_id),
            "product": words(book.product, tuple(product.name for product in PRODUCT_DECK)),
            "amortization_system": words(book.product, tuple(product.amortization_system for product in PRODUCT_DECK)),
            "status": words(loan_status(plan, rows), LOAN_STATUSES),
            "principal_cents": numbers(terms.principal_cents),
            "net_amount_cents": numbers(totals.net_cents),
            "iof_cents": numbers(totals.iof_cents),
            "monthly_rate_ppm": numbers(terms.monthly_rate_ppm),
            "cet_annual_bp": numbers(totals.cet_annual_bp),
            "installment_count": numbers(terms.count),
            "proposed_on": dates(book.proposed_on),
            "approved_on": dates(book.approved_on),
            "released_on": dates(terms.released_on),
            "first_due_on": dates(terms.first_due_on),
            "iof_mode": words(book.is_financed.astype(np.int64), IOF_MODES),
        },
    )


def installments(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    loan, ordinal = plan.relations["installments"].parents_of(rows.first, rows.rows)
    touched = RowRange(first=int(loan[0]), rows=int(loan[-1] - loan[0]) + 1)
    book = loan_book(plan, touched)
    made = schedules(book.terms)
    wanted = slice(int(ordinal[0]), int(ordinal[0]) + rows.rows)
    due_on = made.due_on[wanted]
    status = _installment_status(book, loan - touched.first, number=ordinal + 1, is_due=due_on < reference_day(plan))
    paid = paid_on(plan, rows, due_on)
    # Whoever has not paid was charged nothing yet.
    days_late = np.where(status == PAID, days_between(due_on, paid), 0)
    return batch_of(
        "installments",
        {
            **keys_of(plan, rows),
            "loan_id": numbers(loan + plan.first_id),
            "due_on": dates(due_on),
            **_amounts(made, wanted),
            "status": words(status, INSTALLMENT_STATUSES),
            "paid_on": dates(paid, missing=status != PAID),
            "late_charges_cents": numbers(late_charges_cents(made.payment_cents[wanted], days_late)),
        },
    )


def late_charges_cents(payment_cents: Int64s, days_late: Int64s) -> Int64s:
    """Fine and interest together; nothing for a payment that is not late."""
    charged, late = np.zeros(len(days_late), dtype=np.int64), np.flatnonzero(days_late > 0)
    charges = late_charges(payment_cents[late], days_late[late])
    charged[late] = charges.fine + charges.interest
    return charged


def days_between(earlier: Dates, later: Dates) -> Int64s:
    """Negative where `later` is not."""
    return (later - earlier).astype(np.int64)


def loan_status(plan: Plan, loans: RowRange) -> Int64s:
    """Positions in LOAN_STATUSES."""
    state = fates_of(plan, loans).state
    is_settled = (state == HAPPY) & (loan_totals(plan, loans).last_due_on < reference_day(plan))
    status: Int64s = state + is_settled
    return status


def _amounts(made: Schedules, wanted: slice) -> dict[str, pa.Array]:
    columns = ("number", "payment_cents", "interest_cents", "amortization_cents", "balance_cents")
    return {column: pa.array(getattr(made, column)[wanted]) for column in columns}


def _installment_status(book: LoanBook, loan: Int64s, *, number: Int64s, is_due: Booleans) -> Int64s:
    has_ended = (book.state == CANCELLED) | (book.state == RENEGOTIATED)
    is_unpaid = number >= book.unpaid_from[loan]
    status = np.where(is_due, np.where(is_unpaid, OVERDUE, PAID), OPEN)
    return np.where(is_unpaid & has_ended[loan], ENDED, status)


def paid_on(plan: Plan, rows: RowRange, due_on: Dates) -> Dates:
    """When installments are paid, if at all: mostly on the due date, some days before or after it, never later than
    the reference date."""
    offset = PAYMENT_DAYS[draws_of(plan, "installments", rows).weighted("paid_on", PAYMENT_SHARES)]
    moved: Dates = np.minimum(due_on + offset, reference_day(plan))
    return moved

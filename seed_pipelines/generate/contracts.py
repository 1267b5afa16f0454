"""Contracts: one for each loan, with what the law has it say: CET, IOF, the total to pay, the charges for being late.

Contract numbers are a keyed permutation of the row's id, so each is once in the tenant, whatever the mode.
They are masked before they are stored.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.arrow import batch_of, dates, numbers, words
from seed_pipelines.generate.credit import LOAN_STATUSES, loan_status
from seed_pipelines.generate.identifiers import digit_rows, texts
from seed_pipelines.generate.loan_book import loan_book
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.planned import keys_of, reference_day, row_numbers
from seed_pipelines.lending.arrears import LATE_FEE_BP, LATE_INTEREST_MONTHLY_BP
from seed_pipelines.lending.cet import cet_of
from seed_pipelines.lending.charges import iof_cents
from seed_pipelines.lending.engine import schedules
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_ENTITY = "contracts"

# Ids stay below 2^53, and 2^53 below 10^16.
_CONTRACT_NUMBERS = 2**53
_NUMBER_WIDTH = 16


def contracts(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    book = loan_book(plan, rows)
    terms, made = book.terms, schedules(book.terms)
    iof = iof_cents(terms, made, book.borrower)
    cet = cet_of(terms, made, terms.principal_cents - iof)
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "loan_id": numbers(row_numbers(rows) + plan.first_id),
            "contract_number": _contract_numbers(plan, rows),
            "status": words(loan_status(book, reference_day(plan)), LOAN_STATUSES),
            "signed_on": dates(book.approved_on),
            "first_due_on": dates(terms.first_due_on),
            "last_due_on": dates(made.due_on[made.offsets[1:] - 1]),
            "total_payable_cents": numbers(np.add.reduceat(made.payment_cents, made.offsets[:-1])),
            "iof_cents": numbers(iof),
            "cet_annual_bp": numbers(cet.annual_bp),
            "cet_monthly_bp": numbers(cet.monthly_bp),
            "late_fee_bp": numbers(np.full(rows.rows, LATE_FEE_BP)),
            "late_interest_monthly_bp": numbers(np.full(rows.rows, LATE_INTEREST_MONTHLY_BP)),
        },
    )


def _contract_numbers(plan: Plan, rows: RowRange) -> pa.Array:
    key = integer_of(plan.data_key.identity_seed, _ENTITY, "contract_number")
    number = Permutation(size=_CONTRACT_NUMBERS, key=key).of(row_numbers(rows) + plan.first_id)
    return texts(digit_rows(number, width=_NUMBER_WIDTH))

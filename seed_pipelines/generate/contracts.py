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
from seed_pipelines.generate.loan_totals import loan_totals
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.planned import keys_of, row_numbers
from seed_pipelines.lending.arrears import LATE_FEE_BP, LATE_INTEREST_MONTHLY_BP
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_ENTITY = "contracts"

# Ids stay below 2^53, and 2^53 below 10^16.
_CONTRACT_NUMBERS = 2**53
_NUMBER_WIDTH = 16


def contracts(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    book, totals = loan_book(plan, rows), loan_totals(plan, rows)
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "loan_id": numbers(row_numbers(rows) + plan.first_id),
            "contract_number": _contract_numbers(plan, rows),
            "status": words(loan_status(plan, rows), LOAN_STATUSES),
            "signed_on": dates(book.approved_on),
            "first_due_on": dates(book.terms.first_due_on),
            "last_due_on": dates(totals.last_due_on),
            "total_payable_cents": numbers(totals.total_payable_cents),
            "iof_cents": numbers(totals.iof_cents),
            "cet_annual_bp": numbers(totals.cet_annual_bp),
            "cet_monthly_bp": numbers(totals.cet_monthly_bp),
            "late_fee_bp": numbers(np.full(rows.rows, LATE_FEE_BP)),
            "late_interest_monthly_bp": numbers(np.full(rows.rows, LATE_INTEREST_MONTHLY_BP)),
        },
    )


def _contract_numbers(plan: Plan, rows: RowRange) -> pa.Array:
    key = integer_of(plan.data_key.identity_seed, _ENTITY, "contract_number")
    number = Permutation(size=_CONTRACT_NUMBERS, key=key).of(row_numbers(rows) + plan.first_id)
    return texts(digit_rows(number, width=_NUMBER_WIDTH))

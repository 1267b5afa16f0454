"""Financial transactions: the release of every loan, then each installment that was paid, to the cent, with fine and
interest where that was late. Of a cancelled loan all that was received came back within seven days, as a refund.

How many a loan has follows from its fate; `transactions_of` counts them without working out a schedule. A
payment by Pix has an end-to-end id whose free part is a keyed permutation of the row's id, so no two are the same.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.affordability import MOST_COUNT
from seed_pipelines.generate.arrow import batch_of, dates, numbers, words
from seed_pipelines.generate.banks import BANK_CUMULATIVE, BANKS
from seed_pipelines.generate.credit import days_between, late_charges_cents, paid_on
from seed_pipelines.generate.identifiers import AsciiRows, ascii_table, base36_rows, digit_rows, texts
from seed_pipelines.generate.loan_book import CANCELLED, LoanBook, fates_of, loan_book, paid_counts
from seed_pipelines.generate.loan_totals import loan_totals
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.planned import draws_of, keys_of, reference_day, row_numbers
from seed_pipelines.generate.streams import positions
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.months import month_and_day
from seed_pipelines.lending.rounding import Booleans, Dates, Int64s
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_ENTITY = "financial_transactions"
KINDS = ("disbursement", "payment", "refund")
DISBURSEMENT, PAYMENT, REFUND = range(len(KINDS))
METHODS = ("pix", "boleto", "debit", "ted")
_PIX = METHODS.index("pix")

# A customer may withdraw for so many days (Código de Defesa do Consumidor, article 49).
MOST_DAYS_TO_WITHDRAW = 7

# Of a hundred payments by pix, boleto and debit; of a hundred releases or refunds by pix, and the rest by ted.
PAYMENT_METHOD_SHARES = (40, 75, 100)
_RELEASE_SHARES = (80, 80, 80, 100)

# Ids stay below 2^53; 36^11 is above 2^56.
_TAIL_NUMBERS = 2**56
_TAIL_WIDTH = 11
_REFUND_PLACE = (MOST_COUNT + 1) ** 2


def transactions_of(plan: Plan, loans: RowRange) -> Int64s:
    """How many transactions each loan has."""
    fates = fates_of(plan, loans)
    counts: Int64s = 1 + paid_counts(fates, reference_day(plan)) + (fates.state == CANCELLED)
    return counts


def financial_transactions(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    loan, ordinal = plan.relations[_ENTITY].parents_of(rows.first, rows.rows)
    loans = RowRange(first=int(loan[0]), rows=int(loan[-1] - loan[0]) + 1)
    book = loan_book(plan, loans)
    made, within = schedules(book.terms), loan - loans.first
    kind = np.where(ordinal == 0, DISBURSEMENT, np.where(book.state[within] == CANCELLED, REFUND, PAYMENT))
    # Of what is no payment, the loan's first installment, which is not looked at.
    installment = book.terms.offsets[within] + np.maximum(ordinal - 1, 0)
    first_installment = plan.relations["installments"].first_child(loans.first)
    paid = paid_on(plan, RowRange(first=first_installment, rows=len(made)), made.due_on)[installment]
    moved_on = np.where(kind == REFUND, _withdrawn_on(plan, loans, book)[within], book.released_on[within])
    occurred_on = np.where(kind == PAYMENT, paid, moved_on)
    charged = made.payment_cents[installment]
    charged += late_charges_cents(charged, days_between(made.due_on[installment], paid))
    method = _methods(plan, rows, kind == PAYMENT)
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "loan_id": numbers(loan + plan.first_id),
            "installment_id": pa.array(installment + first_installment + plan.first_id, mask=kind != PAYMENT),
            "kind": words(kind, KINDS),
            "amount_cents": numbers(np.where(kind == PAYMENT, charged, loan_totals(plan, loans).net_cents[within])),
            "occurred_on": dates(occurred_on),
            "method": words(method, METHODS),
            "description": _descriptions(kind, ordinal, book.count[within]),
            "reference": _references(plan, rows, occurred_on, is_pix=method == _PIX),
        },
    )


def _withdrawn_on(plan: Plan, loans: RowRange, book: LoanBook) -> Dates:
    """When whoever withdrew gave the money back."""
    days = draws_of(plan, "loans", loans).integers("withdrawn_on", low=1, high=MOST_DAYS_TO_WITHDRAW)
    withdrawn_on: Dates = np.minimum(book.released_on + days, reference_day(plan))
    return withdrawn_on


def _methods(plan: Plan, rows: RowRange, is_payment: Booleans) -> Int64s:
    drawn = draws_of(plan, _ENTITY, rows).scaled("method", 100)
    return np.where(is_payment, positions(drawn, PAYMENT_METHOD_SHARES), positions(drawn, _RELEASE_SHARES))


def _descriptions(kind: Int64s, ordinal: Int64s, count: Int64s) -> pa.Array:
    """Words about the contract, never about the person."""
    place = np.where(kind == REFUND, _REFUND_PLACE, count * (MOST_COUNT + 1) + ordinal)
    return _description_table().take(pa.array(place))


@cache
def _description_table() -> pa.Array:
    numbers_ = range(MOST_COUNT + 1)
    return pa.array(
        [
            f"Parcela {number} de {count}" if number else "Liberação do crédito"
            for count in numbers_
            for number in numbers_
        ]
        + ["Devolução por desistência"]
    )


def _references(plan: Plan, rows: RowRange, occurred_on: Dates, *, is_pix: Booleans) -> pa.Array:
    """End-to-end ids of Pix: E, the payer's institution, the minute in UTC and eleven letters or digits."""
    draws, chosen = draws_of(plan, _ENTITY, rows), np.flatnonzero(is_pix)
    ispb = ascii_table(tuple(bank.ispb for bank in BANKS))[draws.weighted("bank", BANK_CUMULATIVE)[chosen]]
    minute = draws.scaled("minute", 24 * 60)[chosen]
    key = integer_of(plan.data_key.identity_seed, _ENTITY, "reference")
    tail = Permutation(size=_TAIL_NUMBERS, key=key).of(row_numbers(rows)[chosen] + plan.first_id)
    ids = np.hstack(
        (
            np.full((len(chosen), 1), ord("E"), dtype=np.uint8),
            ispb,
            _compact_dates(occurred_on[chosen]),
            digit_rows(minute // 60 * 100 + minute % 60, width=4),
            base36_rows(tail, width=_TAIL_WIDTH),
        )
    )
    return texts(ids, present=is_pix)


def _compact_dates(days: Dates) -> AsciiRows:
    """YYYYMMDD."""
    month, day = month_and_day(days)
    year, month = np.divmod(month, 12)
    return digit_rows((year + 1970) * 10_000 + (month + 1) * 100 + day, width=8)

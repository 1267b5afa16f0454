"""Financial transactions: what was released, and what was paid."""

import re

import numpy as np
from factories import make_plan

from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.transactions import transactions_of
from seed_pipelines.plan import RowRange

PLAN = make_plan(customers=1_200, mode="carga")
TODAY = np.datetime64("2026-11-02")


def _columns(entity):
    batch = generate(PLAN, entity, first_row=0, rows=PLAN.rows[entity])
    return {name: batch[name].to_numpy(zero_copy_only=False) for name in batch.schema.names}


LOANS, INSTALLMENTS, ROWS = map(_columns, ("loans", "installments", "financial_transactions"))
IS_PAYMENT = ROWS["kind"] == "payment"
LOAN_OF = np.searchsorted(LOANS["id"], ROWS["loan_id"])
PAID = np.flatnonzero(INSTALLMENTS["status"] == "paid")


def test_every_paid_installment_has_its_payment_to_the_cent_and_no_other_installment_has():
    payments = np.flatnonzero(IS_PAYMENT)
    installment = ROWS["installment_id"][payments].astype(np.int64)
    np.testing.assert_array_equal(installment, INSTALLMENTS["id"][PAID])
    np.testing.assert_array_equal(ROWS["loan_id"][payments], INSTALLMENTS["loan_id"][PAID])
    charged = INSTALLMENTS["payment_cents"] + INSTALLMENTS["late_charges_cents"]
    np.testing.assert_array_equal(ROWS["amount_cents"][payments], charged[PAID])
    np.testing.assert_array_equal(ROWS["occurred_on"][payments], INSTALLMENTS["paid_on"][PAID])


def test_every_loan_is_released_once_with_the_amount_that_the_client_receives():
    releases = np.flatnonzero(ROWS["kind"] == "disbursement")
    np.testing.assert_array_equal(ROWS["loan_id"][releases], LOANS["id"])
    np.testing.assert_array_equal(ROWS["amount_cents"][releases], LOANS["net_amount_cents"])
    np.testing.assert_array_equal(ROWS["occurred_on"][releases], LOANS["released_on"])
    assert np.isnan(ROWS["installment_id"][releases].astype(float)).all()


def test_whoever_withdrew_gave_back_all_that_was_received_within_seven_days_and_nobody_else_did():
    refunds, cancelled = np.flatnonzero(ROWS["kind"] == "refund"), np.flatnonzero(LOANS["status"] == "cancelled")
    assert len(cancelled) == PLAN.state_rows["loans"]["cancelled"]
    np.testing.assert_array_equal(ROWS["loan_id"][refunds], LOANS["id"][cancelled])
    np.testing.assert_array_equal(ROWS["amount_cents"][refunds], LOANS["net_amount_cents"][cancelled])
    days = (ROWS["occurred_on"][refunds] - LOANS["released_on"][cancelled]).astype(int)
    assert set(days) == set(range(1, 8))
    assert np.isnan(ROWS["installment_id"][refunds].astype(float)).all()
    assert set(ROWS["description"][refunds]) == {"Devolução por desistência"}


def test_the_counter_agrees_with_the_rows_however_it_is_asked():
    whole = transactions_of(PLAN, RowRange(first=0, rows=PLAN.rows["loans"]))
    np.testing.assert_array_equal(whole, np.bincount(LOAN_OF, minlength=PLAN.rows["loans"]))
    for first in (0, 1, 700, PLAN.rows["loans"] - 1):
        part = transactions_of(PLAN, RowRange(first=first, rows=min(50, PLAN.rows["loans"] - first)))
        np.testing.assert_array_equal(part, whole[first : first + len(part)])


def test_nothing_happens_after_the_reference_date_or_before_the_release():
    assert (ROWS["occurred_on"] <= TODAY).all()
    assert (ROWS["occurred_on"] >= LOANS["released_on"][LOAN_OF]).all()


def test_transactions_by_pix_and_only_those_have_an_end_to_end_id_of_their_day():
    by_pix = ROWS["method"] == "pix"
    assert {text is not None for text in ROWS["reference"][by_pix]} == {True}
    assert {text is None for text in ROWS["reference"][~by_pix]} == {True}
    for text, day in zip(ROWS["reference"][by_pix], ROWS["occurred_on"][by_pix], strict=True):
        written = re.fullmatch(r"E(\d{8})(\d{8})([01]\d|2[0-3])[0-5]\d[0-9a-z]{11}", text)
        assert written is not None
        assert written[2] == str(day).replace("-", "")


def test_end_to_end_ids_are_unique_across_modes_and_by_their_free_part_alone():
    other = make_plan(customers=300, mode="baseline")
    batch = generate(other, "financial_transactions", first_row=0, rows=other.rows["financial_transactions"])
    ids = [text for text in (*ROWS["reference"], *batch["reference"].to_pylist()) if text is not None]
    assert len({text[-11:] for text in ids}) == len(ids)


def test_methods_fit_the_kind_and_come_in_their_shares():
    assert set(ROWS["method"][IS_PAYMENT]) == {"pix", "boleto", "debit"}
    assert set(ROWS["method"][~IS_PAYMENT]) == {"pix", "ted"}
    assert abs((ROWS["method"][IS_PAYMENT] == "pix").mean() - 0.40) < 0.02


def test_a_description_says_which_installment_of_how_many():
    number = INSTALLMENTS["number"][PAID]
    count = LOANS["installment_count"][LOAN_OF[IS_PAYMENT]]
    expected = [f"Parcela {one} de {all_}" for one, all_ in zip(number, count, strict=True)]
    assert ROWS["description"][IS_PAYMENT].tolist() == expected
    assert set(ROWS["description"][ROWS["kind"] == "disbursement"]) == {"Liberação do crédito"}


def test_cancelled_loans_were_never_paid_and_settled_ones_to_the_end():
    payments = np.bincount(LOAN_OF[IS_PAYMENT], minlength=len(LOANS["id"]))
    assert not payments[LOANS["status"] == "cancelled"].any()
    settled = LOANS["status"] == "settled"
    np.testing.assert_array_equal(payments[settled], LOANS["installment_count"][settled])

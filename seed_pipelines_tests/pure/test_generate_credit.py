"""Loans and installments."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow.compute as pc
import pytest
from factories import make_plan

from seed_pipelines.generate.rows import generate
from seed_pipelines.lending.arrears import bucket_of, official_late_charges
from seed_pipelines.lending.products import PRODUCT_DECK

TODAY = np.datetime64("2026-11-02")
PLAN = make_plan(customers=2_000, mode="carga")
PRODUCTS = {product.name: product for product in PRODUCT_DECK}


def _columns(entity, plan=PLAN):
    batch = generate(plan, entity, first_row=0, rows=plan.rows[entity])
    return {name: batch[name].to_numpy(zero_copy_only=False) for name in batch.schema.names}


CUSTOMERS, LOANS, INSTALLMENTS = map(_columns, ("customers", "loans", "installments"))
LOAN_OF = np.searchsorted(LOANS["id"], INSTALLMENTS["loan_id"])
STARTS = np.flatnonzero(np.diff(LOAN_OF, prepend=-1))
CUSTOMER_OF = np.searchsorted(CUSTOMERS["id"], LOANS["customer_id"])


def _first_unpaid_days():
    """Days since the first installment of each loan that is neither paid nor open; -1 where there is none."""
    late = np.where(np.isin(INSTALLMENTS["status"], ["overdue"]), (TODAY - INSTALLMENTS["due_on"]).astype(int), -1)
    return np.maximum.reduceat(late, STARTS)


def test_every_reference_leads_to_a_row():
    np.testing.assert_array_equal(CUSTOMERS["id"][CUSTOMER_OF], LOANS["customer_id"])
    np.testing.assert_array_equal(LOANS["id"][LOAN_OF], INSTALLMENTS["loan_id"])


def test_every_loan_has_its_installments_numbered_from_one():
    counts = np.bincount(LOAN_OF, minlength=len(LOANS["id"]))
    np.testing.assert_array_equal(counts, LOANS["installment_count"])
    np.testing.assert_array_equal(INSTALLMENTS["number"], np.arange(len(LOAN_OF)) - STARTS[LOAN_OF] + 1)


def test_amortizations_add_up_to_the_principal_and_nothing_is_owed_at_the_end():
    paid_back = np.add.reduceat(INSTALLMENTS["amortization_cents"], STARTS)
    np.testing.assert_array_equal(paid_back, LOANS["principal_cents"])
    last = np.append(STARTS[1:], len(LOAN_OF)) - 1
    assert not INSTALLMENTS["balance_cents"][last].any()
    payments = INSTALLMENTS["interest_cents"] + INSTALLMENTS["amortization_cents"]
    np.testing.assert_array_equal(payments, INSTALLMENTS["payment_cents"])


def test_the_client_receives_the_principal_less_iof():
    np.testing.assert_array_equal(LOANS["net_amount_cents"] + LOANS["iof_cents"], LOANS["principal_cents"])
    assert (LOANS["iof_cents"] > 0).all()


def test_cet_is_above_the_contract_s_own_rate():
    yearly = (1 + LOANS["monthly_rate_ppm"] / 1e6) ** 12 - 1
    assert (LOANS["cet_annual_bp"] / 1e4 > yearly).all()


def test_a_loan_is_one_of_its_product():
    for name, system, rate, principal in zip(
        LOANS["product"],
        LOANS["amortization_system"],
        LOANS["monthly_rate_ppm"],
        LOANS["principal_cents"],
        strict=True,
    ):
        product = PRODUCTS[name]
        assert system == product.amortization_system
        assert product.monthly_rate_ppm[0] <= rate <= product.monthly_rate_ppm[1]
        assert product.principal_cents[0] <= principal <= product.principal_cents[1]


def test_what_is_asked_for_is_a_round_amount_the_principal_or_with_financed_iof_what_is_received():
    is_financed = LOANS["iof_mode"] == "financed"
    assert set(LOANS["iof_mode"]) == {"withheld", "financed"}
    assert not (LOANS["principal_cents"][~is_financed] % 1_000).any()
    # Where cents oscillate the client gets one more, never one less.
    assert set(LOANS["net_amount_cents"][is_financed] % 1_000) <= {0, 1}
    assert (LOANS["principal_cents"][is_financed] % 1_000 > 0).mean() > 0.99


def test_a_tenth_of_the_loans_finance_their_iof_but_none_that_would_be_too_small_for_its_product():
    least = np.array([PRODUCTS[name].principal_cents[0] for name in LOANS["product"]])
    is_financed = LOANS["iof_mode"] == "financed"
    is_large = LOANS["principal_cents"] > least * 11 // 10
    assert abs(is_financed[is_large].mean() - 0.10) < 0.02
    assert not is_financed[LOANS["principal_cents"] == least].any()


def test_dates_follow_one_another():
    registered = CUSTOMERS["created_at"][CUSTOMER_OF].astype("datetime64[D]")
    for earlier, later in (
        (registered, LOANS["proposed_on"]),
        (LOANS["proposed_on"], LOANS["approved_on"]),
        (LOANS["approved_on"], LOANS["released_on"]),
        (LOANS["released_on"], np.full(len(registered), TODAY)),
    ):
        assert (earlier <= later).all()
    assert (registered < LOANS["proposed_on"]).all()


def test_the_first_installment_is_due_a_month_after_release():
    for released, first_due in zip(LOANS["released_on"].tolist(), LOANS["first_due_on"].tolist(), strict=True):
        following = date(released.year + released.month // 12, released.month % 12 + 1, 1)
        last_day = ((following + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
        assert first_due == following.replace(day=min(released.day, last_day))
    np.testing.assert_array_equal(INSTALLMENTS["due_on"][STARTS], LOANS["first_due_on"])


def test_each_state_has_exactly_the_planned_loans():
    counts = Counter(LOANS["status"])
    assert {state: counts[state] for state in PLAN.state_rows["loans"]} == dict(PLAN.state_rows["loans"])
    assert set(counts) == {*PLAN.state_rows["loans"], "active", "settled"}


def test_only_paid_installments_have_a_payment_and_it_is_not_in_the_future():
    is_paid = INSTALLMENTS["status"] == "paid"
    np.testing.assert_array_equal(is_paid, ~np.isnat(INSTALLMENTS["paid_on"]))
    paid_on, due_on = INSTALLMENTS["paid_on"][is_paid], INSTALLMENTS["due_on"][is_paid]
    assert (paid_on <= TODAY).all()
    assert (due_on < TODAY).all()
    assert (np.abs((paid_on - due_on).astype(int)) <= 5).all()
    assert (paid_on > LOANS["released_on"][LOAN_OF][is_paid]).all()


def test_a_payment_that_came_late_cost_fine_and_interest_and_no_other_did():
    days = (INSTALLMENTS["paid_on"] - INSTALLMENTS["due_on"]).astype(int)
    late = (INSTALLMENTS["status"] == "paid") & (days > 0)
    assert set(days[late]) == {1, 2, 3, 4, 5}
    assert not INSTALLMENTS["late_charges_cents"][~late].any()
    for charged, payment, days_late in zip(
        *(INSTALLMENTS[column][late].tolist() for column in ("late_charges_cents", "payment_cents")),
        days[late].tolist(),
        strict=True,
    ):
        official = official_late_charges(Decimal(payment).scaleb(-2), days_late=days_late)
        assert Decimal(charged).scaleb(-2) == official.fine + official.interest


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        ("active", {"paid", "open"}),
        ("settled", {"paid"}),
        ("delinquent", {"paid", "overdue", "open"}),
        ("written_off", {"paid", "overdue", "open"}),
        ("renegotiated", {"paid", "cancelled"}),
        ("cancelled", {"cancelled"}),
    ],
)
def test_installments_are_in_states_that_their_loan_s_allows(status, allowed):
    assert set(INSTALLMENTS["status"][LOANS["status"][LOAN_OF] == status]) == allowed


def test_installments_are_overdue_or_open_by_their_date():
    assert (INSTALLMENTS["due_on"][INSTALLMENTS["status"] == "overdue"] < TODAY).all()
    assert (INSTALLMENTS["due_on"][INSTALLMENTS["status"] == "open"] >= TODAY).all()


def test_nobody_pays_an_installment_after_one_that_was_left_out():
    left_out = np.isin(INSTALLMENTS["status"], ["overdue", "cancelled"])
    left_out_before = np.cumsum(left_out) - np.cumsum(left_out)[STARTS[LOAN_OF]] + left_out[STARTS[LOAN_OF]]
    assert not (left_out_before[INSTALLMENTS["status"] == "paid"]).any()


def test_delinquent_loans_are_in_every_bucket_up_to_a_year_and_written_off_ones_beyond():
    days = _first_unpaid_days()
    late = days[LOANS["status"] == "delinquent"]
    assert late.min() >= 1
    assert late.max() <= 360
    assert set(bucket_of(late).tolist()) == {1, 2, 3, 4, 5, 6}
    assert (days[LOANS["status"] == "written_off"] > 360).all()
    assert (days[np.isin(LOANS["status"], ["active", "settled", "cancelled", "renegotiated"])] == -1).all()


def test_a_baseline_has_happy_loans_only():
    assert set(_columns("loans", make_plan(customers=200))["status"]) == {"active", "settled"}


def test_loans_without_installments_take_the_terms_of_the_product_mix():
    plan = make_plan(customers=200, installments=0)
    batch = generate(plan, "loans", first_row=0, rows=plan.rows["loans"])
    assert set(pc.unique(batch["installment_count"]).to_pylist()) <= {3, 6, 10, 12, 18, 24, 36, 48}


@pytest.mark.parametrize("reference", ["2026-03-31T00:00:00Z", "2028-02-29T00:00:00Z", "2026-01-30T23:59:59Z"])
def test_month_ends_as_reference_date_keep_the_arrears_in_their_range(reference):
    plan = make_plan(customers=1_000, mode="dr", reference_datetime=reference)
    loans, rows = _columns("loans", plan), _columns("installments", plan)
    overdue = rows["status"] == "overdue"
    days = (np.datetime64(reference[:10]) - rows["due_on"]).astype(int)
    loan = np.searchsorted(loans["id"], rows["loan_id"])
    worst = np.zeros(len(loans["id"]), dtype=int)
    np.maximum.at(worst, loan[overdue], days[overdue])
    assert worst[loans["status"] == "delinquent"].min() >= 1
    assert worst[loans["status"] == "delinquent"].max() <= 360
    assert worst[loans["status"] == "written_off"].min() > 360

"""Credit limits: they cover what the customer owes."""

from collections import Counter

import numpy as np
from factories import make_plan

from seed_pipelines.generate.rows import generate

PLAN = make_plan(customers=900, mode="carga")


def _columns(entity, plan=PLAN):
    batch = generate(plan, entity, first_row=0, rows=plan.rows[entity])
    return {name: batch[name].to_numpy(zero_copy_only=False) for name in batch.schema.names}


CUSTOMERS, LIMITS, LOANS, INSTALLMENTS = map(_columns, ("customers", "credit_limits", "loans", "installments"))


def _owed_by_customer():
    """From the stored rows alone: the amortizations that are not paid, of loans that are active or late."""
    loan = np.searchsorted(LOANS["id"], INSTALLMENTS["loan_id"])
    counts = np.isin(LOANS["status"], ["active", "delinquent"])[loan] & (INSTALLMENTS["status"] != "paid")
    owed = np.zeros(len(CUSTOMERS["id"]), dtype=np.int64)
    customer = np.searchsorted(CUSTOMERS["id"], LOANS["customer_id"][loan])
    np.add.at(owed, customer[counts], INSTALLMENTS["amortization_cents"][counts])
    return owed


def test_every_customer_has_one_limit():
    np.testing.assert_array_equal(LIMITS["customer_id"], CUSTOMERS["id"])


def test_what_is_used_is_the_principal_owed_of_active_and_late_loans_to_the_cent():
    np.testing.assert_array_equal(LIMITS["used_cents"], _owed_by_customer())
    assert (LIMITS["used_cents"] > 0).any()
    assert (LIMITS["used_cents"] == 0).any()


def test_no_limit_is_below_what_is_used():
    assert (LIMITS["limit_cents"] >= LIMITS["used_cents"]).all()
    assert (LIMITS["limit_cents"] % 10_000 == 0).all()
    assert (LIMITS["limit_cents"] > 0).all()


def test_limits_grow_with_the_income_and_none_is_more_than_a_year_of_it():
    most = np.where(CUSTOMERS["kind"] == "PF", 12, 3) * CUSTOMERS["monthly_income_cents"]
    least = np.where(CUSTOMERS["kind"] == "PF", 2, 0.5) * CUSTOMERS["monthly_income_cents"]
    assert (LIMITS["limit_cents"] >= least).all()
    assert (LIMITS["used_cents"] <= most).all()
    assert (LIMITS["limit_cents"] <= -(-most // 10_000) * 10_000).all()


def test_each_state_has_exactly_the_planned_limits():
    assert Counter(LIMITS["status"])["blocked"] == PLAN.state_rows["credit_limits"]["blocked"] > 0


def test_limits_are_valid_beyond_the_reference_date():
    assert (LIMITS["valid_until"] > np.datetime64("2026-11-02")).all()


def test_without_loans_nothing_is_used():
    limits = _columns("credit_limits", make_plan(customers=50, loans=0, installments=0))
    assert not limits["used_cents"].any()


def test_customers_without_a_loan_among_them_use_nothing():
    plan = make_plan(customers=200, loans=2, installments=24)
    limits = [generate(plan, "credit_limits", first_row=row, rows=1)["used_cents"][0].as_py() for row in range(200)]
    assert limits == _columns("credit_limits", plan)["used_cents"].tolist()

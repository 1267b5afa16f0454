"""Income, products and amounts of loans fit together, customer by customer."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from factories import make_plan

from seed_pipelines.generate.loan_book import loan_book
from seed_pipelines.generate.people import income_cents
from seed_pipelines.generate.rows import COUNTERS, generate
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.products import PERSON_DECK, PRODUCT_DECK
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.plan import RowRange, plan_of
from seed_pipelines.profile.expected import expectations
from seed_pipelines.profile.incomes import burden_sample, product_shares

ROOT = Path(__file__).parents[2]
NAMES = np.array([product.name for product in PRODUCT_DECK])
TABLE = {product.name: PERSON_DECK.count(product) / 100 for product in PERSON_DECK}
LEAST = {product.name: product.principal_cents[0] for product in PRODUCT_DECK}


def plan_with(**wishes):
    return make_plan(mode="carga", financial_transactions=0, **wishes)


def book_and_incomes(plan):
    book = loan_book(plan, RowRange(first=0, rows=plan.rows["loans"]))
    return book, income_cents(plan, RowRange(first=0, rows=plan.rows["customers"]))


def sums_by_customer(book, values, customers):
    sums = np.zeros(customers, dtype=np.int64)
    np.add.at(sums, book.customer, values)
    return sums


@pytest.mark.parametrize(
    "wishes",
    [
        {"customers": 4_000},
        {"customers": 1_000, "loans": 9_000},
        {"customers": 1_000, "loans": 600},
        {"customers": 1_000, "installments": 2_000},
        {"customers": 1_000, "installments": 120_000},
        {"customers": 300, "loans": 600, "installments": 72_000},
        {"customers": 1_000, "installments": 0},
    ],
    ids=str,
)
def test_no_customer_s_loans_together_take_more_than_the_share_of_the_income_or_owe_more_than_a_year_of_it(wishes):
    plan = plan_with(**wishes)
    book, incomes = book_and_incomes(plan)
    company = np.zeros(len(incomes), dtype=bool)
    company[book.customer] = book.borrower != Borrower.PF
    made = schedules(book.terms)
    payments, last = made.payment_cents.copy(), made.offsets[1:] - 1
    # The last installment is whatever is left; of a loan of one there is no other.
    payments[last[book.count > 1]] = 0
    most = sums_by_customer(book, np.maximum.reduceat(payments, made.offsets[:-1]), len(incomes))
    assert (most * 100 <= incomes * np.where(company, 10, 30)).all()
    owed = sums_by_customer(book, book.terms.principal_cents, len(incomes))
    assert (owed <= incomes * np.where(company, 3, 12)).all()


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_products_of_people_are_near_the_mix_and_as_the_incomes_make_expect(tenant):
    plan = plan_with(customers=10_000, tenant=tenant)
    book, _ = book_and_incomes(plan)
    products = Counter(NAMES[book.product[book.borrower == Borrower.PF]])
    expected = product_shares(burden_sample(plan))
    assert set(products) == set(expected) == set(TABLE)
    assert sum(expected.values()) == pytest.approx(1)
    for name, share in expected.items():
        assert abs(products[name] / products.total() - share) < 0.012
        assert abs(share - TABLE[name]) < 0.08


def test_a_dear_product_is_taken_by_those_who_earn_more():
    book, incomes = book_and_incomes(plan_with(customers=6_000))
    medians = {name: np.median(incomes[book.customer[NAMES[book.product] == name]]) for name in TABLE}
    assert medians["vehicle_financing"] > 1.5 * medians["payroll_private"] > 1.5 * medians["personal_credit"]


def test_most_loans_are_above_the_least_amount_of_their_product():
    book, _ = book_and_incomes(plan_with(customers=4_000))
    least = np.array([LEAST[name] for name in NAMES])[book.product]
    assert (book.terms.principal_cents > least).mean() > 0.75


@pytest.mark.parametrize("first", [0, 1, 777, 1_999])
def test_a_loan_alone_is_the_same_as_among_all(first):
    plan = plan_with(customers=1_000)
    whole = loan_book(plan, RowRange(first=0, rows=2_000))
    alone = loan_book(plan, RowRange(first=first, rows=1))
    assert alone.product[0] == whole.product[first]
    assert alone.terms.principal_cents[0] == whole.terms.principal_cents[first]


def test_an_income_alone_is_the_same_as_among_all():
    plan = plan_with(customers=300)
    whole = income_cents(plan, RowRange(first=0, rows=300))
    assert [income_cents(plan, RowRange(first=row, rows=1))[0] for row in range(300)] == whole.tolist()


def test_loans_over_90_days_late_are_the_share_of_the_loans_in_force_that_banco_central_publishes():
    source = "manifests/dev/globex.yaml"
    plan = plan_of(parse_manifest((ROOT / source).read_bytes(), source=source), counters=COUNTERS)
    loans, rows = (generate(plan, name, first_row=0, rows=plan.rows[name]) for name in ("loans", "installments"))
    status = loans["status"].to_numpy(zero_copy_only=False)
    days = (np.datetime64("2026-11-02") - rows["due_on"].to_numpy(zero_copy_only=False)).astype(int)
    late = np.zeros(len(status), dtype=bool)
    overdue = rows["status"].to_numpy(zero_copy_only=False) == "overdue"
    late[np.searchsorted(loans["id"].to_numpy(), rows["loan_id"].to_numpy())[overdue & (days > 90)]] = True
    in_force = np.isin(status, ["active", "delinquent"])
    assert late[in_force].mean() == pytest.approx(0.054, abs=0.002)


@pytest.mark.parametrize(
    "wishes",
    [
        {"customers": 1, "loans": 1},
        {"customers": 2},
        {"customers": 9, "loans": 1},
        {"customers": 9, "loans": 0, "installments": 0},
        {"customers": 9, "installments": 0},
    ],
    ids=str,
)
def test_a_profile_of_a_small_plan_has_expectations_that_add_up(wishes):
    plan = plan_with(**wishes)
    found = {each.name: [share for _, share in each.shares.values()] for each in expectations(plan.rows, plan)}
    assert {"income", "revenue", "age_of_good_income"} <= set(found)
    assert all(sum(shares) == pytest.approx(1) for name, shares in found.items() if name != "amount" and any(shares))

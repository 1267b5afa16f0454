"""Customers that are companies, and their loans."""

import re
from datetime import date, timedelta

import numpy as np
import pytest
from factories import make_plan
from validate_docbr import CNPJ

from seed_pipelines.generate.oracle import Oracle, OracleSample, compare_with_oracle
from seed_pipelines.generate.people import (
    borrowers,
    customer_cities,
    customer_documents,
    customer_emails,
    customer_phones,
)
from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.charges import iof_cents
from seed_pipelines.lending.conventions import Borrower, System
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.loan_terms import LoanTerms
from seed_pipelines.mask.documents import mask_documents
from seed_pipelines.plan import RowRange

PLAN = make_plan(customers=4_000, mode="carga")
ROWS = generate(PLAN, "customers", first_row=0, rows=4_000)
CUSTOMERS = ROWS.to_pylist()
COMPANIES = [customer for customer in CUSTOMERS if customer["kind"] == "PJ"]
LOANS = generate(PLAN, "loans", first_row=0, rows=PLAN.rows["loans"])
COLUMNS = {name: LOANS[name].to_numpy(zero_copy_only=False) for name in LOANS.schema.names}
COMPANY_PRODUCTS = {"receivables", "working_capital"}


def test_an_eighth_of_the_customers_are_companies():
    assert abs(len(COMPANIES) / len(CUSTOMERS) - 0.12) < 0.02
    assert {customer["kind"] for customer in CUSTOMERS} == {"PF", "PJ"}


def test_companies_have_a_cnpj_a_company_s_name_and_mail_that_begins_with_it():
    folded = dict(zip(vocabulary().activities.words, vocabulary().activities.folded, strict=True))
    for company in COMPANIES:
        assert CNPJ().validate(company["document_number"])
        activity, _, _, form = company["name"].split(" ")
        assert form in ("Ltda", "S.A.")
        assert re.fullmatch(rf"{folded[activity]}\.[a-z]+\.[0-9a-z]{{6}}@example\.(com|org|net)", company["email"])


def test_only_companies_have_a_tax_regime_and_simples_has_its_ceiling():
    for customer in CUSTOMERS:
        assert (customer["tax_regime"] is None) == (customer["kind"] == "PF")
        if customer["tax_regime"] == "simples":
            assert customer["monthly_income_cents"] * 12 <= 480_000_000
            assert customer["name"].endswith(" Ltda")
    in_simples = sum(company["tax_regime"] == "simples" for company in COMPANIES)
    assert 0.7 < in_simples / len(COMPANIES) < 0.9


def test_companies_earn_more_than_people():
    revenue = np.median([company["monthly_income_cents"] for company in COMPANIES])
    assert 1_500_000 < revenue < 2_500_000


def test_a_company_was_opened_before_it_became_a_customer():
    for company in COMPANIES:
        registered = company["created_at"].date()
        assert company["born_on"] + timedelta(days=15) <= registered
        assert timedelta(days=460) <= date(2026, 11, 2) - registered
        assert company["born_on"] > date(1981, 1, 1)


def test_companies_have_letters_in_their_documents_once_they_are_young_enough():
    plan = make_plan(customers=4_000, mode="carga", reference_datetime="2032-01-01T00:00:00Z")
    customers = generate(plan, "customers", first_row=0, rows=4_000).to_pylist()
    lettered = [customer for customer in customers if not customer["document_number"].isdigit()]
    assert len(lettered) > 30
    assert all(customer["born_on"] >= date(2026, 7, 31) for customer in lettered)
    assert all(CNPJ().validate(customer["document_number"]) for customer in lettered)
    assert len({customer["document_number"] for customer in customers}) == 4_000


def test_the_same_rows_are_companies_in_every_version():
    new = make_plan(customers=4_000, mode="carga", version="3.0.0", salt_version="other")
    assert generate(new, "customers", first_row=0, rows=4_000)["kind"] == ROWS["kind"]


def test_people_and_companies_are_masked_in_one_column():
    masked = mask_documents(ROWS["document_number"], key=bytes(range(32)), column="customers.document_number")
    assert len(set(masked.to_pylist())) == 4_000
    assert [len(document) for document in masked.to_pylist()] == [len(each["document_number"]) for each in CUSTOMERS]


@pytest.mark.parametrize(("first", "rows"), [(0, 1), (17, 400), (3_999, 1), (0, 4_000)])
def test_what_other_generators_ask_of_customers_is_what_their_rows_say(first, rows):
    part, asked = ROWS.slice(first, rows), RowRange(first=first, rows=rows)
    assert customer_documents(PLAN, asked) == part["document_number"]
    assert customer_emails(PLAN, asked) == part["email"]
    assert customer_phones(PLAN, asked) == part["phone"]
    cities = [vocabulary().cities[city].name for city in customer_cities(PLAN, asked)]
    assert cities == part["city"].to_pylist()
    kinds = {None: Borrower.PF, "regular": Borrower.PJ, "simples": Borrower.SIMPLES}
    assert borrowers(PLAN, asked).tolist() == [kinds[regime] for regime in part["tax_regime"].to_pylist()]


def _borrower_of_loans():
    customer = COLUMNS["customer_id"] - PLAN.first_id
    return borrowers(PLAN, RowRange(first=0, rows=4_000))[customer]


def test_companies_borrow_what_is_for_companies_and_people_what_is_for_people():
    is_company = _borrower_of_loans() != Borrower.PF
    for_companies = np.isin(COLUMNS["product"], list(COMPANY_PRODUCTS))
    np.testing.assert_array_equal(is_company, for_companies)
    assert set(COLUMNS["product"][is_company]) == COMPANY_PRODUCTS


@pytest.mark.parametrize(("product", "percent"), [("receivables", 1.48), ("working_capital", 1.66)])
def test_rates_are_around_the_published_averages(product, percent):
    rates = COLUMNS["monthly_rate_ppm"][COLUMNS["product"] == product] / 10_000
    assert abs(rates.mean() - percent) < 0.06


def test_iof_follows_the_kind_of_borrower():
    system = {"price": System.PRICE, "sac": System.SAC}
    terms = LoanTerms(
        principal_cents=COLUMNS["principal_cents"],
        monthly_rate_ppm=COLUMNS["monthly_rate_ppm"].astype(np.int64),
        count=COLUMNS["installment_count"].astype(np.int64),
        system=np.array([system[name] for name in COLUMNS["amortization_system"]], dtype=np.int64),
        released_on=COLUMNS["released_on"],
        first_due_on=COLUMNS["first_due_on"],
    )
    made, borrower = schedules(terms), _borrower_of_loans()
    np.testing.assert_array_equal(COLUMNS["iof_cents"], iof_cents(terms, made, borrower))
    as_people = iof_cents(terms, made, np.full(len(terms), Borrower.PF))
    assert (COLUMNS["iof_cents"] < as_people)[borrower == Borrower.SIMPLES].mean() > 0.5


def test_the_official_calculation_agrees_on_loans_of_companies():
    first = int(np.flatnonzero(_borrower_of_loans() != Borrower.PF)[5])
    part = LOANS.slice(first, 30)
    oracle = Oracle(loans_per_batch=30)
    assert compare_with_oracle(PLAN, "loans", first_row=first, rows=part, oracle=oracle) == OracleSample(loans=30)

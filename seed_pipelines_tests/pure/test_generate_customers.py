"""Customers."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from factories import make_plan
from validate_docbr import CPF

from seed_pipelines.errors import UniquesExhausted
from seed_pipelines.generate.identifiers import PLACES_PER_MODE
from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary

REFERENCE = datetime(2026, 11, 2, tzinfo=UTC)
PLAN = make_plan(customers=4_000, mode="carga")
ROWS = generate(PLAN, "customers", first_row=0, rows=4_000)
CUSTOMERS = ROWS.to_pylist()
PEOPLE = [customer for customer in CUSTOMERS if customer["kind"] == "PF"]
CITIES = {(city.uf, city.name): city for city in vocabulary().cities}


def _customers(**wishes):
    plan = make_plan(customers=4_000, **wishes)
    return generate(plan, "customers", first_row=0, rows=plan.rows["customers"])


def test_documents_are_valid_and_of_the_state_where_the_customer_lives():
    for customer in PEOPLE:
        assert CPF().validate(customer["document_number"])
        assert int(customer["document_number"][8]) == CITIES[customer["uf"], customer["city"]].fiscal_region


def test_names_are_a_given_name_and_two_different_surnames_of_the_lists():
    given, surnames = set(vocabulary().given.words), set(vocabulary().surnames.words)
    for customer in PEOPLE:
        first, second, third = customer["name"].split(" ")
        assert first in given
        assert {second, third} <= surnames
        assert second != third


def test_mail_goes_to_reserved_domains_and_spells_the_name_in_plain_letters():
    shape = re.compile(r"[a-z]+\.[a-z]+\.[0-9a-z]{6}@example\.(com|org|net)")
    for customer in CUSTOMERS:
        assert shape.fullmatch(customer["email"])
        assert len(customer["email"].split("@")[0]) >= 8
    assert len({customer["email"] for customer in CUSTOMERS}) == len(CUSTOMERS)


def test_phones_are_mobile_numbers_of_the_city():
    for customer in CUSTOMERS:
        ddd = CITIES[customer["uf"], customer["city"]].ddd
        assert re.fullmatch(rf"\+55{ddd}9[0-9]{{8}}", customer["phone"])


def test_people_registered_as_adults_and_are_not_over_eighty():
    for customer in PEOPLE:
        born, registered = customer["born_on"], customer["created_at"]
        assert born <= date(registered.year - 18, registered.month, min(registered.day, 28))
        assert born > date(REFERENCE.year - 80, 1, 1)
        assert timedelta(days=458) <= REFERENCE - registered <= timedelta(days=8 * 365 + 1)


def test_states_have_the_share_of_the_people_that_the_census_counted():
    shares = Counter(customer["uf"] for customer in CUSTOMERS)
    assert abs(shares["SP"] / len(CUSTOMERS) - 0.2187) < 0.02
    assert abs(shares["MG"] / len(CUSTOMERS) - 0.1011) < 0.02
    assert len(shares) == 27


def test_incomes_are_whole_reais_and_about_half_of_them_are_below_the_median():
    incomes = np.array([customer["monthly_income_cents"] for customer in PEOPLE])
    assert (incomes % 100 == 0).all()
    assert incomes.min() >= 54_000
    assert abs((incomes < 260_000).mean() - 0.5) < 0.03


def test_the_young_earn_least_and_people_between_45_and_60_most():
    ages = np.array([(REFERENCE.date() - customer["born_on"]).days / 365.25 for customer in PEOPLE])
    incomes = np.array([customer["monthly_income_cents"] for customer in PEOPLE])
    bands = [(0, 25), (25, 35), (35, 45), (45, 60), (60, 80)]
    medians = [np.median(incomes[(ages >= first) & (ages < stop)]) for first, stop in bands]
    assert medians[0] < 0.75 * medians[1] < 0.75 * medians[2]
    assert max(medians) == medians[3] > medians[4] > medians[1]


@pytest.mark.parametrize("percent", [0, 1, 33, 100])
def test_exactly_the_planned_customers_are_blocked(percent):
    states = {"customers": {"blocked": percent}} if percent else {}
    statuses = Counter(_customers(mode="carga", states=states)["status"].to_pylist())
    assert statuses["blocked"] == 4_000 * percent // 100
    assert set(statuses) <= {"blocked", "active"}


def test_documents_and_mail_are_unique_across_the_modes_of_a_tenant():
    batches = [_customers(mode=mode) for mode in ("baseline", "carga", "dr", "canary")]
    for column in ("document_number", "email"):
        values = [value for batch in batches for value in batch[column].to_pylist()]
        assert len(set(values)) == len(values)


def test_a_new_version_leaves_the_document_s_first_digits_with_their_row():
    new = _customers(mode="carga", version="2.0.0")
    bases = [[value[:8] for value in batch["document_number"].to_pylist()] for batch in (ROWS, new)]
    assert bases[0] == bases[1]
    assert ROWS["name"] != new["name"]


@pytest.mark.parametrize(
    "other", [{"tenant": "globex"}, {"environment": "staging"}, {"version": "1.0.1"}, {"salt_version": "2026b"}]
)
def test_each_name_of_the_seed_changes_the_people(other):
    assert _customers(mode="carga", **other)["name"] != ROWS["name"]


def test_another_reference_date_moves_the_dates_and_nothing_else():
    later = _customers(mode="carga", reference_datetime="2026-11-12T00:00:00Z")
    for column in ROWS.schema.names:
        if column not in ("born_on", "created_at"):
            assert later[column] == ROWS[column]
    born = [batch["born_on"].to_pylist() for batch in (later, ROWS)]
    assert {after - before for after, before in zip(*born, strict=True)} == {timedelta(days=10)}


def test_the_tenant_is_older_than_its_customers():
    tenant = generate(PLAN, "tenants", first_row=0, rows=1).to_pylist()[0]
    assert (tenant["slug"], tenant["environment"], tenant["mode"]) == ("acme", "dev", "carga")
    assert tenant["created_at"] < min(customer["created_at"] for customer in CUSTOMERS)


def test_a_plan_with_more_customers_than_documents_is_refused_at_its_first_row():
    plan = make_plan(customers=PLACES_PER_MODE + 1, loans=0)
    with pytest.raises(UniquesExhausted):
        generate(plan, "customers", first_row=0, rows=1)

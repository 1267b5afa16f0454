"""Consultants, and the customers whom they serve."""

import re
from collections import Counter
from datetime import date

import pytest
from factories import make_plan

from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary

TODAY = date(2026, 11, 2)
DDDS = {(city.uf, city.ddd) for city in vocabulary().cities}


def _rows(entity, **wishes):
    plan = make_plan(**{"consultants": 1_000, **wishes})
    return generate(plan, entity, first_row=0, rows=plan.rows[entity]).to_pylist()


CONSULTANTS = _rows("consultants")


def test_phones_are_mobile_numbers_of_the_state():
    for consultant in CONSULTANTS:
        assert re.fullmatch(r"\+55[0-9]{2}9[0-9]{8}", consultant["phone"])
        assert (consultant["uf"], consultant["phone"][3:5]) in DDDS


def test_commissions_are_quarters_of_a_percent_up_to_three():
    assert {consultant["commission_bp"] for consultant in CONSULTANTS} == set(range(50, 301, 25))


def test_consultants_were_hired_before_the_reference_date_and_after_the_tenant_began():
    for consultant in CONSULTANTS:
        assert date(2017, 11, 4) < consultant["hired_on"] < TODAY


def test_addresses_are_unique_across_modes_and_others_than_those_of_users():
    addresses = [
        row["email"]
        for mode in ("baseline", "carga", "dr", "canary")
        for entity in ("consultants", "users")
        for row in _rows(entity, users=1_000, mode=mode)
    ]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("percent", [3, 50])
def test_exactly_the_planned_consultants_are_blocked(percent):
    consultants = _rows("consultants", mode="dr", states={"consultants": {"blocked": percent}})
    assert Counter(each["status"] for each in consultants)["blocked"] == 10 * percent


def test_every_customer_is_served_by_a_consultant_of_the_plan():
    customers = _rows("customers", consultants=7, customers=3_000, mode="carga")
    served = Counter(customer["consultant_id"] for customer in customers)
    assert set(served) == {consultant["id"] for consultant in _rows("consultants", consultants=7, mode="carga")}
    assert min(served.values()) > 300


def test_a_plan_without_consultants_leaves_customers_unserved():
    assert {customer["consultant_id"] for customer in _rows("customers", consultants=0)} == {None}

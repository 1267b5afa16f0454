"""Users of the tenant's system."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from factories import make_plan

from seed_pipelines.errors import UniquesExhausted
from seed_pipelines.generate.identifiers import PLACES_PER_MODE
from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary

REFERENCE = datetime(2026, 11, 2, tzinfo=UTC)
MODES = ("baseline", "carga", "dr", "canary")


def _users(users=2_000, **wishes):
    plan = make_plan(users=users, **wishes)
    return generate(plan, "users", first_row=0, rows=plan.rows["users"]).to_pylist()


USERS = _users()


def test_users_have_names_of_people_and_mail_on_reserved_domains_that_spells_them():
    given = dict(zip(vocabulary().given.words, vocabulary().given.folded, strict=True))
    surnames = dict(zip(vocabulary().surnames.words, vocabulary().surnames.folded, strict=True))
    for user in USERS:
        first, second, third = user["name"].split(" ")
        assert second != third
        assert {second, third} <= set(surnames)
        start = re.escape(f"{given[first]}.{surnames[second]}.")
        assert re.fullmatch(rf"{start}[0-9a-z]{{6}}@example\.(com|org|net)", user["email"])


def test_addresses_are_unique_across_the_modes_of_a_tenant():
    addresses = [user["email"] for mode in MODES for user in _users(mode=mode)]
    assert len(set(addresses)) == len(addresses)


def test_nobody_logged_in_before_the_account_was_made_or_after_the_reference_date():
    for user in USERS:
        assert REFERENCE - timedelta(days=2_920) <= user["created_at"] < REFERENCE
        if user["last_login_at"] is not None:
            assert user["created_at"] < user["last_login_at"] < REFERENCE


def test_some_users_never_came():
    never = sum(user["last_login_at"] is None for user in USERS)
    assert 0.03 < never / len(USERS) < 0.12


def test_most_users_are_operators_and_few_administrators():
    roles = Counter(user["role"] for user in USERS)
    assert set(roles) == {"operator", "analyst", "manager", "auditor", "admin"}
    assert abs(roles["operator"] / len(USERS) - 0.45) < 0.04
    assert abs(roles["admin"] / len(USERS) - 0.04) < 0.02


@pytest.mark.parametrize("percent", [0, 7, 100])
def test_exactly_the_planned_users_are_blocked(percent):
    states = {"users": {"blocked": percent}} if percent else {}
    statuses = Counter(user["status"] for user in _users(mode="carga", states=states))
    assert statuses["blocked"] == 20 * percent
    assert set(statuses) <= {"blocked", "active"}


def test_more_users_than_a_mode_has_addresses_are_refused_at_the_first_row():
    plan = make_plan(users=PLACES_PER_MODE + 1)
    with pytest.raises(UniquesExhausted, match=r"volumetry\.users\.cap"):
        generate(plan, "users", first_row=0, rows=1)

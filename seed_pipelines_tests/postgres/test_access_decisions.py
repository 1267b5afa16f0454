"""Decisions leave a row before they are used, which nobody can change; one that cannot be recorded is a no."""

from dataclasses import replace
from time import time

import psycopg
import pytest

from seed_pipelines.api.access.caller import Action, Caller
from seed_pipelines.api.access.decide import AccessControl
from seed_pipelines.control import roles
from seed_pipelines.errors import AccessNotConfigured, DatabaseUnavailable, Forbidden, LocalTokenRefused
from seed_pipelines.outside import token_key_file
from seed_pipelines.settings import from_environment

POLICY = b"""\
version: 2.1.0
rules:
  - name: operators
    who: {roles: [operator]}
    actions: [read, run]
    tenants: [acme]
    environments: [dev, staging]
    modes: [baseline, dr]
"""


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "policy.yaml").write_bytes(POLICY)
    return {"SEED_HOME": str(tmp_path / "home"), "SEED_API_POLICY": str(tmp_path / "policy.yaml")}


@pytest.fixture
def control(seeded, environ):
    return AccessControl.of(from_environment(environ), connections=lambda: seeded.connection(roles.API))


def caller(*held, subject="maria@example.com"):
    return Caller(issuer="here", subject=subject, claims={"roles": list(held)}, digest="ab" * 32)


def decisions(seeded):
    with seeded.superuser() as connection:
        return connection.execute("SELECT * FROM seed_control.access_decision ORDER BY id").fetchall()


def test_a_yes_and_a_no_leave_a_row_each(seeded, control):
    asked = {"tenant": "acme", "environment": "dev", "mode": "baseline"}
    control.allow(caller("operator"), action=Action.RUN, **asked)
    with pytest.raises(Forbidden):
        control.allow(caller("operator"), action=Action.PURGE, **asked)
    yes, no = decisions(seeded)
    same = {"subject_digest": "ab" * 32, "policy_version": "2.1.0", "policy_sha256": control.policy.sha256} | asked
    assert same.items() <= yes.items()
    assert same.items() <= no.items()
    assert (yes["action"], yes["rule"], yes["allowed"]) == ("run", "operators", True)
    assert (no["action"], no["rule"], no["allowed"]) == ("purge", None, False)
    assert yes["decided_at"] <= no["decided_at"]


NO_NAMES = [
    ({"tenant": "maria@example.com"}, {"tenant": "?", "environment": "dev"}),
    ({"tenant": "12345678909"}, {"tenant": "?"}),
    ({"environment": "dev\n"}, {"environment": "?", "tenant": "acme"}),
    ({"environment": ""}, {"environment": "?"}),
    ({"mode": "123.456.789-09"}, {"mode": None}),
    ({"mode": None}, {"mode": None}),
]


def test_what_is_no_name_is_denied_and_not_kept(seeded, control):
    for asked, _ in NO_NAMES:
        whole = {"tenant": "acme", "environment": "dev", "mode": "baseline"} | asked
        with pytest.raises(Forbidden):
            control.allow(caller("operator"), action=Action.READ, **whole)
    rows = decisions(seeded)
    for (_, recorded), row in zip(NO_NAMES, rows, strict=True):
        assert recorded.items() <= row.items()
    assert "maria" not in str(rows)


def test_without_an_identity_provider_no_environment_but_dev_opens(seeded, control):
    with pytest.raises(Forbidden):
        control.allow(caller("operator"), action=Action.RUN, tenant="acme", environment="staging", mode="dr")
    (row,) = decisions(seeded)
    assert (row["environment"], row["allowed"]) == ("staging", False)
    replace(control, only_environment=None).allow(
        caller("operator"), action=Action.RUN, tenant="acme", environment="staging", mode="dr"
    )


FORBIDDEN = [
    "SELECT FROM seed_control.access_decision",
    "UPDATE seed_control.access_decision SET rule = 'mine'",
    "DELETE FROM seed_control.access_decision",
    "TRUNCATE seed_control.access_decision",
    "INSERT INTO seed_control.access_decision (decided_at) VALUES ('2000-01-01')",
    "INSERT INTO seed_control.access_decision (id) OVERRIDING SYSTEM VALUE VALUES (1)",
]


def test_a_decision_cannot_be_changed_dated_or_read_by_those_who_make_it(seeded):
    for role in (roles.API, roles.LOADER, roles.APPLICATION):
        with seeded.connection(role) as connection:
            for statement in FORBIDDEN:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


def test_the_auditor_reads_the_decisions_and_adds_none(seeded, control):
    control.allow(caller("operator"), action=Action.READ, tenant="acme", environment="dev", mode="dr")
    with seeded.connection(roles.AUDITOR) as auditor:
        (row,) = auditor.execute("SELECT action, allowed FROM seed_control.access_decision").fetchall()
        assert row == {"action": "read", "allowed": True}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            auditor.execute("INSERT INTO seed_control.access_decision (action) VALUES ('read')")


def test_a_decision_that_cannot_be_recorded_is_a_no(seeded, environ, postgres_server):
    elsewhere = AccessControl.of(
        from_environment(environ), connections=lambda: seeded.connection("nobody-of-that-name")
    )
    with pytest.raises(DatabaseUnavailable):
        elsewhere.allow(caller("operator"), action=Action.READ, tenant="acme", environment="dev", mode="dr")
    assert decisions(seeded) == []


PROVIDER = {
    "SEED_API_JWKS": "https://id.example.com/jwks",
    "SEED_API_ISSUER": "https://id.example.com",
    "SEED_API_AUDIENCE": "seed-api",
    "SEED_API_SUBJECT_KEY": "0f" * 32,
}


@pytest.mark.parametrize("missing", [*list(PROVIDER)[1:], "SEED_API_POLICY"])
def test_with_an_identity_provider_all_of_it_has_to_be_said(environ, missing):
    whole = environ | PROVIDER
    whole.pop(missing)
    with pytest.raises(AccessNotConfigured):
        AccessControl.of(from_environment(whole), connections=lambda: None)


@pytest.mark.parametrize("changes", [{"SEED_ENVIRONMENT": "staging"}, {"CI": "true"}])
def test_without_an_identity_provider_only_dev_is_served_and_not_under_ci(environ, changes):
    with pytest.raises(LocalTokenRefused):
        AccessControl.of(from_environment(environ | changes), connections=lambda: None)


def test_a_local_token_is_who_it_says_and_the_built_in_policy_lets_it(seeded, tmp_path):
    settings = from_environment({"SEED_HOME": str(tmp_path)})
    control = AccessControl.of(settings, connections=lambda: seeded.connection(roles.API))
    token = token_key_file.token_of(tmp_path, subject="me", roles=("developer",), issued_at=int(time()), seconds=60)
    me = control.caller_of(f"Bearer {token}")
    control.allow(me, action=Action.PURGE, tenant="globex", environment="dev")
    with pytest.raises(Forbidden):
        control.allow(me, action=Action.READ, tenant="globex", environment="production")
    assert [row["subject_digest"] for row in decisions(seeded)] == [me.digest, me.digest]

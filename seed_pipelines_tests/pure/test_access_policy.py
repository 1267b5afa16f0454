"""The policy of the API: what its rules allow, that all else is denied, and that a slip of the pen opens nothing."""

from pathlib import Path

import pytest

from seed_pipelines.api.access.caller import Action, Caller
from seed_pipelines.api.access.decide import DEV_POLICY
from seed_pipelines.api.access.policy import SOME_MODE, Question, parse_policy
from seed_pipelines.errors import PolicyRejected

SAMPLE = Path(__file__).parents[2] / "infra/access/policy.yaml"


def caller(subject="somebody", **claims):
    return Caller(issuer="https://id.example.com", subject=subject, claims=claims, digest="0" * 64)


def rule_for(policy, who, action, *, tenant="acme", environment="staging", mode="baseline"):
    rule = policy.rule_for(who, Question(action=Action(action), tenant=tenant, environment=environment, mode=mode))
    return rule and rule.name


@pytest.fixture(scope="module")
def sample():
    return parse_policy(SAMPLE.read_bytes(), source="policy.yaml")


OPERATOR = caller(realm_access={"roles": ["seed-operator", "other"]})
RECOVERY = caller(realm_access={"roles": ["seed-recovery"]})
AUDITOR = caller(realm_access={"roles": ["seed-auditor"]})
DEVELOPER = caller(groups="lending-developers")
PORTAL = caller("service-account-portal", tenants=["acme", "globex"])


@pytest.mark.parametrize(
    ("who", "asked", "rule"),
    [
        (OPERATOR, {"action": "run"}, "operators"),
        (OPERATOR, {"action": "run", "environment": "production"}, None),
        (OPERATOR, {"action": "purge"}, None),
        (RECOVERY, {"action": "purge", "mode": "dr"}, "recovery-team-purges"),
        (RECOVERY, {"action": "purge", "mode": "baseline"}, None),
        (RECOVERY, {"action": "purge", "mode": None}, None),
        (AUDITOR, {"action": "read", "environment": "production", "mode": None}, "auditors-read"),
        (AUDITOR, {"action": "validate"}, None),
        (DEVELOPER, {"action": "cancel", "environment": "dev"}, "developers-in-dev"),
        (DEVELOPER, {"action": "cancel", "environment": "staging"}, None),
        (PORTAL, {"action": "run", "tenant": "globex"}, "portal"),
        (PORTAL, {"action": "run", "tenant": "initech"}, None),
        (PORTAL, {"action": "cancel", "tenant": "acme"}, None),
        (PORTAL, {"action": "read", "mode": None}, None),
        (PORTAL, {"action": "read", "mode": SOME_MODE}, "portal"),
        (PORTAL, {"action": "cancel", "mode": SOME_MODE}, None),
        (PORTAL, {"action": "read", "mode": SOME_MODE, "tenant": "initech"}, None),
        (PORTAL, {"action": "validate", "mode": SOME_MODE, "environment": "production"}, None),
        (RECOVERY, {"action": "validate", "mode": SOME_MODE}, None),
        (caller(), {"action": "read"}, None),
        (caller(roles=["seed-operator"]), {"action": "run"}, None),
        (caller(realm_access="seed-operator"), {"action": "run"}, None),
        (caller(realm_access={"roles": {"seed-operator": True}}), {"action": "run"}, None),
        (caller(realm_access={"roles": [["seed-operator"]]}), {"action": "run"}, None),
        (caller("service-account-portal"), {"action": "run"}, None),
        (caller("service-account-portal", tenants=["*"]), {"action": "run"}, None),
        (caller("service-account-portal", tenants=["$own"]), {"action": "run"}, None),
    ],
)
def test_the_sample_policy_allows_what_its_rules_say_and_denies_the_rest(sample, who, asked, rule):
    assert rule_for(sample, who, **asked) == rule


def test_a_policy_reaches_the_tenants_and_environments_of_its_rules_whatever_they_allow(sample):
    found = [
        (tenant, environment)
        for tenant in ("acme", "initech")
        for environment in ("dev", "staging", "production")
        if sample.reaches(PORTAL, tenant=tenant, environment=environment)
    ]
    assert found == [("acme", "dev"), ("acme", "staging")]
    assert sample.reaches(AUDITOR, tenant="initech", environment="production")
    assert not sample.reaches(caller(), tenant="acme", environment="dev")


def test_a_claim_whose_name_has_dots_in_it_is_found_as_it_is():
    policy = parse_policy(
        SAMPLE.read_bytes().replace(b"realm_access.roles", b"https://example.com/roles"), source="policy.yaml"
    )
    assert rule_for(policy, caller(**{"https://example.com/roles": ["seed-operator"]}), "run") == "operators"


def test_a_policy_without_rules_denies_everybody_everything():
    policy = parse_policy(b"version: 1.0.0\nrules: []\n", source="policy.yaml")
    assert all(rule_for(policy, OPERATOR, action) is None for action in Action)


def test_the_version_and_hash_of_a_policy_say_which_one_decided(sample):
    other = parse_policy(SAMPLE.read_bytes() + b"# A word more.\n", source="policy.yaml")
    assert (sample.version, len(sample.sha256)) == ("1.0.0", 64)
    assert other.sha256 != sample.sha256


@pytest.mark.parametrize(
    ("old", "new", "place", "word"),
    [
        ("who: {", "whom: {", "4:5", "rules[0].whom is not known"),
        ("roles: [developer]", "role: [developer]", "4:11", "rules[0].who.role is not known"),
        ("roles: [developer]", "roles: []", "4:10", "names nobody"),
        ("roles: [developer]", "roles: developer", "4:18", "has to be a list"),
        ("[dev]", "[]", "7:19", "at least one"),
        ("[dev]", "dev", "7:19", "has to be a list"),
        ("[dev]", "[Dev]", "7:20", "neither a name nor a word"),
        ("[dev]", '["d*"]', "7:20", "neither a name nor a word"),
        ("purge]", "delete]", "5:44", "'purge'"),
        ('modes: ["*"]', "modes: [weekly]", "8:13", "'canary'"),
        ('modes: ["*"]', "", "3:5", "lacks a field (modes)"),
        ("version: 1.0.0", "version: 1.0", "1:10", "quote it"),
        ("version: 1.0.0", "version: one", "1:10", "MAJOR.MINOR.PATCH"),
        ("version: 1.0.0", "version: 1.0.0\nversion: 2.0.0", "2:1", "twice"),
        ("who: {roles", "who: &all {roles", "4:10", "anchor"),
        ("rules:", "allow:", "2:1", "not known"),
    ],
)
def test_a_policy_with_a_slip_of_the_pen_is_refused_with_its_place(old, new, place, word):
    text = DEV_POLICY.decode()
    assert old in text
    with pytest.raises(PolicyRejected) as refused:
        parse_policy(text.replace(old, new).encode(), source="policy.yaml")
    assert any(line.startswith(f"policy.yaml:{place}: ") and word in line for line in str(refused.value).splitlines())


def test_two_rules_cannot_have_one_name():
    rules = DEV_POLICY.split(b"rules:\n")[1]
    with pytest.raises(PolicyRejected, match="two rules of one name"):
        parse_policy(DEV_POLICY + rules, source="policy.yaml")

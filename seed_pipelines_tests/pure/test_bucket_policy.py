"""The bucket's policy, evaluated as AWS does: a Deny that fits wins, and what no statement allows is denied."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from seed_pipelines.outside import object_lock
from seed_pipelines.outside.report_store import report_key

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infra/terraform/bucket-policy.json.tftpl"
WRITER, ADMINISTRATOR, STRANGER = (f"arn:aws:iam::111122223333:role/{name}" for name in ("writer", "admin", "stranger"))
BUCKET = "arn:aws:s3:::seed-reports-staging"
REPORT = f"{BUCKET}/reports/{report_key(environment='staging', tenant='acme', run_id='run-1')}"
LOCKED = {"s3:object-lock-mode": "COMPLIANCE", "s3:object-lock-remaining-retention-days": object_lock.KEPT_DAYS}

# What AWS asks for at each call of outside/object_lock.py.
CALLS = {
    "get_bucket_versioning": [("s3:GetBucketVersioning", BUCKET)],
    "get_object": [("s3:GetObject", REPORT), ("s3:GetObjectVersion", REPORT)],
    "get_object_lock_configuration": [("s3:GetBucketObjectLockConfiguration", BUCKET)],
    "get_object_retention": [("s3:GetObjectRetention", REPORT)],
    "head_bucket": [("s3:ListBucket", BUCKET)],
    "head_object": [("s3:GetObject", REPORT), ("s3:GetObjectVersion", REPORT)],
    "list_object_versions": [("s3:ListBucketVersions", BUCKET)],
    "put_object": [("s3:PutObject", REPORT), ("s3:PutObjectRetention", REPORT)],
}


def policy():
    text = TEMPLATE.read_text()
    values = {"bucket_arn": BUCKET, "prefix": "reports", "policy_administrator": ADMINISTRATOR}
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return json.loads(text.replace("${jsonencode(writers)}", json.dumps([WRITER])))["Statement"]


def effects(who, action, resource, **lock):
    context = {"aws:PrincipalArn": who, "aws:SecureTransport": "true"} | lock
    return {
        statement["Effect"]
        for statement in policy()
        if (statement["Principal"] == "*" or who in statement["Principal"]["AWS"])
        and any(fnmatchcase(action, pattern) for pattern in _listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(_holds(*condition, context) for condition in statement.get("Condition", {}).items())
    }


def is_allowed(who, action, resource, **lock):
    return effects(who, action, resource, **lock) == {"Allow"}


def test_the_calls_of_the_store_are_those_that_are_tried_here():
    source = Path(object_lock.__file__).read_text()
    made = re.findall(r"_s3\.(?!get_paginator)(\w+)\(", source) + re.findall(r'get_paginator\("(\w+)"\)', source)
    assert set(made) == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
def test_a_writer_may_make_every_call_of_the_store(call):
    for action, resource in CALLS[call]:
        lock = LOCKED if action == "s3:PutObjectRetention" else {}
        assert is_allowed(WRITER, action, resource, **lock), action


@pytest.mark.parametrize("call", CALLS)
def test_a_stranger_may_make_none_and_a_writer_none_without_tls(call):
    for action, resource in CALLS[call]:
        assert not is_allowed(STRANGER, action, resource, **LOCKED), action
        assert not is_allowed(WRITER, action, resource, **LOCKED, **{"aws:SecureTransport": "false"}), action


@pytest.mark.parametrize(
    "lock",
    [
        {},
        LOCKED | {"s3:object-lock-mode": "GOVERNANCE"},
        LOCKED | {"s3:object-lock-remaining-retention-days": object_lock.KEPT_DAYS - 1},
    ],
    ids=["nothing said", "another mode", "less than a year"],
)
def test_no_lock_may_be_weaker_than_a_year_of_compliance(lock):
    assert not is_allowed(WRITER, "s3:PutObjectRetention", REPORT, **lock)


@pytest.mark.parametrize("who", [WRITER, ADMINISTRATOR])
@pytest.mark.parametrize(
    "action", ["BypassGovernanceRetention", "DeleteObject", "DeleteObjectVersion", "PutObjectLegalHold"]
)
def test_nobody_deletes_or_unlocks_a_report(who, action):
    assert "Deny" in effects(who, f"s3:{action}", REPORT)


@pytest.mark.parametrize("who", [WRITER, ADMINISTRATOR])
@pytest.mark.parametrize("action", ["DeleteBucket", "PutBucketObjectLockConfiguration", "PutBucketVersioning"])
def test_nobody_weakens_the_lock_of_the_bucket(who, action):
    assert "Deny" in effects(who, f"s3:{action}", BUCKET)


@pytest.mark.parametrize("action", ["PutBucketPolicy", "DeleteBucketPolicy"])
def test_one_role_alone_changes_the_policy(action):
    assert "Deny" in effects(WRITER, f"s3:{action}", BUCKET)
    assert not effects(ADMINISTRATOR, f"s3:{action}", BUCKET)


def test_a_writer_writes_into_the_folder_of_the_reports_only():
    for elsewhere in (f"{BUCKET}/worm/x", f"{BUCKET}/reports/x", f"{BUCKET}/other/worm/x"):
        assert not is_allowed(WRITER, "s3:PutObject", elsewhere)


def _listed(one_or_more):
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


def _holds(operator, wanted, context):
    """A condition that denies fits a request that says nothing, and one that compares numbers does not."""
    ((key, value),) = wanted.items()
    said = context.get(key)
    return {
        "StringNotEquals": lambda: said != value,
        "ArnNotEquals": lambda: said != value,
        "NumericLessThan": lambda: said is not None and said < int(value),
        "Bool": lambda: said == value,
    }[operator]()

"""No report counts that is not locked, however often it is tried; and every right to keep one is tried beforehand."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from report_factory import make_evidence, make_public_pem, make_signer

from seed_pipelines.errors import ReportNotStored, ReportNotVerified, ReportStoreNotReady
from seed_pipelines.evidence.report import sealed_envelope
from seed_pipelines.evidence.worm import preserve
from seed_pipelines.outside.object_lock import ObjectLockStore
from seed_pipelines.outside.report_store import report_key

pytest_plugins = ("radosgw",)

EVIDENCE = make_evidence()
KEY = report_key(environment=EVIDENCE.environment, tenant=EVIDENCE.tenant, run_id=EVIDENCE.run_id)

_numbers = itertools.count()


@pytest.fixture
def client(object_server):
    client = object_server.client()
    yield client
    client.close()


@pytest.fixture
def store(client):
    """A new bucket as the project wants it."""
    name = f"locks-{next(_numbers)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 366}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    return ObjectLockStore(bucket=name, client=client)


def keep(store):
    return preserve(EVIDENCE, store=store, signer=make_signer(), public_key_pem=make_public_pem())


def deny(client, store, action):
    objects = f"arn:aws:s3:::{store.bucket}"
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": [objects, f"{objects}/*"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_bucket_policy(Bucket=store.bucket, Policy=json.dumps(policy))


@pytest.mark.parametrize(("mode", "days", "why"), [("GOVERNANCE", 366, "GOVERNANCE"), ("COMPLIANCE", 30, "locked for")])
def test_a_report_with_too_weak_a_lock_is_an_alarm_at_every_try(store, client, mode, days, why):
    body = sealed_envelope(EVIDENCE, signer=make_signer())
    until = datetime.now(UTC) + timedelta(days=days)
    client.put_object(Bucket=store.bucket, Key=KEY, Body=body, ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    for _ in range(2):
        with pytest.raises(ReportNotVerified, match=why):
            keep(store)


def test_a_report_whose_lock_cannot_be_read_waits_at_every_try(store, client):
    deny(client, store, "s3:GetObjectRetention")
    for _ in range(2):
        with pytest.raises(ReportNotStored, match="AccessDenied"):
            keep(store)
    assert len(client.list_object_versions(Bucket=store.bucket)["Versions"]) == 1
    client.delete_bucket_policy(Bucket=store.bucket)
    assert keep(store) == keep(store)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("action", ["PutObject", "ListBucketVersions", "GetObjectVersion", "GetObjectRetention"])
def test_preflight_refuses_where_one_right_is_missing(store, client, action, is_first):
    if not is_first:
        store.preflight()
    deny(client, store, f"s3:{action}")
    with pytest.raises(ReportStoreNotReady, match=r"AccessDenied|403"):
        store.preflight()


def test_what_preflight_puts_asks_for_the_lock_of_a_report(store, client):
    """AWS asks for a right of its own then, s3:PutObjectRetention."""
    store.preflight()
    seen = []
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.append(dict(request.headers)))
    store.preflight()
    (headers,) = [{name.lower(): value for name, value in each.items()} for each in seen]
    assert headers["x-amz-object-lock-mode"] in ("COMPLIANCE", b"COMPLIANCE")
    assert headers["x-amz-object-lock-retain-until-date"]
    assert headers["x-amz-checksum-sha256"]
    assert headers["if-match"]
    assert len(client.list_object_versions(Bucket=store.bucket)["Versions"]) == 1

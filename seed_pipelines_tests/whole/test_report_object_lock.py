"""Reports in a real S3 with Object Lock: locked, one version, and never replaced."""

import itertools
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from report_factory import make_evidence, make_public_pem, make_signer

from seed_pipelines.errors import (
    ReportDiverges,
    ReportNotFound,
    ReportNotStored,
    ReportNotVerified,
    ReportStoreNotReady,
)
from seed_pipelines.evidence.verify import verify_envelope
from seed_pipelines.evidence.worm import preserve
from seed_pipelines.outside.object_lock import KEPT_DAYS, ObjectLockStore
from seed_pipelines.outside.report_store import report_key, sha256_of

pytest_plugins = ("radosgw",)

KEY = report_key(environment="dev", tenant="acme", run_id="run-1")
FULL_KEY = f"evidence/{KEY}"

_numbers = itertools.count()


@pytest.fixture
def bucket(object_server):
    """A new bucket with Object Lock and the default retention that the project wants."""
    name = f"reports-{next(_numbers)}"
    client = object_server.client()
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    _retain(client, name, Mode="COMPLIANCE", Days=366)
    yield name
    client.close()


@pytest.fixture
def client(object_server):
    client = object_server.client()
    yield client
    client.close()


@pytest.fixture
def store(bucket, client):
    return ObjectLockStore(bucket=bucket, prefix="evidence", client=client)


def _retain(client, bucket, **rule):
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)


def versions_of(client, bucket):
    answer = client.list_object_versions(Bucket=bucket, Prefix=FULL_KEY)
    return answer.get("Versions", [])


class LosesTheFirstAnswer:
    """A proxy that passes every request on and drops the connection instead of the first answer to a PUT."""

    def __init__(self, port):
        self.port, self.lost = port, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near:
                self._pass_on(near)

    def _pass_on(self, near):
        """One request and its answer; every connection is closed after it."""
        request = self._request_from(near)
        if self._swallows(request):
            return
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as far:
            far.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            answer = b"".join(iter(lambda: far.recv(65536), b""))
        if request.startswith(b"PUT") and not self.lost:
            self.lost += 1
            return
        near.sendall(answer)

    def _swallows(self, request):
        return False

    def _request_from(self, near):
        request = b""
        while b"\r\n\r\n" not in request:
            request += near.recv(65536)
        head, _, body = request.partition(b"\r\n\r\n")
        if b"100-continue" in head.lower():
            near.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
        wanted = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < wanted:
            body += near.recv(65536)
        return head + b"\r\n\r\n" + body


class SwallowsPuts(LosesTheFirstAnswer):
    """A proxy that says nothing to a PUT for longer than its client waits, and passes everything else on."""

    def _swallows(self, request):
        is_put = request.startswith(b"PUT")
        self.lost += is_put
        time.sleep(2.2 if is_put else 0)
        return is_put


def test_a_report_is_one_version_locked_for_a_year_and_readable_by_its_uri(store, client, bucket):
    stored = store.put(KEY, b"body")
    assert stored.uri == f"s3://{bucket}/{FULL_KEY}?versionId={stored.version_id}"
    assert (stored.sha256, stored.size) == (sha256_of(b"body"), 4)
    assert store.get(stored.uri) == b"body"
    (version,) = versions_of(client, bucket)
    assert version["VersionId"] == stored.version_id
    kept = client.get_object_retention(Bucket=bucket, Key=FULL_KEY, VersionId=stored.version_id)["Retention"]
    assert kept["Mode"] == "COMPLIANCE"
    assert kept["RetainUntilDate"] - datetime.now(UTC) > timedelta(days=KEPT_DAYS)
    head = client.head_object(Bucket=bucket, Key=FULL_KEY)
    assert head["Metadata"]["sha256"] == stored.sha256


def test_the_request_carries_condition_checksums_and_lock(store, client):
    seen = []
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.append(dict(request.headers)))
    store.put(KEY, b"body")
    (headers,) = [{name.lower(): value for name, value in each.items()} for each in seen]
    assert headers["if-none-match"] in ("*", b"*")
    assert headers["content-md5"] in ("hBotaJrYa9FhFEdFPCLG/A==", b"hBotaJrYa9FhFEdFPCLG/A==")
    assert headers["x-amz-checksum-sha256"]
    assert headers["x-amz-object-lock-mode"] in ("COMPLIANCE", b"COMPLIANCE")


def test_the_same_bytes_again_are_a_success_and_one_version(store, client, bucket):
    assert store.put(KEY, b"body") == store.put(KEY, b"body")
    assert len(versions_of(client, bucket)) == 1


def test_other_bytes_are_refused_and_the_first_stay(store, client, bucket):
    first = store.put(KEY, b"first")
    with pytest.raises(ReportDiverges) as refused:
        store.put(KEY, b"second")
    assert refused.value.version_id == first.version_id
    assert store.get(first.uri) == b"first"
    assert len(versions_of(client, bucket)) == 1


def test_an_answer_that_is_lost_after_the_write_leaves_one_version(object_server, bucket, client):
    proxy = LosesTheFirstAnswer(object_server.port)
    through = object_server.client(endpoint=proxy.endpoint)
    try:
        stored = ObjectLockStore(bucket=bucket, prefix="evidence", client=through).put(KEY, b"body")
    finally:
        through.close()
        proxy.close()
    assert proxy.lost == 1
    (version,) = versions_of(client, bucket)
    assert version["VersionId"] == stored.version_id


def test_of_many_writers_exactly_one_wins_and_the_others_know(object_server, bucket, client):
    outcomes = []

    def write(body):
        own = object_server.client()
        try:
            ObjectLockStore(bucket=bucket, prefix="evidence", client=own).put(KEY, body)
            outcomes.append((body, True))
        except ReportDiverges:
            outcomes.append((body, False))
        finally:
            own.close()

    threads = [threading.Thread(target=write, args=(bytes([65 + number]) * 1000,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [body for body, won in outcomes if won]
    first = versions_of(client, bucket)[-1]["VersionId"]
    assert client.get_object(Bucket=bucket, Key=FULL_KEY, VersionId=first)["Body"].read() == winner


def test_nobody_deletes_a_version_or_shortens_its_lock(store, client, bucket):
    stored = store.put(KEY, b"body")
    named = {"Bucket": bucket, "Key": FULL_KEY, "VersionId": stored.version_id}
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**named, BypassGovernanceRetention=True)
    sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)}
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object_retention(**named, Retention=sooner)
    assert store.get(stored.uri) == b"body"


def test_a_delete_marker_and_later_versions_change_neither_the_report_nor_its_uri(store, client, bucket):
    stored = store.put(KEY, b"body")
    client.delete_object(Bucket=bucket, Key=FULL_KEY)
    client.put_object(Bucket=bucket, Key=FULL_KEY, Body=b"forged")
    assert store.get(stored.uri) == b"body"
    assert store.put(KEY, b"body") == stored
    with pytest.raises(ReportDiverges):
        store.put(KEY, b"forged")


def test_an_object_that_was_put_without_our_lock_is_an_alarm(store, client, bucket):
    _retain(client, bucket, Mode="GOVERNANCE", Days=1)
    client.put_object(Bucket=bucket, Key=FULL_KEY, Body=b"body")
    with pytest.raises(ReportNotVerified, match="GOVERNANCE"):
        store.put(KEY, b"body")


def test_an_object_that_was_put_with_a_short_lock_is_an_alarm(store, client, bucket):
    until = datetime.now(UTC) + timedelta(days=30)
    client.put_object(
        Bucket=bucket, Key=FULL_KEY, Body=b"body", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )
    with pytest.raises(ReportNotVerified, match="locked for"):
        store.put(KEY, b"body")


def test_preflight_passes_again_and_again_and_leaves_one_small_locked_object(store, client, bucket):
    for _ in range(3):
        store.preflight()
    (left,) = client.list_object_versions(Bucket=bucket)["Versions"]
    assert (left["Key"], left["Size"] < 100) == ("evidence/worm/preflight.txt", True)
    named = {"Bucket": bucket, "Key": left["Key"], "VersionId": left["VersionId"]}
    assert client.get_object_retention(**named)["Retention"]["Mode"] == "COMPLIANCE"


@pytest.mark.parametrize(
    ("rule", "why"),
    [({"Mode": "GOVERNANCE", "Days": 366}, "GOVERNANCE"), ({"Mode": "COMPLIANCE", "Days": 30}, "30 days")],
)
def test_preflight_refuses_a_weaker_default_retention(store, client, bucket, rule, why):
    _retain(client, bucket, **rule)
    with pytest.raises(ReportStoreNotReady, match=why):
        store.preflight()


def test_preflight_accepts_a_default_of_years(store, client, bucket):
    _retain(client, bucket, Mode="COMPLIANCE", Years=1)
    store.preflight()


def test_preflight_refuses_a_bucket_without_lock(client):
    client.create_bucket(Bucket="plain")
    with pytest.raises(ReportStoreNotReady, match="no versions"):
        ObjectLockStore(bucket="plain", client=client).preflight()


def test_preflight_refuses_versions_without_lock(client):
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(ReportStoreNotReady, match="ObjectLockConfigurationNotFoundError"):
        ObjectLockStore(bucket="versions", client=client).preflight()


def test_preflight_refuses_a_bucket_that_is_not_there(client):
    with pytest.raises(ReportStoreNotReady, match="NoSuchBucket"):
        ObjectLockStore(bucket="missing", client=client).preflight()


def test_a_server_that_is_away_is_a_refusal_before_and_a_retry_after(object_server):
    away = object_server.client(endpoint="http://127.0.0.1:9")
    store = ObjectLockStore(bucket="reports", client=away)
    with pytest.raises(ReportStoreNotReady, match="does not answer"):
        store.preflight()
    with pytest.raises(ReportNotStored) as refused:
        store.put(KEY, b"body")
    assert refused.value.retryable
    away.close()


def test_a_server_that_never_answers_is_given_up(object_server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = object_server.client(endpoint=f"http://127.0.0.1:{port}", read_timeout=0.3)
        with pytest.raises(ReportNotStored, match="does not answer") as refused:
            ObjectLockStore(bucket="reports", client=client).put(KEY, b"body")
        assert refused.value.is_silent
        client.close()


def test_a_server_that_takes_a_report_and_says_nothing_is_not_asked_again(object_server, bucket):
    proxy = SwallowsPuts(object_server.port)
    through = object_server.client(endpoint=proxy.endpoint, read_timeout=2)
    try:
        with pytest.raises(ReportNotStored) as refused:
            ObjectLockStore(bucket=bucket, client=through).put(KEY, b"body")
    finally:
        through.close()
        proxy.close()
    assert (proxy.lost, refused.value.is_silent) == (1, True)


@pytest.mark.parametrize(
    "uri", ["s3://other/key", "file:///key", "s3://{bucket}/missing", "s3://{bucket}/k?versionId=x"]
)
def test_what_is_not_there_is_said_to_be_missing(store, bucket, uri):
    with pytest.raises((ReportNotFound, ReportNotVerified)):
        store.get(uri.format(bucket=bucket))


def test_a_preserved_report_is_verified_and_preserving_again_gives_the_same_version(store, client, bucket):
    first, again = (
        preserve(make_evidence(), store=store, signer=make_signer(), public_key_pem=make_public_pem()) for _ in range(2)
    )
    assert first == again
    assert verify_envelope(store.get(first.uri), public_key_pem=make_public_pem()).ok
    assert len(client.list_object_versions(Bucket=bucket)["Versions"]) == 1

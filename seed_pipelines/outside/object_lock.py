"""Reports in S3 with Object Lock: every one a locked version that nobody can change or delete for a year.

The first version of a key is the report, for ever: whatever is written or marked as deleted after it changes neither
its bytes nor its URI, which names the version. Each put is one PutObject with If-None-Match, Content-MD5 and SHA-256,
and is never repeated without looking first, because not every server obeys If-None-Match where it keeps versions. The
version is read back by its id; mode and date are compared before `put` says anything of its bytes, that they are ours
or that they are others. Time comes from the server. A bucket without lock, versions or a default retention of a year
in COMPLIANCE mode is refused. Address and credentials are boto3's own (environment, profile or role); the rights
needed are to put objects with a retention, to get and list their versions, to get their retention, and to get the
bucket's versioning and lock. `preflight` tries them all.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import parse_qs, quote, unquote, urlsplit

import boto3  # type: ignore[import-untyped]  # boto3 ships no types.
from botocore.config import Config  # type: ignore[import-untyped]  # botocore ships no types.
from botocore.exceptions import (  # type: ignore[import-untyped]  # As above.
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    ReadTimeoutError,
)

from seed_pipelines.errors import (
    ReportDiverges,
    ReportNotFound,
    ReportNotStored,
    ReportNotVerified,
    ReportStoreNotReady,
    ReportStoreUnreachable,
)
from seed_pipelines.outside.report_store import LARGEST_REPORT_BYTES, StoredReport, sha256_of

KEPT_DAYS = 365
# One day more than promised: seconds have passed by the time the date is compared.
_ASKED_DAYS = KEPT_DAYS + 1
_LARGEST_CLOCK_DIFFERENCE = timedelta(seconds=60)
_ATTEMPTS = 3
_BUSY = frozenset({429, 500, 502, 503, 504})
_OCCUPIED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
_SILENT = (ConnectTimeoutError, ReadTimeoutError)
_PROBE_KEY = "worm/preflight.txt"
_PROBE = b"A report could be kept here.\n"
_NO_ETAG = '"00000000000000000000000000000000"'


def _client() -> Any:
    """boto3 must not repeat a put on its own: only this module looks before it writes again."""
    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("s3", config=config)


class ObjectLockStore:
    """The objects of `bucket` under `prefix`."""

    def __init__(self, *, bucket: str, prefix: str = "", client: Any = None) -> None:
        self.bucket, self.prefix = bucket, prefix.strip("/")
        self._s3 = client if client is not None else _client()

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def preflight(self) -> None:
        """Refuse where reports would not be locked for a year, or could not be written."""
        try:
            self._require_versions()
            self._require_default_retention()
            self._require_same_time()
            self._probe()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _BUSY:
                self._not_answering(f"S3 answered {_code(error)}")
            self._not_ready(f"S3 answered {_code(error)}")
        except BotoCoreError as error:
            self._not_answering(f"S3 does not answer ({type(error).__name__})")

    def put(self, key: str, body: bytes) -> StoredReport:
        """Keep `body` under `key`, locked; it is read back and compared before this returns."""
        full_key = self._full_key(key)
        uri = self._uri(full_key)
        try:
            version = self._first_version(full_key) or self._create(full_key, body)
            return self._read_back(full_key, body, version=version)
        except ClientError as error:
            raise ReportNotStored(uri, why=f"S3 answered {_code(error)}") from None
        except BotoCoreError as error:
            raise ReportNotStored(uri, why=f"S3 does not answer ({type(error).__name__})", is_silent=True) from None

    def get(self, uri: str) -> bytes:
        parts = urlsplit(uri)
        if parts.scheme != "s3" or parts.netloc != self.bucket:
            raise ReportNotFound(uri, why=f"it is not in bucket {self.bucket!r}")
        version = parse_qs(parts.query).get("versionId", [None])[0]
        try:
            return self._bytes_of(unquote(parts.path).lstrip("/"), version=version)
        except ClientError as error:
            if _code(error) in _ABSENT:
                raise ReportNotFound(uri, why="there is no such object") from None
            raise ReportNotVerified(uri, why=f"S3 answered {_code(error)}") from None
        except BotoCoreError as error:
            raise ReportNotVerified(uri, why=f"S3 does not answer ({type(error).__name__})") from None

    def _create(self, key: str, body: bytes) -> str:
        """Write where nothing was; the id of the first version, which another writer may have made meanwhile.

        A server that took the whole time limit is not asked again: whoever puts looks first, the next time too.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._put_object(key, body, IfNoneMatch="*")
            except (ClientError, BotoCoreError) as error:
                is_last = attempt == _ATTEMPTS or isinstance(error, _SILENT)
                if is_last and _code(error) not in _OCCUPIED:
                    raise
            # Also after a failure: the answer may have been lost after the write.
            if version := self._first_version(key):
                return version
        raise ReportNotStored(self._uri(key), why="S3 has no version of it after writing")

    def _put_object(self, key: str, body: bytes, **condition: str) -> None:
        digest = hashlib.sha256(body)
        self._s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
            **condition,
            ContentMD5=base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii"),
            ChecksumSHA256=base64.b64encode(digest.digest()).decode("ascii"),
            Metadata={"sha256": digest.hexdigest()},
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=self._server_time() + timedelta(days=_ASKED_DAYS),
        )

    def _first_version(self, key: str) -> str | None:
        """The oldest version of the key, delete markers apart. S3 lists the newest of a key first."""
        first: str | None = None
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=key)
        for version in (version for page in pages for version in page.get("Versions", ())):
            if version["Key"] == key:
                first = version["VersionId"]
        if first == "null":
            raise ReportNotVerified(self._uri(key), why="the bucket kept no versions when it was written")
        return first

    def _read_back(self, key: str, body: bytes, *, version: str) -> StoredReport:
        """The version as it is kept; ReportDiverges, too, speaks of a locked one only."""
        uri = self._uri(key, version=version)
        self._require_locked(key, version=version)
        kept = self._bytes_of(key, version=version)
        if kept != body:
            raise ReportDiverges(uri, stored_sha256=sha256_of(kept), new_sha256=sha256_of(body), version_id=version)
        return StoredReport(uri=uri, version_id=version, sha256=sha256_of(kept), size=len(kept))

    def _require_locked(self, key: str, *, version: str) -> None:
        uri = self._uri(key, version=version)
        answer = self._s3.get_object_retention(Bucket=self.bucket, Key=key, VersionId=version)
        retention = answer["Retention"]
        if retention.get("Mode") != "COMPLIANCE":
            raise ReportNotVerified(uri, why=f"its lock mode is {retention.get('Mode')!r}, not COMPLIANCE")
        left = retention["RetainUntilDate"] - _time_of(answer)
        # A report that was written before may have less left; what it was given is counted from its writing.
        written = self._s3.head_object(Bucket=self.bucket, Key=key, VersionId=version)["LastModified"]
        if retention["RetainUntilDate"] - written < timedelta(days=KEPT_DAYS) or left <= timedelta(0):
            raise ReportNotVerified(uri, why=f"it is locked for {left.days} days more, not {KEPT_DAYS}")

    def _require_versions(self) -> None:
        if self._s3.get_bucket_versioning(Bucket=self.bucket).get("Status") != "Enabled":
            self._not_ready("the bucket keeps no versions")

    def _require_default_retention(self) -> None:
        answer = self._s3.get_object_lock_configuration(Bucket=self.bucket)
        lock = answer["ObjectLockConfiguration"]
        rule = lock.get("Rule", {}).get("DefaultRetention", {})
        days = rule.get("Days", 0) + 365 * rule.get("Years", 0)
        if lock.get("ObjectLockEnabled") != "Enabled":
            self._not_ready("the bucket has no Object Lock")
        if rule.get("Mode") != "COMPLIANCE" or days < KEPT_DAYS:
            self._not_ready(f"its default retention is {rule.get('Mode')} for {days} days")

    def _require_same_time(self) -> None:
        difference = abs(datetime.now(UTC) - self._server_time())
        if difference > _LARGEST_CLOCK_DIFFERENCE:
            self._not_ready(f"the clocks differ by {int(difference.total_seconds())} s")

    def _probe(self) -> None:
        """Try every right that a report needs, on one small object that the first preflight leaves and locks.

        Later ones put with a report's own headers and a condition that never holds, so that nothing more is kept.
        """
        key = self._full_key(_PROBE_KEY)
        try:
            version = self._first_version(key) or self._create(key, _PROBE)
        except (ReportNotStored, ReportNotVerified) as error:
            self._not_ready(error.why)
        self._try_to_put(key)
        self._bytes_of(key, version=version)
        mode = self._s3.get_object_retention(Bucket=self.bucket, Key=key, VersionId=version)["Retention"].get("Mode")
        if mode != "COMPLIANCE":
            self._not_ready(f"what is put is locked in mode {mode!r}")

    def _try_to_put(self, key: str) -> None:
        try:
            self._put_object(key, _PROBE, IfMatch=_NO_ETAG)
        except ClientError as error:
            if _code(error) not in _OCCUPIED | _ABSENT:
                raise

    def _server_time(self) -> datetime:
        return _time_of(self._s3.head_bucket(Bucket=self.bucket))

    def _bytes_of(self, key: str, *, version: str | None) -> bytes:
        named = {"VersionId": version} if version is not None else {}
        answer = self._s3.get_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED", **named)
        with answer["Body"] as body:
            content: bytes = body.read(LARGEST_REPORT_BYTES + 1)
        return content

    def _full_key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _uri(self, key: str, *, version: str | None = None) -> str:
        uri = f"s3://{self.bucket}/{quote(key)}"
        return uri if version is None else f"{uri}?versionId={quote(version, safe='')}"

    def _not_answering(self, why: str) -> NoReturn:
        raise ReportStoreUnreachable(str(self), why=why, what_to_do="Try again later, or check the address.") from None

    def _not_ready(self, why: str) -> NoReturn:
        what_to_do = f"Give {self.bucket!r} Object Lock with a default retention in COMPLIANCE mode, and access."
        raise ReportStoreNotReady(str(self), why=why, what_to_do=what_to_do) from None


def _code(error: Any) -> str:
    # A time limit that ran out has the attribute too, and nothing in it.
    answer: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", "nothing that names the reason"))


def _time_of(answer: Mapping[str, Any]) -> datetime:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

"""Where reports are kept: the promise of every write-once store, and which one a URL means.

`put` creates and never replaces: the same bytes again are a success, other bytes are `ReportDiverges`. What it
returns was read back and compared. A URI names one version for ever, so `get` always gives the bytes that were
put. Keys are `worm/seeds/<environment>/<tenant>/<run_id>.json`.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from seed_pipelines.errors import ReportNotFound, ReportStoreNotReady

LARGEST_REPORT_BYTES = 64 * 1024 * 1024

_KEY_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """A report that is kept; `version_id` only where the store has versions."""

    uri: str
    version_id: str | None
    sha256: str
    size: int


class ReportStore(Protocol):
    """A store that writes once."""

    def preflight(self) -> None:
        """Refuse, with ReportStoreNotReady, where a report could not be kept for its whole time."""

    def put(self, key: str, body: bytes) -> StoredReport: ...

    def get(self, uri: str) -> bytes: ...


def report_key(*, environment: str, tenant: str, run_id: str) -> str:
    """The key of a seed run's report. ValueError where a part could lead out of its folder."""
    for part in (environment, tenant, run_id):
        if not _KEY_PART.fullmatch(part):
            msg = f"{part!r} cannot be part of a report's key"
            raise ValueError(msg)
    return f"worm/seeds/{environment}/{tenant}/{run_id}.json"


def open_report_store(url: str) -> ReportStore:
    """The store that `SEED_WORM_URL` names: `file:///folder` or `s3://bucket/prefix`."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path.startswith("/") and parts.netloc in ("", "localhost"):
        from seed_pipelines.outside.report_files import FileStore

        return FileStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        # boto3 takes a third of a second to import, which a local run need not pay.
        from seed_pipelines.outside.object_lock import ObjectLockStore

        return ObjectLockStore(bucket=parts.netloc, prefix=parts.path.strip("/"))
    raise ReportStoreNotReady(
        repr(url), why="it is neither file:///folder nor s3://bucket/prefix", what_to_do="Correct SEED_WORM_URL."
    )


def read_report(location: str) -> bytes:
    """The bytes at a path or a URI that a store gave."""
    if location.startswith("s3://"):
        bucket = urlsplit(location).netloc
        return open_report_store(f"s3://{bucket}").get(location)
    path = Path(unquote(urlsplit(location).path)) if location.startswith("file://") else Path(location)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_REPORT_BYTES + 1)
    except OSError as error:
        raise ReportNotFound(location, why=error.strerror or "it cannot be read") from None
    if len(content) > LARGEST_REPORT_BYTES:
        raise ReportNotFound(location, why=f"it is larger than {LARGEST_REPORT_BYTES} bytes, so no report")
    return content


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()

"""What the API takes and gives, version 1: one class for each body, strict, with examples.

Nothing of a server is imported here, so that the client speaks the same classes. A field that is not known is refused
in a request; a client has to pass over one in an answer.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE = "urn:seed-pipelines:problem:"

TENANT_HEADER = "X-Tenant-ID"
ENVIRONMENT_HEADER = "X-Environment"
KEY_HEADER = "Idempotency-Key"

SLUG = r"^[a-z][a-z0-9-]{0,62}$"
# Printable ASCII without quotation mark and backslash.
KEY = r"^[!#-\[\]-~]{1,200}$"

Mode = Literal["baseline", "carga", "dr", "canary"]
# Where a seed run stands. `queued`: it was asked for, and its worker has not come yet.
Status = Literal["queued", "running", "failed", "paused", "published", "cancelled", "aborted"]
FINISHED: frozenset[str] = frozenset({"published", "cancelled", "aborted"})

_ID = "0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10"
_HASH = "09b23b63213512b590d11e0c9c7333eaef704dd03015609581d9b98e049812b6"


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class SeedRunRequest(_Asked):
    """A seed run of one manifest, or a rehearsal of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "manifest_path": "dev/acme.yaml",
                    "mode": "baseline",
                    "idempotency_key": "acme-2026-11-25",
                    "ignore_window": True,
                }
            ]
        }
    )

    manifest_path: Annotated[
        str,
        Field(min_length=1, max_length=256, description="<environment>/<tenant>.yaml, inside the manifests folder."),
    ]
    mode: Annotated[Mode, Field(description="The manifest's own mode; another one is refused.")]
    idempotency_key: Annotated[
        str | None,
        Field(pattern=KEY, description="The same key is the same seed run. Default: the header Idempotency-Key."),
    ] = None
    dry_run: Annotated[
        bool, Field(description="Go through all of it, keep nothing, and answer with what a run would do.")
    ] = False
    canary: Annotated[
        bool | None, Field(description="Whether it has to be a canary: true asks for a manifest of mode canary.")
    ] = None
    ignore_window: Annotated[bool, Field(description="Pass over the manifest's window; only in environment dev.")] = (
        False
    )


class SeedRunQuery(_Asked):
    """Which seed runs to list."""

    tenant: Annotated[str | None, Field(pattern=SLUG, description="The tenant, where no header names it.")] = None
    status: Annotated[Status | None, Field(description="Only seed runs that stand so.")] = None
    mode: Annotated[Mode | None, Field(description="Only seed runs of this mode.")] = None
    limit: Annotated[int, Field(ge=1, le=100, description="How many at most.")] = 20
    cursor: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9_-]{1,200}$", description="Where the page before ended: its next_cursor."),
    ] = None


class SeedRunAccepted(_Answer):
    """A seed run that exists, and that a worker was asked to do."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"seed_run_id": _ID, "status": "queued", "manifest_hash": _HASH}]}
    )

    seed_run_id: UUID
    status: Status
    manifest_hash: str


class SeedRunCancelled(_Answer):
    """A seed run that was asked to stop: `cancelled` already, or at its next batch."""

    seed_run_id: UUID
    status: Status


class RehearsedEntity(_Answer):
    """What came of one entity."""

    entity: str
    rows: int
    batches: int
    content_hash: str


class Rehearsal(_Answer):
    """What a seed run would do; nothing of it was kept."""

    dry_run: Literal[True] = True
    plan: Annotated[dict[str, Any], Field(description="As `seed-data plan --json` prints it.")]
    entities: list[RehearsedEntity]
    dataset_hash: str
    seconds: float


class ShardProgress(_Answer):
    """One shard that has begun."""

    shard: str
    attempt: int
    state: Literal["active", "idle", "done"]
    started_at: datetime
    finished_at: datetime | None


class CheckpointProgress(_Answer):
    """What is in of one entity in one shard: its checkpoints, added up."""

    entity: str
    shard: str
    batches: int
    rows: int
    last_committed_at: datetime


class BudgetProgress(_Answer):
    """What the seed run may spend and has spent, in millionths of a real; `faults` are failed or slow batches."""

    cap_micro_brl: int
    spent_micro_brl: int
    faults: int


class ReportPlace(_Answer):
    """Where the report lies; null while it waits to be written."""

    uri: str | None
    sha256: str | None
    queued_at: datetime
    written_at: datetime | None


class SeedRunSummary(_Answer):
    """One line of a list."""

    seed_run_id: UUID
    environment: str
    tenant: str
    mode: Mode
    status: Status
    manifest_version: str
    manifest_hash: str
    dataset_hash: str | None
    error_code: str | None
    started_at: datetime
    finished_at: datetime | None


class SeedRunState(SeedRunSummary):
    """All that the control plane says of one seed run."""

    idempotency_key: str
    manifest_path: str
    schema_version: str
    salt_version: str
    reference_datetime: datetime
    generator_version: str
    publisher: Literal["attach", "insert"]
    planned_shards: int
    planned_rows: dict[str, int]
    planned_cost_micro_brl: int
    rows: dict[str, int]
    traceparent: str
    cancel_requested_at: datetime | None
    error_detail: str | None
    shards: list[ShardProgress]
    checkpoints: list[CheckpointProgress]
    budget: BudgetProgress | None
    report: ReportPlace | None


class SeedRunPage(_Answer):
    """Seed runs, the newest first; `next_cursor` is null on the last page."""

    items: list[SeedRunSummary]
    next_cursor: str | None


class SeedRunProgress(_Answer):
    """One event of a seed run: how far it is."""

    seed_run_id: UUID
    status: Status
    rows: int
    planned_rows: int
    batches: int
    spent_micro_brl: int
    error_code: str | None


class ValidProfile(_Answer):
    """A manifest in which nothing is wrong."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "valid": True,
                    "issues": [],
                    "normalized_version": "1.0.0",
                    "caps": {"customers": 1000, "loans": 2000},
                    "manifest_hash": _HASH,
                }
            ]
        }
    )

    valid: Literal[True] = True
    issues: Annotated[list[str], Field(max_length=0, description="Always empty: a manifest with issues is a 422.")] = []
    normalized_version: str
    caps: dict[str, int]
    manifest_hash: str


class Violation(_Answer):
    """One thing that is wrong, and where. No value of the request is ever repeated.

    `location`: a JSON Pointer into the body, or `header.<name>`, `query.<name>`, `path.<name>`.
    """

    location: str
    message: str
    rule: str | None = None
    line: int | None = None
    column: int | None = None


class CheckState(_Answer):
    """One thing that the API needs."""

    name: str
    ok: bool
    code: Annotated[str | None, Field(description="The problem's code where it is not ok.")] = None


class Ready(_Answer):
    """Everything that the API needs answers."""

    status: Literal["ready"] = "ready"
    checks: list[CheckState]


class Alive(_Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Problem(_Answer):
    """Problem Details (RFC 9457). `type` ends with the code of docs/reference/errors.md."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": f"{PROBLEM_TYPE}seed-run-not-found",
                    "title": "There is no such seed run.",
                    "status": 404,
                    "detail": "cannot find the seed run: there is none.",
                    "instance": f"{PREFIX}/seed-runs/{_ID}",
                    "violations": [],
                    "retryable": False,
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    violations: list[Violation] = []
    retryable: Annotated[bool, Field(description="Whether the same request may succeed later without a change.")] = (
        False
    )
    checks: Annotated[list[CheckState] | None, Field(description="Of /readyz only.")] = None

    @property
    def code(self) -> str:
        """The stable code of the error."""
        return self.type.removeprefix(PROBLEM_TYPE)

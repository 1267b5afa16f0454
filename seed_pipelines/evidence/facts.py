"""What the flow hands over when a seed run ends: plain values, one class for each part of a report.

Field names are the report's keys. Values that are not known yet are None, never a guess. Money is in millionths
of a real, latencies in microseconds, times in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How a seed run ended. One that failed has not: it goes on, is cancelled, or is aborted after a while."""

    # Every row is in and readers see the new dataset.
    PUBLISHED = "published"
    # Somebody asked for it to stop.
    CANCELLED = "cancelled"
    # It was ended by a limit, and its build was dropped.
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitUsage:
    limit: int
    window_seconds: int
    burst: int | None
    granted: int
    # None where nobody measured it.
    waited_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUsage:
    cap_micro_brl: int
    planned_micro_brl: int
    spent_micro_brl: int
    error_budget_pct: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SloTargets:
    p95_target_ms: int
    p99_target_ms: int
    # With decimals, as the manifest says it.
    throughput_target_rps: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SloReached:
    p95_us: int | None = None
    p99_us: int | None = None
    throughput_rps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    targets: SloTargets
    reached: SloReached


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFact:
    """One write that is in."""

    entity: str
    shard: str
    number: int
    first_row: int
    rows: int
    elapsed_ms: int
    # Of these many loans, each cent, date and rate was compared with the official calculation, and equal.
    oracle_loans: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFact:
    """The durable row that says so, and under which fence and attempt it was written."""

    entity: str
    shard: str
    number: int
    content_digest: str
    fence: int
    attempt: int
    committed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Problem Details (RFC 9457) of an error that failed, paused or ended the run, and when and where it did."""

    type: str
    title: str
    status: int
    detail: str
    state: str | None = None
    occurred_at: datetime | None = None
    shard: str | None = None
    entity: str | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingKey:
    """Which key masks, and which encrypts at rest. A check tells keys apart and reveals nothing of them."""

    source: str
    key: str | None
    key_version: int | None
    key_check: str | None
    # None where what encrypts at rest is derived from the masking key.
    data_key_check: str | None = None
    wrapping_key: str | None = None
    wrapping_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFact:
    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryFact:
    """`exporter` is "otlp", "file" or "not_configured". `ok` when no step lost spans without being repeated."""

    exporter: str
    ok: bool | None = None
    ended: int | None = None
    exported: int | None = None
    failed: int | None = None
    error_code: str | None = None
    lost_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryFact:
    """The longest time without a new durable checkpoint, None where nobody knows, and until the dataset was there."""

    rpo_ms: int | None
    rto_ms: int
    objectives_met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvidence:
    """All that a report says about one seed run."""

    run_id: str
    tenant: str
    environment: str
    idempotency_key: str
    manifest_path: str
    manifest_hash_sha256: str
    manifest_version: str
    schema_version: str
    salt_version: str
    mode: str
    reference_datetime: datetime
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    caps: Mapping[str, int]
    planned_rows: Mapping[str, int]
    actual_rows: Mapping[str, int]
    rate_limit_usage: RateLimitUsage | None
    budget_usage: BudgetUsage | None
    slo: Slo | None
    batches: tuple[BatchFact, ...]
    checkpoints: tuple[CheckpointFact, ...]
    errors: tuple[Problem, ...]
    preflight: tuple[PreflightFact, ...]
    masking_key: MaskingKey | None
    generator_version: str
    vocabulary_sha256: str | None
    dataset_hash: str | None
    otel_trace_id: str | None
    otel_span_id: str | None
    telemetry: TelemetryFact
    previous_report_hash: str | None
    # Of mode dr only.
    recovery: RecoveryFact | None = None
    flags: Mapping[str, bool | int | str] = field(default_factory=dict)

"""All that the control plane knows of a seed run that ended, as a report says it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from seed_pipelines.control import checkpoints, outbox, runs, stops
from seed_pipelines.control.budget import Spending, spending_of
from seed_pipelines.control.checkpoints import RunCheckpoint
from seed_pipelines.control.recovery import recovery_of
from seed_pipelines.control.runs import RunState, SeedRun
from seed_pipelines.control.stops import Stop
from seed_pipelines.errors import WrongState
from seed_pipelines.evidence.facts import (
    BatchFact,
    BudgetUsage,
    CheckpointFact,
    MaskingKey,
    Outcome,
    PreflightFact,
    Problem,
    RateLimitUsage,
    RecoveryFact,
    RunEvidence,
    Slo,
    SloReached,
    SloTargets,
    TelemetryFact,
)
from seed_pipelines.evidence.report import problem_of_code
from seed_pipelines.manifest.model import Mode
from seed_pipelines.outside.postgres import Connection

_OUTCOMES = {
    RunState.PUBLISHED: Outcome.PUBLISHED,
    RunState.CANCELLED: Outcome.CANCELLED,
    RunState.ABORTED: Outcome.ABORTED,
}


def evidence_of(connection: Connection, seed_run_id: UUID) -> RunEvidence:
    """The evidence of one seed run; raises WrongState where it goes on."""
    run = runs.find(connection, seed_run_id)
    if run.finished_at is None:
        raise WrongState(str(run.id), state=run.state)
    done = checkpoints.of_run(connection, run.id)
    return RunEvidence(
        run_id=str(run.id),
        tenant=run.tenant,
        environment=run.environment,
        idempotency_key=run.idempotency_key,
        manifest_path=run.manifest_path,
        manifest_hash_sha256=run.manifest_hash,
        manifest_version=run.manifest_version,
        schema_version=run.schema_version,
        salt_version=run.salt_version,
        mode=run.mode,
        reference_datetime=run.reference_datetime,
        outcome=_OUTCOMES[run.state],
        started_at=run.started_at,
        finished_at=run.finished_at,
        caps=run.limits["caps"],
        planned_rows=run.planned_rows,
        actual_rows=_actual_rows(run, done),
        rate_limit_usage=RateLimitUsage(**run.limits["rate_limit"], granted=len(done), waited_ms=None),
        budget_usage=_budget(run, spending_of(connection, run)),
        slo=_slo(run, done),
        batches=tuple(_batch(checkpoint) for checkpoint in done),
        checkpoints=tuple(_checkpoint(checkpoint) for checkpoint in done),
        errors=_errors(run, stops.of_run(connection, run.id)),
        preflight=tuple(PreflightFact(**fact) for fact in run.preflight),
        masking_key=_masking_key(run),
        generator_version=run.generator_version,
        vocabulary_sha256=run.vocabulary_sha256,
        dataset_hash=run.dataset_hash,
        otel_trace_id=run.trace_id,
        otel_span_id=run.span_id,
        telemetry=_telemetry(run.telemetry),
        previous_report_hash=outbox.previous_sha256(
            connection, environment=run.environment, tenant=run.tenant, seed_run_id=run.id
        ),
        recovery=_recovery(connection, run),
        flags=run.flags,
    )


def _actual_rows(run: SeedRun, done: Sequence[RunCheckpoint]) -> dict[str, int]:
    rows = dict.fromkeys(run.planned_rows, 0)
    for checkpoint in done:
        rows[checkpoint.entity] += checkpoint.rows
    return rows


def _budget(run: SeedRun, spending: Spending) -> BudgetUsage:
    return BudgetUsage(
        **run.limits["budget"],
        planned_micro_brl=run.planned_cost_micro_brl,
        spent_micro_brl=spending.spent_micro_brl,
    )


def _recovery(connection: Connection, run: SeedRun) -> RecoveryFact | None:
    if run.mode != Mode.DR or run.state is not RunState.PUBLISHED:
        return None
    measured = recovery_of(connection, run)
    return RecoveryFact(rpo_ms=measured.rpo_ms, rto_ms=measured.rto_ms, objectives_met=measured.holds)


def _slo(run: SeedRun, done: Sequence[RunCheckpoint]) -> Slo:
    seconds = ((run.finished_at or run.started_at) - run.started_at).total_seconds()
    rows = sum(checkpoint.rows for checkpoint in done)
    batch_ms = sorted(checkpoint.elapsed_ms for checkpoint in done)
    return Slo(
        targets=SloTargets(**run.limits["slo"]),
        reached=SloReached(
            p95_us=_percentile(batch_ms, 95) * 1000 if batch_ms else None,
            p99_us=_percentile(batch_ms, 99) * 1000 if batch_ms else None,
            throughput_rps=round(rows / seconds) if seconds else None,
        ),
    )


def _percentile(ordered: Sequence[int], share: int) -> int:
    return ordered[-(-len(ordered) * share // 100) - 1]


def _batch(checkpoint: RunCheckpoint) -> BatchFact:
    return BatchFact(
        entity=checkpoint.entity,
        shard=checkpoint.shard,
        number=checkpoint.number,
        first_row=checkpoint.first_row,
        rows=checkpoint.rows,
        elapsed_ms=checkpoint.elapsed_ms,
        oracle_loans=checkpoint.oracle_loans,
    )


def _checkpoint(checkpoint: RunCheckpoint) -> CheckpointFact:
    return CheckpointFact(
        entity=checkpoint.entity,
        shard=checkpoint.shard,
        number=checkpoint.number,
        content_digest=checkpoint.content_digest,
        fence=checkpoint.fence,
        attempt=checkpoint.attempt,
        committed_at=checkpoint.committed_at,
    )


def _errors(run: SeedRun, found: Sequence[Stop]) -> tuple[Problem, ...]:
    """Every stop; of a seed run that ended before stops were kept, what its row says of the last one."""
    if not found and run.error_code:
        return (problem_of_code(run.error_code, run.error_detail or ""),)
    return tuple(_problem(stop) for stop in found)


def _problem(stop: Stop) -> Problem:
    return replace(
        problem_of_code(stop.code, stop.detail),
        state=stop.state,
        occurred_at=stop.stopped_at,
        shard=stop.shard,
        entity=stop.entity,
        batch=stop.number,
    )


def _masking_key(run: SeedRun) -> MaskingKey:
    said = run.mask_key
    return MaskingKey(
        source=str(said.get("source")),
        key=_name(said.get("key")),
        key_version=_version(said.get("key_version")),
        key_check=run.key_check,
        data_key_check=_name(said.get("data_key_check")),
        wrapping_key=_name(said.get("wrapping_key")),
        wrapping_version=_version(said.get("wrapping_version")),
    )


def _name(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _version(value: str | int | None) -> int | None:
    return None if value is None else int(value)


def _telemetry(state: dict[str, Any]) -> TelemetryFact:
    return TelemetryFact(**state) if state else TelemetryFact(exporter="not_configured")

"""Seed runs and their shards: claimed once by an idempotency key, resumed after a stop, ended for good.

The attempt number of a shard is its fence: once a newer attempt has begun, no older one can write.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from seed_pipelines.catalog import ENTITIES
from seed_pipelines.control import stops
from seed_pipelines.control.limits import limits_of
from seed_pipelines.control.stops import Place
from seed_pipelines.errors import (
    IdempotencyKeyReused,
    SeedError,
    SeedRunCancelled,
    SeedRunEnded,
    SeedRunNotFound,
    ShardSuperseded,
    TelemetryIncomplete,
)
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.outside.telemetry import TelemetryState
from seed_pipelines.plan import ID_SPAN, Plan
from seed_pipelines.sql import query

# A worker sends a batch out of memory: one that is silent for so long in the middle of it is not at work.
_STALLED_SECONDS = 5.0
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class RunState(StrEnum):
    """Where a seed run stands; the database refuses any other order."""

    RUNNING = "running"
    # A shard failed; a retry goes on where it stopped.
    FAILED = "failed"
    # The window closed; the next opening goes on.
    PAUSED = "paused"
    PUBLISHED = "published"
    CANCELLED = "cancelled"
    # Ended by a rule (budget, divergence): only a new seed run helps.
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a door asks for: a manifest, by one idempotency key.

    `may_join`: whether an unfinished seed run of the same manifest that nobody works on may be gone on with.
    """

    seed_run_id: UUID
    idempotency_key: str
    manifest_path: str
    generator_version: str
    vocabulary_sha256: str
    key_check: str
    # Where the masking key came from; nothing of it is secret.
    mask_key: dict[str, str | int | None]
    flags: dict[str, bool | str]
    traceparent: str
    may_join: bool = False
    preflight: tuple[dict[str, str | bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRun:
    """One row of `seed_control.seed_run`."""

    id: UUID
    environment: str
    tenant: str
    tenant_id: UUID
    mode: str
    idempotency_key: str
    state: RunState
    manifest_path: str
    limits: dict[str, Any]
    manifest_hash: str
    manifest_version: str
    schema_version: str
    salt_version: str
    reference_datetime: datetime
    generator_version: str
    # None where it was claimed before it was kept.
    vocabulary_sha256: str | None
    key_check: str
    mask_key: dict[str, str | int | None]
    preflight: list[dict[str, Any]]
    publisher: str
    shards: int
    planned_rows: dict[str, int]
    batch_rows: dict[str, int]
    first_id: int
    last_id: int
    planned_cost_micro_brl: int
    flags: dict[str, bool | str]
    traceparent: str
    telemetry: dict[str, Any]
    cancel_requested_at: datetime | None
    error_code: str | None
    error_detail: str | None
    dataset_hash: str | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def trace_id(self) -> str | None:
        """Which trace its spans are in; None where an early version kept something that names none."""
        return self.traceparent.split("-")[1] if _TRACEPARENT.fullmatch(self.traceparent) else None

    @property
    def span_id(self) -> str | None:
        """The span of whoever claimed it."""
        return self.traceparent.split("-")[2] if self.trace_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardState:
    """One row of `seed_control.seed_shard`."""

    shard: str
    attempt: int
    state: str
    started_at: datetime
    finished_at: datetime | None


def claim(connection: Connection, plan: Plan, request: RunRequest) -> SeedRun:
    """The seed run that answers to the request's key, in the caller's transaction: the one that is there, else an idle
    one of the same manifest if the request may join it, else a new one.

    Raises IdempotencyKeyReused where the key belongs to another manifest.
    """
    values = _claim_values(plan, request)
    with translated():
        # One claim at a time for a tenant: between looking and making, nobody else makes one.
        connection.execute(query("lease_lock_key"), values)
        row = connection.execute(query("run_by_key"), values).fetchone()
        if row is None:
            row = connection.execute(query("run_to_go_on_with"), values).fetchone() if request.may_join else None
            if row is None:
                connection.execute(query("run_make"), values)
                row = {"id": request.seed_run_id}
            connection.execute(query("key_claim"), values | row)
    run = find(connection, row["id"])
    if run.manifest_hash != plan.manifest.manifest_hash:
        raise IdempotencyKeyReused(request.idempotency_key, manifest_hash=run.manifest_hash)
    return run


def find(connection: Connection, seed_run_id: UUID) -> SeedRun:
    """One seed run; raises SeedRunNotFound."""
    with translated():
        row = connection.execute(query("run_by_id"), {"seed_run_id": seed_run_id}).fetchone()
    if row is None:
        raise SeedRunNotFound(str(seed_run_id))
    # jsonb keeps no order; people read entities in dependency order.
    planned = {entity: row["planned_rows"][entity] for entity in ENTITIES if entity in row["planned_rows"]}
    return SeedRun(**(row | {"state": RunState(row["state"]), "planned_rows": planned}))


def find_by_key(connection: Connection, *, environment: str, tenant: str, key: str) -> SeedRun | None:
    """The seed run of an idempotency key, or None."""
    values = {"environment": environment, "tenant": tenant, "idempotency_key": key}
    with translated():
        row = connection.execute(query("run_by_key"), values).fetchone()
    return find(connection, row["id"]) if row else None


def recent(
    connection: Connection, *, environment: str | None = None, tenant: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """The newest seed runs, a row each."""
    values = {"environment": environment, "tenant": tenant, "limit": limit}
    with translated():
        return connection.execute(query("runs_recent"), values).fetchall()


def resume(connection: Connection, run: SeedRun, *, flags: dict[str, bool | str]) -> SeedRun:
    """The same run, running, with the flags of whoever goes on with it; it cannot end before the caller's transaction.

    Raises SeedRunCancelled or SeedRunEnded where it has ended.
    """
    with translated():
        row = connection.execute(query("run_resume"), {"seed_run_id": run.id, "flags": Jsonb(flags)}).fetchone()
    found = find(connection, run.id)
    if row is not None:
        return found
    if found.state is RunState.CANCELLED:
        raise SeedRunCancelled(str(run.id))
    raise SeedRunEnded(str(run.id), state=found.state)


def published_instead(connection: Connection, run: SeedRun, error: SeedError) -> SeedRun:
    """The run, where it was published meanwhile: a worker that comes again for a shard that is in may be overtaken by
    the publication. Else the error stands."""
    now = find(connection, run.id)
    if now.state is not RunState.PUBLISHED:
        raise error
    return now


def end(
    connection: Connection, seed_run_id: UUID, state: RunState, *, code: str, detail: str, batch: Place | None = None
) -> bool:
    """Cancelled or aborted, for good: the build is dropped, the lease and the slot given back. False: it had ended."""
    values = {"seed_run_id": seed_run_id, "state": state, "error_code": code, "error_detail": detail}
    with translated(), connection.transaction():
        connection.execute(query("run_hold"), values)
        if not stops.record(connection, values, batch=batch):
            return False
        connection.execute(query("run_end"), values)
        connection.execute(query("build_discard"), {"seed_run_id": seed_run_id})
        connection.execute(query("lease_release"), {"holder": seed_run_id})
        connection.execute(query("slot_release"), {"holder": seed_run_id})
    return True


def cancel_if_asked(connection: Connection, seed_run_id: UUID) -> bool:
    """End a seed run that somebody asked to cancel and whose workers did not live to see it. False: nobody asked."""
    run = find(connection, seed_run_id)
    if run.cancel_requested_at is None:
        return False
    reason = SeedRunCancelled(str(run.id))
    return end(connection, run.id, RunState.CANCELLED, code=reason.code, detail=str(reason))


def request_cancel(connection: Connection, seed_run_id: UUID) -> bool:
    """Ask for a stop at the next batch boundary; False where the run has ended."""
    with translated():
        return connection.execute(query("run_request_cancel"), {"seed_run_id": seed_run_id}).fetchone() is not None


def abort_left_behind(connection: Connection, run: SeedRun, *, code: str, detail: str) -> list[UUID]:
    """End the stopped seed runs of the same tenant: once this one holds the lease, nobody goes on with them."""
    values = {"environment": run.environment, "tenant": run.tenant, "seed_run_id": run.id}
    with translated():
        rows = connection.execute(query("runs_left_behind"), values).fetchall()
    return [row["id"] for row in rows if end(connection, row["id"], RunState.ABORTED, code=code, detail=detail)]


def add_telemetry(connection: Connection, seed_run_id: UUID, state: TelemetryState, *, step: str) -> None:
    """Add what one worker's telemetry of one step came to; a later worker that loses nothing makes good for a loss."""
    values = {
        "step": step,
        "seed_run_id": seed_run_id,
        "exporter": state.exporter,
        "ok": state.ok,
        "ended": state.ended,
        "exported": state.exported,
        "failed": state.failed,
        "error_code": state.error_code,
    }
    with translated():
        connection.execute(query("run_add_telemetry"), values)


def assert_observed(connection: Connection, run: SeedRun) -> None:
    """Raise TelemetryIncomplete while a step of the run has lost spans and was not repeated since."""
    told = find(connection, run.id).telemetry
    if told.get("lost_by"):
        raise TelemetryIncomplete(
            ended=told["ended"], exported=told["exported"], error_code=", ".join(sorted(told["lost_by"]))
        )


def hash_before(connection: Connection, run: SeedRun) -> str | None:
    """The dataset hash that the same manifest and generator gave before, or None."""
    values = {
        "manifest_hash": run.manifest_hash,
        "generator_version": run.generator_version,
        "seed_run_id": run.id,
    }
    with translated():
        row = connection.execute(query("run_hash_before"), values).fetchone()
    return row["dataset_hash"] if row else None


def begin_shard(connection: Connection, run: SeedRun, shard: str, *, worker: str) -> int:
    """The attempt number of this worker at this shard; the same for every call of one worker."""
    values = {"seed_run_id": run.id, "shard": shard, "worker": worker}
    with translated():
        connection.execute(query("worker_label"), values)
        evict_workers(connection, run.id, shard=shard, worker=worker, stalled_seconds=_STALLED_SECONDS)
        row = connection.execute(query("shard_begin"), values).fetchone()
    if row is None:
        raise SeedRunNotFound(str(run.id))
    attempt: int = row["attempt"]
    return attempt


def evict_workers(
    connection: Connection, seed_run_id: UUID, *, shard: str | None = None, worker: str = "", stalled_seconds: float = 0
) -> None:
    """End the sessions of other workers of a seed run that went silent in the middle of a COPY."""
    values = {"seed_run_id": seed_run_id, "shard": shard, "worker": worker, "stalled_seconds": stalled_seconds}
    with translated():
        connection.execute(query("workers_evict"), values)


def finish_shard(connection: Connection, run: SeedRun, shard: str, *, attempt: int) -> None:
    """Every row of the shard is in."""
    values = {"seed_run_id": run.id, "shard": shard, "attempt": attempt}
    with translated():
        row = connection.execute(query("shard_done"), values).fetchone()
    if row is None:
        raise ShardSuperseded(shard, attempt=attempt)


def leave_shard(
    connection: Connection,
    seed_run_id: UUID,
    *,
    worker: str,
    state: RunState,
    code: str,
    detail: str,
    batch: Place | None = None,
) -> bool:
    """A worker goes away without having finished. If no other is at work, the run is failed or paused and gives back
    its lease and its slot; else the others go on, and False comes back."""
    values = {"seed_run_id": seed_run_id, "worker": worker, "state": state, "error_code": code, "error_detail": detail}
    with translated(), connection.transaction():
        connection.execute(query("run_hold"), values)
        if was_at_work := connection.execute(query("shard_leave"), values).rowcount > 0:
            stops.record(connection, values, batch=batch)
        is_idle = not any(shard.state == "active" for shard in shards_of(connection, seed_run_id))
        if is_idle and cancel_if_asked(connection, seed_run_id):
            return True
        if connection.execute(query("run_stop_if_idle"), values).fetchone() is None:
            return False
        if not was_at_work:
            stops.record(connection, values, batch=batch)
        connection.execute(query("lease_release"), {"holder": seed_run_id})
        connection.execute(query("slot_release"), {"holder": seed_run_id})
    return True


def shards_of(connection: Connection, seed_run_id: UUID) -> list[ShardState]:
    """The shards that have begun, in order."""
    with translated():
        rows = connection.execute(query("shard_states"), {"seed_run_id": seed_run_id}).fetchall()
    return [ShardState(**row) for row in rows]


def database_now(connection: Connection) -> datetime:
    """The only clock that decides."""
    with translated():
        row = connection.execute(query("database_now")).fetchone()
    if row is None:
        raise SeedRunNotFound("clock")
    now: datetime = row["now"]
    return now


def _claim_values(plan: Plan, request: RunRequest) -> dict[str, Any]:
    metadata = plan.manifest.metadata
    return {
        "environment": metadata.environment,
        "tenant": metadata.tenant,
        "id": request.seed_run_id,
        "tenant_id": UUID(bytes=plan.tenant_id),
        "mode": plan.manifest.mode,
        "idempotency_key": request.idempotency_key,
        "manifest_path": request.manifest_path,
        "limits": Jsonb(limits_of(plan.manifest)),
        "manifest_hash": plan.manifest.manifest_hash,
        "manifest_version": metadata.version,
        "schema_version": metadata.schema_version,
        "salt_version": metadata.salt_version,
        "reference_datetime": metadata.reference_datetime,
        "generator_version": request.generator_version,
        "vocabulary_sha256": request.vocabulary_sha256,
        "key_check": request.key_check,
        "mask_key": Jsonb(request.mask_key),
        "preflight": Jsonb(list(request.preflight)),
        "publisher": plan.publisher,
        "is_mapped": plan.mapping is not None,
        "shards": len(plan.shards),
        "planned_rows": Jsonb(dict(plan.rows)),
        "batch_rows": Jsonb(dict(plan.batch_rows)),
        "first_id": plan.first_id,
        "last_id": plan.first_id + ID_SPAN - 2,
        "planned_cost_micro_brl": plan.cost_micro_brl,
        "flags": Jsonb(request.flags),
        "traceparent": request.traceparent,
    }

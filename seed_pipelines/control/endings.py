"""Endings: what becomes of a seed run when a worker stops, and how long it took until it came to a stop.

An error that would only spend more, or go on from something else, ends it for good. Any other leaves it failed; the
window, and a flag that was switched off, leave it paused. Both can be gone on with.
"""

from dataclasses import dataclass
from uuid import UUID

from seed_pipelines.control import dead_letters, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.control.stops import Place
from seed_pipelines.errors import (
    BudgetExhausted,
    CheckpointDiverged,
    ErrorBudgetExhausted,
    Failed,
    SeedError,
    SeedRunCancelled,
    SeedRunNotFound,
    Stopped,
    StoppedByFlag,
)
from seed_pipelines.outside.metrics import Metrics
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

_ENDING = (BudgetExhausted, CheckpointDiverged, ErrorBudgetExhausted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """`outcome` is the state in which the seed run is now: a failed or paused one may go on, and end again."""

    environment: str
    tenant: str
    mode: str
    outcome: str
    elapsed_ms: int


def stop(connection: Connection, seed_run_id: UUID, *, worker: str, error: BaseException) -> Ending | None:
    """A worker stops without having finished. None where others go on, or the seed run had ended before."""
    if isinstance(error, SeedRunCancelled):
        stopped = runs.end(connection, seed_run_id, RunState.CANCELLED, code=error.code, detail=str(error))
    elif isinstance(error, _ENDING):
        stopped = runs.end(
            connection, seed_run_id, RunState.ABORTED, code=error.code, detail=str(error), batch=_batch_of(error)
        )
    else:
        stopped = _leave_shard(connection, seed_run_id, worker=worker, error=error)
    return ending_of(connection, seed_run_id) if stopped else None


def ending_of(connection: Connection, seed_run_id: UUID) -> Ending:
    """From the claim to the end, or to now where it can be gone on with; raises SeedRunNotFound."""
    with translated():
        row = connection.execute(query("run_ending"), {"seed_run_id": seed_run_id}).fetchone()
    if row is None:
        raise SeedRunNotFound(str(seed_run_id))
    return Ending(**row)


def measure(metrics: Metrics, ending: Ending) -> None:
    """Say how long the seed run took, and how it ended."""
    metrics.run_took(ending.elapsed_ms, outcome=ending.outcome, tenant_id=ending.tenant, mode=ending.mode)


def _leave_shard(connection: Connection, seed_run_id: UUID, *, worker: str, error: BaseException) -> bool:
    code = error.code if isinstance(error, SeedError) else "interrupted"
    detail = str(error) if isinstance(error, SeedError) else f"the worker was stopped by {type(error).__name__}"
    if isinstance(error, Failed):
        dead_letters.bury(connection, seed_run_id, error)
    state = RunState.PAUSED if isinstance(error, Stopped | StoppedByFlag) else RunState.FAILED
    return runs.leave_shard(
        connection, seed_run_id, worker=worker, state=state, code=code, detail=detail, batch=_batch_of(error)
    )


def _batch_of(error: BaseException) -> Place | None:
    if isinstance(error, BudgetExhausted):
        return error.entity, error.shard, error.number
    return error.batch if isinstance(error, Failed) else None

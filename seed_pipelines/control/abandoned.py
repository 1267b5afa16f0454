"""Abandoned seed runs: they say that they run, and nobody renews their lease. Their workers were killed, or never came.

They are marked as failed, so that people see it and the next worker can go on from the last checkpoint. A worker that
comes back in time keeps its seed run, and so does one whose seal or publication takes longer than a lease: it holds
the lease's row, and whoever marks looks at it again under a lock.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from seed_pipelines.control import stops
from seed_pipelines.control.runs import RunState, cancel_if_asked, evict_workers
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.sql import query

# A retry of Dagster's own comes back within this time after the lease ran out.
GRACE_SECONDS = 30.0
# A worker that was asked for over HTTP begins within this time: what Dagster's queue and a busy tenant may take.
BEGIN_SECONDS = 900.0
CODE = "abandoned"
_DETAIL = "no worker renewed its lease: it was killed, or its machine is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedRun:
    """A seed run without a worker, and what is needed to ask for it again."""

    id: UUID
    environment: str
    tenant: str
    idempotency_key: str
    manifest_path: str
    manifest_hash: str
    flags: dict[str, bool | str]
    done_shards: tuple[str, ...]
    # How often each shard was begun; one that never was is not there.
    attempts: dict[str, int] = field(default_factory=dict)


def found(
    connection: Connection, *, environment: str | None, grace_seconds: float = GRACE_SECONDS
) -> list[AbandonedRun]:
    """Every abandoned seed run of an environment, or of all."""
    values = {"environment": environment, "grace_seconds": grace_seconds, "begin_seconds": BEGIN_SECONDS}
    with translated():
        rows = connection.execute(query("runs_abandoned"), values).fetchall()
    return [_abandoned(row) for row in rows]


def to_request(connection: Connection, *, environment: str | None) -> list[AbandonedRun]:
    """The marked seed runs of an environment, or of all, that nobody has gone on with since."""
    with translated():
        rows = connection.execute(query("runs_to_request"), {"environment": environment, "error_code": CODE}).fetchall()
    return [_abandoned(row) for row in rows]


def mark(connection: Connection, seed_run_id: UUID, *, grace_seconds: float = GRACE_SECONDS) -> bool:
    """Failed, or cancelled where somebody had asked for it, with lease and slot given back; False where a worker is at
    work or has come back."""
    values = {
        "seed_run_id": seed_run_id,
        "grace_seconds": grace_seconds,
        "begin_seconds": BEGIN_SECONDS,
        "state": RunState.FAILED,
        "error_code": CODE,
        "error_detail": _DETAIL,
    }
    if not _is_abandoned(connection, values):
        return False
    # A session that fell asleep in the middle of a COPY would hold the lease for ever.
    evict_workers(connection, seed_run_id)
    with transaction(connection):
        if connection.execute(query("abandoned_hold"), values).fetchone() is None:
            return False
        connection.execute(query("run_hold"), values)
        if not _is_abandoned(connection, values):
            return False
        connection.execute(query("shards_leave"), values)
        stops.record(connection, values)
        if cancel_if_asked(connection, seed_run_id):
            return True
        connection.execute(query("run_stop_if_idle"), values)
        connection.execute(query("lease_release"), {"holder": seed_run_id})
        connection.execute(query("slot_release"), {"holder": seed_run_id})
    return True


def _abandoned(row: dict[str, Any]) -> AbandonedRun:
    return AbandonedRun(**(row | {"done_shards": tuple(row["done_shards"])}))


def _is_abandoned(connection: Connection, values: dict[str, Any]) -> bool:
    with translated():
        row = connection.execute(query("run_is_abandoned"), values).fetchone()
    return bool(row and row["is_abandoned"])

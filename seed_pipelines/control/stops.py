"""Stops: why a seed run failed, paused or ended, each time, in order, and kept for good.

A stop is written in the transaction that brings it about, while the caller holds the seed run's row: once it has ended,
none is added, so what its report says is the same whenever it is written.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

# Entity, shard and number of a batch.
Place: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop; shard, entity and number are None where no worker was at a shard, or no batch was being written."""

    state: str
    code: str
    detail: str
    shard: str | None
    entity: str | None
    number: int | None
    stopped_at: datetime


def record(connection: Connection, values: dict[str, Any], *, batch: Place | None = None) -> bool:
    """Keep a stop of `seed_run_id`: its `state`, `error_code` and `error_detail`, and the shard of its `worker`.

    False where the seed run has ended.
    """
    entity, shard, number = batch or (None, None, None)
    place = {"worker": None, "entity": entity, "shard": shard, "number": number}
    return connection.execute(query("run_stop_record"), place | values).fetchone() is not None


def of_run(connection: Connection, seed_run_id: UUID) -> list[Stop]:
    """Every stop of a seed run, the first one first."""
    with translated():
        rows = connection.execute(query("run_stops"), {"seed_run_id": seed_run_id}).fetchall()
    return [Stop(**row) for row in rows]

"""The queue: a seed run that may not start yet waits its turn, at most five minutes, holding nothing.

First come, first served in each environment; one whose tenant is busy keeps no other back. A waiter shows itself every
second, and one that is not seen any more, or waited too long, is put aside by whoever looks next. Every wait leaves a
row: who, how long, and why it ended: started, expired, refused (by which error), cancelled, or died.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seed_pipelines.errors import QueueExpired, SeedRunCancelled
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.redaction import shown
from seed_pipelines.sql import query

TTL_SECONDS = 300.0
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One wait."""

    id: int
    environment: str
    tenant: str
    idempotency_key: str
    ttl_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A wait as a list shows it; `outcome` is None while it goes on, and `error_code` is what refused it."""

    environment: str
    tenant: str
    idempotency_key: str
    waiter: str
    reason: str
    queued_at: datetime
    outcome: str | None
    error_code: str | None
    seed_run_id: UUID | None
    waited_seconds: float


@contextmanager
def waiting(connection: Connection, whose: dict[str, str], *, reason: str, ttl_seconds: float) -> Iterator[Place]:
    """A place in the queue for `environment`, `tenant`, `idempotency_key` and `waiter`.

    Unless it ended before, it is left as refused by the error that ends the block, or as cancelled where somebody asked
    for the end.
    """
    with translated():
        values = whose | {"reason": reason, "ttl_seconds": ttl_seconds}
        row = connection.execute(query("queue_enter"), values).fetchone() or {}
    place = Place(
        id=row["id"],
        environment=whose["environment"],
        tenant=whose["tenant"],
        idempotency_key=whose["idempotency_key"],
        ttl_seconds=ttl_seconds,
    )
    try:
        yield place
    except Exception as error:
        if not isinstance(error, SeedRunCancelled):
            _end(connection, place, "refused", error_code=shown(error).code)
        raise
    finally:
        _end(connection, place, "cancelled")


def is_turn(connection: Connection, place: Place) -> bool:
    """Whether it is worth trying to start now. Raises QueueExpired once the time is over."""
    values = {
        "id": place.id,
        "environment": place.environment,
        "tenant": place.tenant,
        "idempotency_key": place.idempotency_key,
    }
    with translated():
        row = connection.execute(query("queue_turn"), values).fetchone() or {}
    if not row["is_waiting"]:
        raise QueueExpired(place.environment, place.tenant, seconds=place.ttl_seconds)
    return bool(row["is_under_way"] or (row["has_slot"] and row["is_lease_free"]))


def started(connection: Connection, place: Place, seed_run_id: UUID) -> None:
    """The wait ends well."""
    _end(connection, place, "started", seed_run_id=seed_run_id)


def recent(connection: Connection, *, environment: str | None = None, limit: int = 20) -> list[Wait]:
    """The newest waits."""
    with translated():
        rows = connection.execute(query("queue_recent"), {"environment": environment, "limit": limit}).fetchall()
    return [Wait(**row) for row in rows]


def _end(
    connection: Connection,
    place: Place,
    outcome: str,
    *,
    seed_run_id: UUID | None = None,
    error_code: str | None = None,
) -> None:
    """No change where it had ended before."""
    values = {"id": place.id, "outcome": outcome, "seed_run_id": seed_run_id, "error_code": error_code}
    with translated():
        connection.execute(query("queue_end"), values)

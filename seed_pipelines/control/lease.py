"""The lease: one seed run at a time for each tenant and environment, two for each environment.

A lease is a row with an expiry and a number that only grows, the fence. All shards of a seed run share it. Each batch
first holds the row FOR KEY SHARE (`guard`), so nobody takes over before the batch ends, and renews it last (`renew`),
so a writer that slept through its expiry cannot commit. Other shards and renewals are not in each other's way. What
takes longer than a lease lives in one statement (a seal, a publication) is `kept`: renewed beside it. A taker
who finds the lease expired first ends sessions that fell asleep in the middle of a COPY, since nothing else would. Time
is the database's, never this machine's.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from seed_pipelines.control.runs import RunState, SeedRun, evict_workers
from seed_pipelines.errors import (
    EnvironmentFull,
    LeaseHeldElsewhere,
    LeaseLost,
    QueuedBehind,
    SeedError,
    SeedRunCancelled,
    ShardSuperseded,
    WrongState,
)
from seed_pipelines.outside.postgres import Connection, connected, dsn_of, transaction, translated
from seed_pipelines.sql import query

TTL_SECONDS = 60

# Who has no seed run yet is nobody's holder.
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one seed run to write for one tenant in one environment."""

    environment: str
    tenant: str
    holder: UUID
    fence: int


def ensure(connection: Connection, run: SeedRun, *, ttl_seconds: float = TTL_SECONDS) -> Lease:
    """Take the lease and a slot of the environment, or renew them if they are this seed run's. Safe to repeat.

    Raises LeaseHeldElsewhere, EnvironmentFull or QueuedBehind; then nothing was taken.
    """
    values = {"environment": run.environment, "tenant": run.tenant, "holder": run.id, "ttl_seconds": ttl_seconds}
    with transaction(connection):
        held = connection.execute(query("lease_prolong"), values).fetchone()
        if held is None:
            _let_others_first(connection, run, values)
            held = _take(connection, run, values)
        connection.execute(query("slots_make"), values)
        connection.execute(query("slot_lock"), values)
        if connection.execute(query("slot_take"), values).fetchone() is None:
            holders = connection.execute(query("slot_holders"), values).fetchall()
            raise EnvironmentFull(run.environment, holders=tuple(str(row["holder"]) for row in holders))
    return Lease(environment=run.environment, tenant=run.tenant, holder=run.id, fence=held["fence"])


def guard(connection: Connection, lease: Lease, *, shard: str, attempt: int) -> datetime:
    """First in every batch's transaction: may this worker still write? Returns the database's time.

    Raises LeaseLost, ShardSuperseded or SeedRunCancelled; nothing was written.
    """
    values = _values(lease) | {"shard": shard}
    row = connection.execute(query("batch_guard"), values).fetchone()
    state = row or connection.execute(query("batch_state"), values).fetchone() or {}
    _assert_not_cancelled(lease, state)
    if row is None:
        raise LeaseLost
    if row["attempt"] != attempt:
        raise ShardSuperseded(shard, attempt=attempt)
    if row["state"] != RunState.RUNNING:
        raise WrongState(str(lease.holder), state=row["state"])
    now: datetime = row["now"]
    return now


def assert_wanted(connection: Connection, lease: Lease) -> datetime:
    """Between batches, often: does the seed run still run? Holds nothing. Returns the database's time.

    Raises SeedRunCancelled, WrongState or LeaseLost.
    """
    with translated():
        row = connection.execute(query("batch_state"), _values(lease)).fetchone()
    if row is None:
        raise LeaseLost
    _assert_not_cancelled(lease, row)
    if row["state"] != RunState.RUNNING:
        raise WrongState(str(lease.holder), state=row["state"])
    now: datetime = row["now"]
    return now


def renew(connection: Connection, lease: Lease, *, ttl_seconds: float = TTL_SECONDS) -> None:
    """Last in every batch's transaction; raises LeaseLost if the lease ran out meanwhile."""
    values = _values(lease) | {"ttl_seconds": ttl_seconds}
    if connection.execute(query("lease_renew"), values).fetchone() is None:
        raise LeaseLost
    connection.execute(query("slot_renew"), values)


@contextmanager
def kept(connection: Connection, lease: Lease, *, ttl_seconds: float = TTL_SECONDS) -> Iterator[None]:
    """Around one long statement: lease and slot are renewed on connections of their own, as often as it takes."""
    ended, dsn = threading.Event(), dsn_of(connection)
    keeper = threading.Thread(target=_keep, args=(dsn, lease, ttl_seconds, ended), name="seed-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        # Nothing is renewed any more once this is left: the lease may be given back next.
        keeper.join()


def guard_publication(connection: Connection, lease: Lease) -> None:
    """First in a publication's transaction: holds the lease and the seed run until it ends.

    Raises LeaseLost, SeedRunCancelled or WrongState.
    """
    row = connection.execute(query("publish_guard"), _values(lease)).fetchone()
    if row is None:
        raise LeaseLost
    if row["cancel_requested"]:
        raise SeedRunCancelled(str(lease.holder))
    if row["state"] != RunState.RUNNING:
        raise WrongState(str(lease.holder), state=row["state"])


def holder_of(connection: Connection, run: SeedRun) -> UUID | None:
    """The seed run that holds the lease of this run's tenant and environment now, or None."""
    with translated():
        row = connection.execute(
            query("lease_holder"), {"environment": run.environment, "tenant": run.tenant}
        ).fetchone()
    holder: UUID | None = row["holder"] if row else None
    return holder


def assert_free(connection: Connection, run: SeedRun) -> None:
    """Raises LeaseHeldElsewhere where another seed run holds the lease of this run's tenant and environment."""
    with translated():
        row = connection.execute(query("lease_row"), {"environment": run.environment, "tenant": run.tenant}).fetchone()
    if row is not None and row["is_live"] and row["holder"] != run.id:
        raise _held_elsewhere(run, row)


def assert_room(connection: Connection, *, environment: str, tenant: str) -> None:
    """Raises EnvironmentFull or QueuedBehind where a seed run that is new would get no slot now. Takes nothing."""
    values = {"environment": environment, "tenant": tenant, "holder": _NOBODY}
    with translated():
        row = connection.execute(query("queue_ahead"), values).fetchone() or {}
        holders = connection.execute(query("slot_holders"), values).fetchall()
    if row["free_slots"] < 1:
        raise EnvironmentFull(environment, holders=tuple(str(holder["holder"]) for holder in holders))
    _assert_first(row, environment=environment, tenant=tenant)


def release(connection: Connection, run: SeedRun) -> None:
    """Give back the lease and the slot of a seed run; the fence stays where it is."""
    with translated(), connection.transaction():
        connection.execute(query("lease_release"), {"holder": run.id})
        connection.execute(query("slot_release"), {"holder": run.id})


def _keep(dsn: str, lease: Lease, ttl_seconds: float, ended: threading.Event) -> None:
    """Where a renewal fails, the statement itself holds the lease's row; the next renewal may work."""
    while not ended.wait(ttl_seconds / 3):
        with suppress(SeedError), connected(dsn) as beside, transaction(beside):
            renew(beside, lease, ttl_seconds=ttl_seconds)


def _assert_not_cancelled(lease: Lease, state: dict[str, Any]) -> None:
    if state.get("cancel_requested") or state.get("state") == RunState.CANCELLED:
        raise SeedRunCancelled(str(lease.holder))


def _let_others_first(connection: Connection, run: SeedRun, values: dict[str, Any]) -> None:
    """Nobody jumps the queue: a slot that is free is for those who wait for it."""
    row = connection.execute(query("queue_ahead"), values).fetchone()
    if row is not None:
        _assert_first(row, environment=run.environment, tenant=run.tenant)


def _assert_first(row: dict[str, Any], *, environment: str, tenant: str) -> None:
    if row["ahead_of_tenant"] or 0 < row["free_slots"] <= row["ahead"]:
        raise QueuedBehind(environment, tenant, ahead=row["ahead"])


def _take(connection: Connection, run: SeedRun, values: dict[str, Any]) -> dict[str, Any]:
    """The lease of nobody, or one that ran out; waits for a batch that still holds it."""
    connection.execute(query("lease_lock_key"), values)
    row = connection.execute(query("lease_row"), values).fetchone()
    if row is not None and row["is_live"]:
        raise _held_elsewhere(run, row)
    if row is not None:
        evict_workers(connection, row["holder"])
    connection.execute(query("lease_hold_row"), values)
    taken = connection.execute(query("lease_take"), values).fetchone()
    if taken is None:
        raise _held_elsewhere(run, connection.execute(query("lease_row"), values).fetchone() or {})
    return taken


def _held_elsewhere(run: SeedRun, row: dict[str, Any]) -> LeaseHeldElsewhere:
    holder = str(row.get("holder", "unknown"))
    return LeaseHeldElsewhere(run.environment, run.tenant, holder=holder, until=row.get("lease_until"))


def _values(lease: Lease) -> dict[str, str | int | UUID | float]:
    return {
        "environment": lease.environment,
        "tenant": lease.tenant,
        "holder": lease.holder,
        "fence": lease.fence,
    }

"""The lease: one seed run at a time for each tenant and environment, two for each environment.

A lease is a row with an expiry and a number that only grows, the fence. All shards of a seed run share it. Each batch
first holds the row FOR KEY SHARE (`guard`), so nobody takes over before the batch ends, and renews it last (`renew`),
so a writer that slept through its expiry cannot commit. Other shards and renewals are not in each other's way. Time is
the database's, never this machine's.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seed_pipelines.control.runs import RunState, SeedRun
from seed_pipelines.errors import (
    EnvironmentFull,
    LeaseHeldElsewhere,
    LeaseLost,
    SeedRunCancelled,
    ShardSuperseded,
    WrongState,
)
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.sql import query

TTL_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one seed run to write for one tenant in one environment."""

    environment: str
    tenant: str
    holder: UUID
    fence: int


def ensure(connection: Connection, run: SeedRun, *, ttl_seconds: float = TTL_SECONDS) -> Lease:
    """Take the lease and a slot of the environment, or renew them if they are this seed run's. Safe to repeat.

    Raises LeaseHeldElsewhere or EnvironmentFull; then nothing was taken.
    """
    values = {"environment": run.environment, "tenant": run.tenant, "holder": run.id, "ttl_seconds": ttl_seconds}
    with transaction(connection):
        connection.execute(query("lease_lock_key"), values)
        connection.execute(query("lease_hold_row"), values)
        taken = connection.execute(query("lease_take"), values).fetchone()
        if taken is None:
            raise _held_elsewhere(connection, run)
        connection.execute(query("slots_make"), values)
        connection.execute(query("slot_lock"), values)
        if connection.execute(query("slot_take"), values).fetchone() is None:
            holders = connection.execute(query("slot_holders"), values).fetchall()
            raise EnvironmentFull(run.environment, holders=tuple(str(row["holder"]) for row in holders))
    return Lease(environment=run.environment, tenant=run.tenant, holder=run.id, fence=taken["fence"])


def guard(connection: Connection, lease: Lease, *, shard: str, attempt: int) -> datetime:
    """First in every batch's transaction: may this worker still write? Returns the database's time.

    Raises LeaseLost, ShardSuperseded or SeedRunCancelled; nothing was written.
    """
    values = _values(lease) | {"shard": shard}
    row = connection.execute(query("batch_guard"), values).fetchone()
    state = row or connection.execute(query("batch_state"), values).fetchone() or {}
    if state.get("cancel_requested") or state.get("state") == RunState.CANCELLED:
        raise SeedRunCancelled(str(lease.holder))
    if row is None:
        raise LeaseLost
    if row["attempt"] != attempt:
        raise ShardSuperseded(shard, attempt=attempt)
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


def holder_of(connection: Connection, run: SeedRun) -> UUID | None:
    """The seed run that holds the lease of this run's tenant and environment now, or None."""
    with translated():
        row = connection.execute(
            query("lease_holder"), {"environment": run.environment, "tenant": run.tenant}
        ).fetchone()
    holder: UUID | None = row["holder"] if row else None
    return holder


def release(connection: Connection, run: SeedRun) -> None:
    """Give back the lease and the slot of a seed run; the fence stays where it is."""
    with translated(), connection.transaction():
        connection.execute(query("lease_release"), {"holder": run.id})
        connection.execute(query("slot_release"), {"holder": run.id})


def _held_elsewhere(connection: Connection, run: SeedRun) -> LeaseHeldElsewhere:
    row = connection.execute(query("lease_holder"), {"environment": run.environment, "tenant": run.tenant}).fetchone()
    holder, until = (str(row["holder"]), row["lease_until"]) if row else ("unknown", None)
    return LeaseHeldElsewhere(run.environment, run.tenant, holder=holder, until=until)


def _values(lease: Lease) -> dict[str, str | int | UUID | float]:
    return {
        "environment": lease.environment,
        "tenant": lease.tenant,
        "holder": lease.holder,
        "fence": lease.fence,
    }

"""The outbox of reports: a seed run that ends is in it, until its report lies in the store.

At least once: a report is marked as written only after the store has it, and the store takes the same bytes twice
without a second copy.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seed_pipelines.errors import EarlierReportWaits
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

# A report is written within seconds of its seed run's end; after this time somebody has to look.
DEADLINE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlace:
    """Where the report of a seed run lies; `uri` and `sha256` are None while it waits."""

    uri: str | None
    sha256: str | None
    queued_at: datetime
    written_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReport:
    """A seed run that ended and has no report yet."""

    seed_run_id: UUID
    environment: str
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedReport:
    """A seed run that ended, and where its report lies; `uri` is None while it waits."""

    seed_run_id: UUID
    state: str
    uri: str | None
    queued_at: datetime
    written_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueReport:
    """A seed run without a report, though its time is over.

    It ended at `queued_at`, or it failed then and waits to be gone on with or cancelled: before that it has no report.
    """

    seed_run_id: UUID
    environment: str
    tenant: str
    queued_at: datetime
    has_failed: bool


def waiting(connection: Connection) -> list[WaitingReport]:
    """What has to be written next: the oldest of each tenant and environment, oldest first."""
    with translated():
        rows = connection.execute(query("reports_waiting")).fetchall()
    return [WaitingReport(**row) for row in rows]


def count_waiting(connection: Connection) -> int:
    """How many reports wait, those that wait for an earlier one among them."""
    with translated():
        row = connection.execute(query("reports_count_waiting")).fetchone()
    return int(row["reports"]) if row else 0


def chain_of(connection: Connection, *, environment: str, tenant: str) -> list[ChainedReport]:
    """The reports of a tenant in the order of their chain, those that wait among them."""
    values = {"environment": environment, "tenant": tenant}
    with translated():
        rows = connection.execute(query("reports_of_tenant"), values).fetchall()
    return [ChainedReport(**row) for row in rows]


def mark_written(connection: Connection, seed_run_id: UUID, *, uri: str, sha256: str) -> None:
    """The report lies in the store."""
    values = {"seed_run_id": seed_run_id, "uri": uri, "sha256": sha256}
    with translated():
        connection.execute(query("report_written"), values)


def place_of(connection: Connection, seed_run_id: UUID) -> ReportPlace | None:
    """Where the report lies; None while the seed run goes on."""
    with translated():
        row = connection.execute(query("report_of"), {"seed_run_id": seed_run_id}).fetchone()
    return ReportPlace(**row) if row else None


def previous_sha256(connection: Connection, *, environment: str, tenant: str, seed_run_id: UUID) -> str | None:
    """The hash of the report before this one; None for the tenant's first.

    Reports form a chain in the order in which seed runs ended, so that two writers at once make one chain and no fork.
    Raises EarlierReportWaits where the one before is not written yet.
    """
    values = {"environment": environment, "tenant": tenant, "seed_run_id": seed_run_id}
    with translated():
        row = connection.execute(query("report_previous"), values).fetchone()
    if row is None:
        return None
    if row["sha256"] is None:
        raise EarlierReportWaits(str(seed_run_id), earlier=str(row["seed_run_id"]))
    found: str = row["sha256"]
    return found


def overdue(connection: Connection, *, seconds: float = DEADLINE_SECONDS, limit: int = 100) -> list[OverdueReport]:
    """Reports that have waited for longer than that, by the database's clock, oldest first."""
    with translated():
        rows = connection.execute(query("reports_overdue"), {"seconds": seconds, "limit": limit}).fetchall()
    return [OverdueReport(**row) for row in rows]

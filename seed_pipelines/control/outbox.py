"""The outbox of reports: a seed run that ends is in it, until its report lies in the store.

At least once: a report is marked as written only after the store has it, and the store takes the same bytes twice
without a second copy.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlace:
    """Where the report of a seed run lies; `uri` and `sha256` are None while it waits."""

    uri: str | None
    sha256: str | None
    queued_at: datetime
    written_at: datetime | None


def waiting(connection: Connection, *, limit: int = 100) -> list[UUID]:
    """Seed runs that ended and have no report yet, oldest first."""
    with translated():
        rows = connection.execute(query("reports_waiting"), {"limit": limit}).fetchall()
    return [row["seed_run_id"] for row in rows]


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
    """The hash of the tenant's newest report: reports form a chain."""
    values = {"environment": environment, "tenant": tenant, "seed_run_id": seed_run_id}
    with translated():
        row = connection.execute(query("report_previous"), values).fetchone()
    return row["sha256"] if row else None

"""Is the tenant alone with its rows? Asked of the published tables, as the loader, through row-level security."""

from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from seed_pipelines.control.runs import SeedRun
from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.sql import query

# No tenant's: tenant ids are UUIDs of version 8.
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """How many of the dataset's rows the tenant sees, and how many somebody else does."""

    planned_rows: int
    own_rows: int
    foreign_rows: int

    @property
    def holds(self) -> bool:
        return self.own_rows == self.planned_rows and self.foreign_rows == 0


def isolation_of(connection: Connection, run: SeedRun) -> Isolation:
    """Count the published rows of a seed run as its tenant, and as nobody."""
    return Isolation(
        planned_rows=sum(run.planned_rows.values()),
        own_rows=_seen_by(connection, run, run.tenant_id),
        foreign_rows=_seen_by(connection, run, _NOBODY),
    )


def _seen_by(connection: Connection, run: SeedRun, tenant_id: UUID) -> int:
    seen = 0
    with transaction(connection):
        connection.execute(query("long_statement"))
        connection.execute(query("tenant_set"), {"tenant_id": str(tenant_id)})
        for entity in run.planned_rows:
            statement = sql.SQL("SELECT count(*) AS rows FROM {} WHERE id BETWEEN %(first_id)s AND %(last_id)s").format(
                sql.Identifier("app", entity)
            )
            row = connection.execute(statement, {"first_id": run.first_id, "last_id": run.last_id}).fetchone()
            seen += row["rows"] if row else 0
    return seen

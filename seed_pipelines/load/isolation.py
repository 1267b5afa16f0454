"""Is the tenant alone with its rows? Asked of the published tables, as the loader, through row-level security."""

from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from seed_pipelines.control import mapped_rows, mappings
from seed_pipelines.control.mappings import MappedRun
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.load.catalogue_checks import TARGET_SCHEMA
from seed_pipelines.load.mapped_statements import count_of
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
    mapped = mappings.of_run(connection, run.id)
    if mapped is not None:
        return _in_application(connection, run, mapped)
    return Isolation(
        planned_rows=sum(run.planned_rows.values()),
        own_rows=_seen_by(connection, run, run.tenant_id),
        foreign_rows=_seen_by(connection, run, _NOBODY),
    )


def _in_application(connection: Connection, run: SeedRun, mapped: MappedRun) -> Isolation:
    """The same of an application's tables, where nobody may see a row at all."""
    entities = mapped.mapping.stored(tuple(run.planned_rows))
    return Isolation(
        planned_rows=sum(run.planned_rows[entity] for entity in entities),
        own_rows=sum(_counted(connection, mapped, entity, is_ours=True) for entity in entities),
        foreign_rows=sum(_counted(connection, mapped, entity, is_ours=False) for entity in entities),
    )


def _counted(connection: Connection, mapped: MappedRun, entity: str, *, is_ours: bool) -> int:
    statement = count_of(mapped.mapping, entity, is_ours=is_ours)
    with transaction(connection):
        connection.execute(query("long_statement"))
        if is_ours:
            mapped_rows.become_tenant(connection, mapped)
        values = {"seed_run_id": mapped.seed_run_id, "entity": entity}
        row = connection.execute(statement.text, values).fetchone()
    return int(row["rows"]) if row else 0


def _seen_by(connection: Connection, run: SeedRun, tenant_id: UUID) -> int:
    seen = 0
    with transaction(connection):
        connection.execute(query("long_statement"))
        connection.execute(query("tenant_set"), {"tenant_id": str(tenant_id)})
        for entity in run.planned_rows:
            statement = sql.SQL("SELECT count(*) AS rows FROM {} WHERE id BETWEEN %(first_id)s AND %(last_id)s").format(
                sql.Identifier(TARGET_SCHEMA, entity)
            )
            row = connection.execute(statement, {"first_id": run.first_id, "last_id": run.last_id}).fetchone()
            seen += row["rows"] if row else 0
    return seen

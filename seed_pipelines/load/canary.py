"""The canary: what the catalogue promises is tried, in a transaction that is rolled back whatever happens.

Nobody and a stranger see no row. A row of another tenant, or of any tenant by nobody, is refused with SQLSTATE 42501;
so is every read that would have to do without policies. A build table refuses a stranger's row by its CHECK.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from seed_pipelines import catalog
from seed_pipelines.catalog import ColumnType
from seed_pipelines.errors import DatabaseRefused
from seed_pipelines.load.catalogue_checks import TARGET_SCHEMA
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.load.copy import BUILD_SCHEMA
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

CANARY = Check(
    name="canary",
    promise="nobody sees a row, and a row of another tenant is refused, tried in a rolled-back transaction",
    why="the catalogue says what should happen; only trying says what does",
    remedy="Do not seed this database. Correct the checks above; if all of them hold, compare the schema with the "
    "migrations.",
)

_REFUSED_BY_POLICY = "42501"
# By its CHECK; or it was sealed, published or dropped since the list of builds was read, and takes no row at all.
_BUILD_REFUSALS = ("23514", "42501", "42P01")

# A policy is asked before any constraint, so a row for it needs its key only. A CHECK is asked after NOT NULL.
_WRITE_KEY = "INSERT INTO {} (tenant_id, id) VALUES (gen_random_uuid(), 0)"
_WRITE_NO_KEY = "INSERT INTO {} ({}, {}) OVERRIDING SYSTEM VALUE VALUES ({}, NULL)"
_SEE = "SELECT EXISTS (SELECT FROM {}) AS seen"

# Tenants that nobody is, by the type of a mapping's tenant column: one for the session, one for the row.
_STRANGERS = {
    "uuid": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"),
    "bigint": ("-1", "-2"),
    "integer": ("-1", "-2"),
    "text": ("\x01", "\x02"),
}

_ANY_VALUE: dict[ColumnType, LiteralString] = {
    ColumnType.UUID: "gen_random_uuid()",
    ColumnType.BIGINT: "0",
    ColumnType.INTEGER: "0",
    ColumnType.SMALLINT: "0",
    ColumnType.DATE: "'epoch'::date",
    ColumnType.TIMESTAMP: "'epoch'::timestamptz",
    ColumnType.TEXT: "''",
    ColumnType.BYTES: "''::bytea",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A table, a row of somebody else's, and what makes the session nobody, or a stranger to that row."""

    schema: str
    table: str
    row: sql.Composed
    beings: Mapping[str, tuple[LiteralString, Mapping[str, str]]]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


def try_canary(
    connection: Connection, entities: tuple[str, ...], *, mapping: SchemaMapping | None = None
) -> CheckResult:
    """One result for all of it; raises DatabaseUnavailable."""
    tried = [_own(entity) for entity in entities]
    if mapping is not None:
        tried += [_of_application(mapping, entity) for entity in mapping.ordered]
    try:
        with translated(), connection.transaction(force_rollback=True):
            return CANARY.result([*_of_targets(connection, tried), *_of_builds(connection)])
    except DatabaseRefused as error:
        return CANARY.result([f"it could not be tried: SQLSTATE {error.sqlstate}"])


def _own(entity: str) -> _Tried:
    # A fresh tenant for each row: the stranger of the session is never the one of the row.
    return _Tried(
        schema=TARGET_SCHEMA,
        table=entity,
        row=sql.SQL(_WRITE_KEY).format(sql.Identifier(TARGET_SCHEMA, entity)),
        beings={"nobody": (query("preflight_nobody"), {}), "stranger": (query("preflight_stranger"), {})},
    )


def _of_application(mapping: SchemaMapping, entity: str) -> _Tried:
    """A null key, so that no sequence moves: the policy is asked before it is missed."""
    rule, tenant = mapping.entities[entity], mapping.tenant
    stranger, other = _STRANGERS[tenant.type]
    being = query("mapped_tenant_is")
    return _Tried(
        schema=mapping.schema_name,
        table=rule.table,
        row=sql.SQL(_WRITE_NO_KEY).format(
            sql.Identifier(mapping.schema_name, rule.table),
            sql.Identifier(tenant.column),
            sql.Identifier(rule.key.column),
            sql.Literal(other),
        ),
        beings={
            "nobody": (being, {"tenant_setting": tenant.setting, "tenant_value": ""}),
            "stranger": (being, {"tenant_setting": tenant.setting, "tenant_value": stranger}),
        },
    )


def _of_targets(connection: Connection, tried: Sequence[_Tried]) -> Iterator[str]:
    for table in tried:
        for who, (being, values) in table.beings.items():
            connection.execute(being, values)
            if _sees(connection, table.identifier):
                yield f"{who} sees rows of {table}"
            if _refusal(connection, table.row) != _REFUSED_BY_POLICY:
                yield f"{who} may write a row of another tenant into {table}"
    yield from _without_policies(connection, tried)


def _without_policies(connection: Connection, tried: Sequence[_Tried]) -> Iterator[str]:
    with connection.transaction(force_rollback=True):
        connection.execute(query("preflight_without_policies"))
        for table in tried:
            if _refusal(connection, sql.SQL(_SEE).format(table.identifier)) != _REFUSED_BY_POLICY:
                yield f"{table} is read without its policies"


def _of_builds(connection: Connection) -> Iterator[str]:
    for row in connection.execute(query("preflight_open_builds")).fetchall():
        name = row["table_name"]
        if _refusal(connection, _write_row(row["entity"], name)) not in _BUILD_REFUSALS:
            yield f"{BUILD_SCHEMA}.{name} takes a stranger's row"


def _write_row(entity: str, build: str) -> sql.Composed:
    columns = catalog.ENTITIES[entity].stored_columns
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(BUILD_SCHEMA, build),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        sql.SQL(", ").join(sql.SQL(_ANY_VALUE[column.type]) for column in columns),
    )


def _sees(connection: Connection, table: sql.Identifier) -> bool:
    row = connection.execute(sql.SQL(_SEE).format(table)).fetchone()
    return row is None or bool(row["seen"])


def _refusal(connection: Connection, statement: sql.Composed) -> str | None:
    """The SQLSTATE with which the statement is refused; None where it is not. Raises DatabaseUnavailable: who could not
    try, for a lock or a lost connection, knows nothing."""
    try:
        with translated(), connection.transaction(force_rollback=True):
            connection.execute(statement)
    except DatabaseRefused as error:
        return error.sqlstate
    return None

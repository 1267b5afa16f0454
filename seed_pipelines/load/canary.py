"""The canary: what the catalogue promises is tried, in a transaction that is rolled back whatever happens.

Nobody and a stranger see no row. A row of another tenant, or of any tenant by nobody, is refused with SQLSTATE 42501;
so is every read that would have to do without policies. A build table refuses a stranger's row by its CHECK.
"""

from collections.abc import Iterator
from typing import LiteralString

import psycopg
from psycopg import sql

from seed_pipelines import catalog
from seed_pipelines.catalog import ColumnType
from seed_pipelines.errors import DatabaseRefused
from seed_pipelines.load.catalogue_checks import TARGET_SCHEMA
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.load.copy import BUILD_SCHEMA
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
_REFUSED_BY_CHECK = "23514"

# A policy is asked before any constraint, so a row for it needs its key only. A CHECK is asked after NOT NULL.
_WRITE_KEY = "INSERT INTO {} (tenant_id, id) VALUES (gen_random_uuid(), 0)"
_SEE = "SELECT EXISTS (SELECT FROM {}) AS seen"

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


def try_canary(connection: Connection, entities: tuple[str, ...]) -> CheckResult:
    """One result for all of it; raises DatabaseUnavailable."""
    try:
        with translated(), connection.transaction(force_rollback=True):
            return CANARY.result([*_of_targets(connection, entities), *_of_builds(connection)])
    except DatabaseRefused as error:
        return CANARY.result([f"it could not be tried: SQLSTATE {error.sqlstate}"])


def _of_targets(connection: Connection, entities: tuple[str, ...]) -> Iterator[str]:
    # A fresh tenant for each row: the stranger of the session is never the one of the row.
    for entity in entities:
        table = sql.Identifier(TARGET_SCHEMA, entity)
        for who, being in (("nobody", query("preflight_nobody")), ("stranger", query("preflight_stranger"))):
            connection.execute(being)
            if _sees(connection, table):
                yield f"{who} sees rows of {TARGET_SCHEMA}.{entity}"
            if _refusal(connection, sql.SQL(_WRITE_KEY).format(table)) != _REFUSED_BY_POLICY:
                yield f"{who} may write a row of another tenant into {TARGET_SCHEMA}.{entity}"
    yield from _without_policies(connection, entities)


def _without_policies(connection: Connection, entities: tuple[str, ...]) -> Iterator[str]:
    with connection.transaction(force_rollback=True):
        connection.execute(query("preflight_without_policies"))
        for entity in entities:
            statement = sql.SQL(_SEE).format(sql.Identifier(TARGET_SCHEMA, entity))
            if _refusal(connection, statement) != _REFUSED_BY_POLICY:
                yield f"{TARGET_SCHEMA}.{entity} is read without its policies"


def _of_builds(connection: Connection) -> Iterator[str]:
    for row in connection.execute(query("preflight_open_builds")).fetchall():
        name = row["table_name"]
        if _refusal(connection, _write_row(row["entity"], name)) != _REFUSED_BY_CHECK:
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
    """The SQLSTATE with which the statement is refused; None where it is not."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    return None

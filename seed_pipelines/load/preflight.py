"""Preflight: would this database keep tenants apart if we wrote to it now? Any doubt is a refusal.

The catalogue is asked (catalogue_checks.py), then tried (canary.py). Nothing is written: what the canary does is rolled
back. `assert_still_safe` is the part that every batch repeats inside its own transaction, because the owner of the
schema can change it while a seed run is under way.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from seed_pipelines.control import migrations
from seed_pipelines.errors import DatabaseNotSafe, DatabaseRefused, MigrationsPending
from seed_pipelines.load.canary import CANARY, try_canary
from seed_pipelines.load.catalogue_checks import (
    CATALOGUE_CHECKS,
    TARGET_SCHEMA,
    TENANT_POLICY,
    ask_catalogue,
    not_checked,
)
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.load.mapped_checks import ask_about_mapping
from seed_pipelines.load.mapped_target import target_values
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

MIGRATIONS = Check(
    name="migrations",
    promise="the database has exactly the migrations of this version",
    why="the other checks know this version's schema; another one may have doors that they do not look for",
    remedy="Apply them with `seed-data db migrate`.",
)

CHECKS = (MIGRATIONS, *CATALOGUE_CHECKS, CANARY)


def examine(
    connection: Connection, entities: tuple[str, ...], *, mapping: SchemaMapping | None = None
) -> tuple[CheckResult, ...]:
    """What every check finds, whatever the others find; with a mapping, of its tables too. Raises
    DatabaseUnavailable."""
    migrated = _migrated(connection)
    if mapping is None:
        results = (migrated, *ask_catalogue(connection, entities))
    else:
        results = (migrated, *_with_mapping(connection, entities, mapping))
    if all(result.ok for result in results):
        return (*results, try_canary(connection, entities, mapping=mapping))
    # A schema with a trigger or a rule of somebody else's might do more than a rollback takes back.
    return (*results, CANARY.result(["not tried while other checks fail"]))


def assert_safe(
    connection: Connection, entities: tuple[str, ...], *, mapping: SchemaMapping | None = None
) -> tuple[CheckResult, ...]:
    """What held, for the record. Raises MigrationsPending or DatabaseNotSafe; writes nothing."""
    results = examine(connection, entities, mapping=mapping)
    findings = tuple(f"{result.check}: {result.detail}" for result in results if not result.ok)
    if findings:
        # Pending migrations explain whatever else is missing.
        with suppress(DatabaseRefused):
            migrations.assert_applied(connection)
        raise DatabaseNotSafe(findings)
    return results


class Preflight:
    """The checks of one worker: in full before its first step, and what held then goes for its later ones. The cheap
    part is repeated in every batch."""

    def __init__(self) -> None:
        self._held: tuple[CheckResult, ...] | None = None

    def assert_safe(
        self, connection: Connection, entities: tuple[str, ...], *, mapping: SchemaMapping | None = None
    ) -> tuple[CheckResult, ...]:
        """As the function, once: a refusal is not kept."""
        if self._held is None:
            self._held = assert_safe(connection, entities, mapping=mapping)
        return self._held


def assert_still_safe(
    connection: Connection,
    entities: tuple[str, ...],
    *,
    build_table: str | None = None,
    tenant_id: UUID | None = None,
    mapping: SchemaMapping | None = None,
) -> None:
    """In the caller's transaction, in one statement: role, session, row-level security and policy of the entities'
    tables, and the CHECK of the build table where one is named; in another, the tables of a mapping. Raises
    DatabaseNotSafe."""
    values = {
        "schema": TARGET_SCHEMA,
        "entities": list(entities),
        "policy": TENANT_POLICY,
        "backend_pid": connection.info.backend_pid,
        "build_table": build_table,
        "tenant_id": tenant_id,
    }
    with translated():
        findings = tuple(row["finding"] for row in connection.execute(query("preflight_again"), values))
        if mapping is not None:
            again = connection.execute(query("mapped_again"), {"mapping": Jsonb(mapping.as_data())})
            findings += tuple(row["finding"] for row in again)
    if findings:
        raise DatabaseNotSafe(findings)


def _with_mapping(connection: Connection, entities: tuple[str, ...], mapping: SchemaMapping) -> Iterator[CheckResult]:
    try:
        target: dict[str, Any] | DatabaseRefused = target_values(connection, mapping)
    except DatabaseRefused as error:
        target = error
    yield from ask_catalogue(connection, entities, target={} if isinstance(target, DatabaseRefused) else target)
    yield from ask_about_mapping(connection, mapping, target)


def _migrated(connection: Connection) -> CheckResult:
    try:
        migrations.assert_applied(connection)
    except MigrationsPending as pending:
        return MIGRATIONS.result(f"{name} is missing or was changed" for name in pending.names)
    except DatabaseRefused as error:
        return MIGRATIONS.result([not_checked(error)])
    return MIGRATIONS.result(())

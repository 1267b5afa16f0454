"""Migrations: numbered files, applied once, in order, each in its own transaction with its own record.

A file that was changed after it had been applied is refused: write a new one.
"""

import hashlib
from dataclasses import dataclass

from psycopg import sql

from seed_pipelines.errors import MigrationChanged, MigrationsPending
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.sql import migrations, query


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of `sql/migrations`."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped() -> tuple[Migration, ...]:
    """The migrations of this version, in order."""
    return tuple(Migration(name=name, text=text) for name, text in migrations())


def apply(connection: Connection) -> tuple[str, ...]:
    """Apply what is missing, as seed_owner; returns the names. Raises MigrationChanged."""
    with translated():
        connection.execute(query("migrations_begin"))
    with transaction(connection):
        connection.execute(query("migrations_turn"))
        connection.execute(query("migrations_schema"))
        connection.execute(query("migrations_table"))
    applied = []
    for migration in shipped():
        with transaction(connection):
            connection.execute(query("migrations_lock"))
            if migration.name not in _applied(connection, migration):
                # The text is a file of this package.
                connection.execute(sql.SQL(migration.text))
                connection.execute(query("migration_record"), {"name": migration.name, "sha256": migration.sha256})
                applied.append(migration.name)
    return tuple(applied)


def assert_applied(connection: Connection) -> None:
    """Raises MigrationsPending unless the database has exactly what this version ships."""
    with translated():
        known = connection.execute(query("migrations_known")).fetchone()
        found = connection.execute(query("migrations_applied")).fetchall() if known and known["known"] else []
    applied = {row["name"]: row["sha256"] for row in found}
    pending = [m.name for m in shipped() if applied.get(m.name) != m.sha256]
    if pending:
        raise MigrationsPending(tuple(pending))


def _applied(connection: Connection, migration: Migration) -> set[str]:
    rows = connection.execute(query("migrations_applied")).fetchall()
    for row in rows:
        if row["name"] == migration.name and row["sha256"] != migration.sha256:
            raise MigrationChanged(migration.name)
    return {row["name"] for row in rows}

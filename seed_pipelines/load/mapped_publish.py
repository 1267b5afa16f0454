"""Publishing into an application's tables: old rows go and new ones come, in the caller's transaction.

A row that was there before keeps its key, so what the application made of it may still refer to it. Rows of the
application are never touched: the ledger says which rows are ours. Where one of them refers to a row that goes and does
not come back, nothing is published and those rows are listed.
"""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from seed_pipelines.control import mapped_rows, mappings
from seed_pipelines.control.mappings import MappedRun
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import (
    DatabaseRefused,
    MaskKeyUnavailable,
    PublishRefused,
    RowsLost,
    SequenceBehind,
    ValuesNotMapped,
)
from seed_pipelines.load.mapped_statements import (
    Source,
    Statement,
    build_of,
    drawn_insert_of,
    insert_of,
    later_of,
    ledger_of,
    unmapped_values_of,
)
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

_FOREIGN_KEY_VIOLATION = "23503"
# A sequence that stands further behind than 2^20 keys is somebody's to look at.
_DRAWS = 21


class MappedPublication:
    """One publication; everything happens in the transaction of whoever calls `move_rows`."""

    def __init__(self, connection: Connection, run: SeedRun, mapped: MappedRun, keys: FieldKeys | None) -> None:
        self._connection, self._run, self._mapped, self._keys = connection, run, mapped, keys
        self._mapping = mapped.mapping
        self._entities = mapped.mapping.stored(tuple(run.planned_rows))

    def move_rows(self) -> None:
        """Raises PublishRefused, ValuesNotMapped, SequenceBehind or RowsLost; then nothing may be committed."""
        try:
            with translated():
                self._move_rows()
        except DatabaseRefused as refused:
            if refused.sqlstate != _FOREIGN_KEY_VIOLATION:
                raise
            detail = f"constraint {refused.constraint} of {refused.table}"
            raise PublishRefused("a row would refer to one that is not there", detail=detail) from None

    def _move_rows(self) -> None:
        mapped_rows.become_tenant(self._connection, self._mapped)
        self._connection.execute(query("constraints_defer"))
        old = mappings.of_dataset(
            self._connection, environment=self._run.environment, tenant=self._run.tenant, mode=self._run.mode
        )
        for entity in self._entities:
            self._assert_values(entity)
            self._write_ledger(entity, old)
        if old is not None:
            self._take_away(old)
        for entity in self._entities:
            self._insert(entity)
        for entity in self._entities:
            for column in self._mapping.entities[entity].later_columns:
                self._close_circle(entity, column)
        self._connection.execute(query("constraints_check"))

    def _take_away(self, old: MappedRun) -> None:
        found = mapped_rows.referred_to(self._connection, old, by=self._run.id)
        if found:
            detail = "; ".join(f"{one['table']} to {one['parent']}: ids {one['ids']}" for one in found)
            raise PublishRefused("rows of the application refer to rows that would go away", detail=detail)
        mapped_rows.take_away(self._connection, old)

    def _assert_values(self, entity: str) -> None:
        for column, rule in self._mapping.entities[entity].columns.items():
            if rule.values is not None:
                statement = unmapped_values_of(self._source(entity), rule)
                rows = self._connection.execute(statement.text, {"known": list(rule.values)}).fetchall()
                if rows:
                    name = f"{entity}.{column}"
                    raise ValuesNotMapped(name, values=tuple(row["value"] for row in rows))

    def _write_ledger(self, entity: str, old: MappedRun | None) -> None:
        keeps = old is not None and _same_keys(old, self._mapped, entity)
        values = {
            "old_run_id": old.seed_run_id if old is not None and keeps else None,
            "sequence": self._key_of(entity)["sequence"],
        }
        self._execute(ledger_of(self._mapping, self._source(entity)), entity, values)

    def _insert(self, entity: str) -> None:
        planned = self._run.planned_rows[entity]
        if self._mapping.entities[entity].key.source == "sequence":
            stored = self._insert_drawn(entity, planned)
        else:
            stored = self._execute(insert_of(self._mapping, self._source(entity)), entity)
        if stored != planned:
            raise RowsLost(_name(self._mapping, entity), sent=planned, stored=stored)

    def _insert_drawn(self, entity: str, planned: int) -> int:
        """Rows whose drawn key another row has are tried again; the sequence moves on twice as far each time, since
        nobody here may see, or set, how far it should stand."""
        key = self._key_of(entity)
        statement = drawn_insert_of(self._mapping, self._source(entity), unique=tuple(key["columns"]))
        values = {"seed_run_id": self._run.id, "entity": entity, "sequence": key["sequence"]}
        stored = self._execute(statement, entity)
        for draw in range(_DRAWS):
            if stored == planned:
                return stored
            self._connection.execute(query("sequence_skip"), values | {"keys": 2**draw})
            self._connection.execute(query("mapped_rows_redrawn"), values)
            stored += self._execute(statement, entity)
        raise SequenceBehind(key["sequence"], table=_name(self._mapping, entity), drawn=2**_DRAWS)

    def _close_circle(self, entity: str, column: str) -> None:
        child = self._mapping.entities[entity].columns[column].first_of or ""
        if child in self._entities:
            build = build_of(child, self._run.id.hex)
            self._execute(later_of(self._mapping, self._source(entity), column, child=build), entity)

    def _execute(self, statement: Statement, entity: str, values: Mapping[str, Any] | None = None) -> int:
        opening = {name: self._passphrase(entity, column) for name, column in statement.opened.items()}
        common = {
            "seed_run_id": self._run.id,
            "entity": entity,
            "tenant_value": self._mapped.tenant_value,
        }
        given = common | opening | dict(statement.values) | dict(values or {})
        return self._connection.execute(statement.text, given).rowcount

    def _passphrase(self, entity: str, column: str) -> str:
        if self._keys is None:
            what, what_to_do = f"{entity}.{column}", "Publish with the keys of the tenant."
            raise MaskKeyUnavailable(what, why="it is to be opened without a key", what_to_do=what_to_do)
        return self._keys.column(entity, column).pgp.passphrase

    def _source(self, entity: str) -> Source:
        return Source(entity=entity, table=build_of(entity, self._run.id.hex), pgcrypto=pgcrypto_of(self._connection))

    def _key_of(self, entity: str) -> dict[str, Any]:
        values = {"mapping": Jsonb(self._mapping.as_data()), "entity": entity}
        return self._connection.execute(query("mapped_key"), values).fetchone() or {}


def move_rows(connection: Connection, run: SeedRun, mapped: MappedRun, *, keys: FieldKeys | None) -> None:
    """Swap the dataset's rows in the application's tables, in the caller's transaction."""
    MappedPublication(connection, run, mapped, keys).move_rows()


def pgcrypto_of(connection: Connection) -> str:
    """The schema of pgcrypto's functions; the bootstrap installs it."""
    row = connection.execute(query("pgcrypto_schema")).fetchone()
    return str(row["name"]) if row else "public"


def _same_keys(old: MappedRun, new: MappedRun, entity: str) -> bool:
    """Whether the old rows of an entity lie where the new ones will, so that a row keeps its key."""
    before, now = old.mapping.entities.get(entity), new.mapping.entities[entity]
    return (
        before is not None
        and old.mapping.schema_name == new.mapping.schema_name
        and (before.table, before.key) == (now.table, now.key)
    )


def _name(mapping: SchemaMapping, entity: str) -> str:
    return f"{mapping.schema_name}.{mapping.entities[entity].table}"

"""What the catalogue says about the tables of an application that a mapping names, before the loader writes to them.

The checks of catalogue_checks.py that hold for any table (row-level security, rights, rules, ownership) look at these
tables too. What is asked here is their policy, and whether they will take the rows.
"""

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from seed_pipelines import catalog
from seed_pipelines.errors import DatabaseRefused
from seed_pipelines.load.catalogue_checks import TARGET_SCHEMA, not_checked
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.load.mapped_publish import pgcrypto_of
from seed_pipelines.load.mapped_statements import Source, insert_of
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.mapping.rules import injective_sources
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

TABLES = Check(
    name="mapped-tables",
    promise="every table of the mapping is an ordinary table of its own",
    why="a view has no row-level security of its own, and a partition or a table that inherits is reached past its "
    "policies",
    remedy="Correct the mapping's schema and tables, or map the table above.",
    query="mapped_tables",
)
POLICY = Check(
    name="mapped-policy",
    promise="every table of the mapping has the tenant policy on its tenant column, word for word, and no other beside "
    "the one that it restricts",
    why="a policy for some commands or roles leaves the others open, permissive ones are added up, and a fallback in "
    "the expression shows rows to a session without a tenant",
    remedy="Make the policies that `seed-data mapping grants` prints, or correct the mapping's tenant.",
    query="mapped_policy",
)
RIGHTS = Check(
    name="mapped-rights",
    promise="the loader may do in the mapping's tables what a publication does",
    why="a right that is missing is better found before the rows are made than when they are moved",
    remedy="Let the owner of the tables run what `seed-data mapping grants` prints.",
    query="mapped_rights",
)
COLUMNS = Check(
    name="mapped-columns",
    promise="every column of the mapping is there and takes what is written, and every one that has to be is written",
    why="a row that lacks a column, or has a value of another type, is refused when it is moved",
    remedy="Correct the mapping: map the column, leave it out, or add a cast, an open or a table of values.",
    query="mapped_columns",
)
UNIQUES = Check(
    name="mapped-uniques",
    promise="no unique index but the key's can turn a row away or tell one tenant what another has",
    why="constraints ignore row-level security: values that are unique in a tenant may be another tenant's too",
    remedy="Let the index begin with the tenant and hold a unique of the entity; or name it in accepts.uniques, once "
    "you know that the values differ.",
    query="mapped_unique_indexes",
)
REFERENCES = Check(
    name="mapped-references",
    promise="references lead to the tables of the mapping, and nobody's rows go with ours unseen",
    why="a reference to another table would be refused; a cascade from a table that the loader may not read would take "
    "rows of the application",
    remedy="Correct the mapping, or GRANT SELECT on the referring table to seed_loader.",
    query="mapped_foreign_keys",
)
TRIGGERS = Check(
    name="mapped-triggers",
    promise="every trigger of the mapping's tables is known to the mapping, and all constraints are checked",
    why="a trigger can copy or change rows, or send what it sees elsewhere",
    remedy="Look at what it does and name it in accepts.triggers, or let the owner drop it.",
    query="mapped_triggers",
)
SEQUENCES = Check(
    name="mapped-sequences",
    promise="keys come from a sequence that only goes on, or from a range that no sequence has reached",
    why="a key that is given twice is refused, and whoever sets a sequence by the rows that it sees sets it back for "
    "every other tenant",
    remedy="Correct the mapping's key, or let the owner alter the sequence; REVOKE UPDATE on it FROM seed_loader.",
    query="mapped_sequences",
)

MAPPED_CHECKS = (TABLES, POLICY, RIGHTS, COLUMNS, UNIQUES, REFERENCES, TRIGGERS, SEQUENCES)


def ask_about_mapping(
    connection: Connection, mapping: SchemaMapping, values: dict[str, Any] | DatabaseRefused
) -> Iterator[CheckResult]:
    """Every check of the mapping, in order; raises DatabaseUnavailable."""
    for check in MAPPED_CHECKS:
        if isinstance(values, DatabaseRefused):
            yield check.result([not_checked(values)])
        else:
            yield check.result(_findings(connection, mapping, check, values))


def _findings(connection: Connection, mapping: SchemaMapping, check: Check, values: dict[str, Any]) -> tuple[str, ...]:
    try:
        with translated():
            rows = connection.execute(query(check.query or ""), values).fetchall()
        if check is UNIQUES:
            return tuple(_not_proven(mapping, rows))
        found = tuple(row["finding"] for row in rows)
        # What the catalogue finds explains why a statement cannot be planned.
        return tuple(_not_insertable(connection, mapping)) if check is COLUMNS and not found else found
    except DatabaseRefused as error:
        return (not_checked(error),)


def _not_insertable(connection: Connection, mapping: SchemaMapping) -> Iterator[str]:
    """Plans the very statements that a publication runs, on tables of the same columns; nothing is executed."""
    for entity in mapping.ordered:
        table = sql.Identifier(TARGET_SCHEMA, entity)
        source = Source(entity=entity, table=table, pgcrypto=pgcrypto_of(connection))
        statement = insert_of(mapping, source)
        values = {"seed_run_id": None, "entity": entity, "tenant_value": None} | dict.fromkeys(statement.opened)
        try:
            with translated(), connection.transaction(force_rollback=True):
                connection.execute(sql.SQL("EXPLAIN ") + statement.text, values | dict(statement.values))
        except DatabaseRefused as error:
            yield f"{entity}: its rows do not fit, SQLSTATE {error.sqlstate}"


def _not_proven(mapping: SchemaMapping, indexes: list[dict[str, Any]]) -> Iterator[str]:
    """Unique indexes that neither the key nor a unique of the entity explains, and tables whose key is not unique."""
    entities_of = [mapping.entities[entity].table for entity in mapping.ordered]
    for entity in mapping.ordered:
        rule = mapping.entities[entity]
        mine = [index for index in indexes if index["entity"] == entity]
        if not any(_is_key(mapping, entity, index) for index in mine):
            yield f"{mapping.schema_name}.{rule.table}: {rule.key.column} is not unique, alone or in the tenant"
        if rule.key.source == "own" and any(index["columns"] == [rule.key.column] for index in mine):
            yield f"{mapping.schema_name}.{rule.table}: {rule.key.column} is unique over tenants, ids of ours are not"
        for index in mine:
            is_accepted = _holds_key(mapping, entity, index) or index["index"] in rule.accepts.uniques
            is_shared = entities_of.count(rule.table) > 1
            if not is_accepted and (is_shared or not _is_unique_of_ours(mapping, entity, index)):
                yield f"{index['name']}: {index['index']}"


def _is_key(mapping: SchemaMapping, entity: str, index: dict[str, Any]) -> bool:
    key = mapping.entities[entity].key.column
    return not index["is_opaque"] and {key} <= set(index["columns"]) <= {key, mapping.tenant.column}


def _holds_key(mapping: SchemaMapping, entity: str, index: dict[str, Any]) -> bool:
    return not index["is_opaque"] and mapping.entities[entity].key.column in index["columns"]


def _is_unique_of_ours(mapping: SchemaMapping, entity: str, index: dict[str, Any]) -> bool:
    if index["is_opaque"] or mapping.tenant.column not in index["columns"]:
        return False
    sources = injective_sources(entity, mapping.entities[entity])
    held = {sources[column] for column in index["columns"] if column in sources}
    return "id" in held or any(set(unique) <= held for unique in catalog.ENTITIES[entity].uniques)

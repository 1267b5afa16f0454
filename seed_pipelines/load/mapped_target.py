"""What a mapping means to the statements of the preflight: the tables, policies and columns to look at."""

from typing import Any

from psycopg.types.json import Jsonb

from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.mapping.rules import is_nullable, parent_of
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.plan import ID_BASE
from seed_pipelines.sql import query


def target_values(connection: Connection, mapping: SchemaMapping) -> dict[str, Any]:
    """The values of a mapping's statements; raises DatabaseRefused, DatabaseUnavailable."""
    values: dict[str, Any] = {
        "mapping": Jsonb(mapping.as_data()),
        "nullable": _nullable(mapping),
        "parents": Jsonb(_parents(mapping)),
        "first_own_id": min(ID_BASE.values()),
    }
    with translated():
        tree = connection.execute(query("mapped_tree"), values).fetchall()
        policy = connection.execute(query("mapped_policy_text"), values).fetchone() or {}
    return values | {
        "mapped": [row["id"] for row in tree],
        "mapped_sequences": [row["sequence"] for row in tree if row["sequence"] is not None],
        "mapped_policy": policy["policy"],
    }


def _nullable(mapping: SchemaMapping) -> list[str]:
    return [
        f"{entity}.{column}"
        for entity in mapping.ordered
        for column, rule in mapping.entities[entity].columns.items()
        if is_nullable(entity, rule)
    ]


def _parents(mapping: SchemaMapping) -> dict[str, dict[str, str]]:
    """By entity and column, the entity whose key the column holds."""
    found = {}
    for entity in mapping.ordered:
        for column, rule in mapping.entities[entity].columns.items():
            parent = rule.first_of or parent_of(entity, rule.source or "")
            if parent is not None:
                found[f"{entity}.{column}"] = {"column": column, "parent": parent}
    return found

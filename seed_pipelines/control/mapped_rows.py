"""Rows of a dataset in an application's tables: counted, referred to, taken away. The ledger says which they are.

All of it is the loader's own work, under the application's row-level security, in the caller's transaction.
"""

from typing import Any
from uuid import UUID

from seed_pipelines.control.mappings import MappedRun
from seed_pipelines.outside.postgres import Connection
from seed_pipelines.sql import query


def become_tenant(connection: Connection, mapped: MappedRun) -> None:
    """For the rest of the transaction our policies and the application's see this tenant."""
    connection.execute(query("mapped_tenant_set"), {"seed_run_id": mapped.seed_run_id})


def counted(connection: Connection, mapped: MappedRun) -> dict[str, int]:
    """Rows by entity, as the ledger has them."""
    row = connection.execute(query("mapped_rows_counted"), {"seed_run_id": mapped.seed_run_id}).fetchone() or {}
    return _in_order(mapped, row["rows"])


def referred_to(connection: Connection, mapped: MappedRun, *, by: UUID | None = None) -> list[dict[str, Any]]:
    """Rows of the application that refer to rows of this dataset which the seed run `by`, if given, does not bring
    back: table, parent and at most 20 ids."""
    values = {"old_run_id": mapped.seed_run_id, "new_run_id": by}
    row = connection.execute(query("mapped_rows_referred_to"), values).fetchone() or {}
    found: list[dict[str, Any]] = row["found"]
    return found


def take_away(connection: Connection, mapped: MappedRun) -> dict[str, int]:
    """Delete the dataset's rows and their ledger; returns rows by entity."""
    row = connection.execute(query("mapped_rows_taken"), {"seed_run_id": mapped.seed_run_id}).fetchone() or {}
    return _in_order(mapped, row["rows"])


def _in_order(mapped: MappedRun, rows: dict[str, int]) -> dict[str, int]:
    return {entity: rows[entity] for entity in mapped.mapping.ordered if entity in rows}

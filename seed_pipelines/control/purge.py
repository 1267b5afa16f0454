"""Purge: datasets that expired, or that nobody wants, go away whole; checkpoints that served their purpose too.

A purge is fenced like a seed run: it is refused while one holds the tenant's lease, and no writer of before can write
after it. Rows of other modes and rows that the application made stay; where one of them, or a row of any other table,
refers to the dataset, nothing is taken away and those rows are listed. What was purged stands in `purge_log`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from seed_pipelines.control import checkpoints, mapped_rows, mappings
from seed_pipelines.control.mappings import MappedRun
from seed_pipelines.errors import (
    DatabaseRefused,
    DatasetNotFound,
    LeaseHeldElsewhere,
    PublishRefused,
    PurgeRefused,
)
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.sql import query

# So long an API request that is sent again gets the same answer.
API_ANSWERS_KEPT_DAYS = 7

_LOCK_TIMEOUT_MS = 500
_FOREIGN_KEY_VIOLATION = "23503"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetName:
    """Which dataset."""

    environment: str
    tenant: str
    mode: str

    def __str__(self) -> str:
        return f"{self.environment}/{self.tenant} {self.mode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDataset:
    """A published dataset, as a list shows it."""

    name: DatasetName
    generation: int
    seed_run_id: UUID
    manifest_version: str
    dataset_hash: str
    published_at: datetime
    expires_at: datetime | None
    is_expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Rows that stay and refer to rows of a dataset: at most 20 of them by id."""

    table: str
    parent: str
    ids: str

    def __str__(self) -> str:
        return f"{self.table} to {self.parent}: ids {self.ids}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a purge would take away, and what forbids it."""

    rows: Mapping[str, int]
    references: tuple[Reference, ...]


def listed(
    connection: Connection,
    *,
    environment: str | None = None,
    tenant: str | None = None,
    mode: str | None = None,
    only_expired: bool = False,
) -> list[ListedDataset]:
    """Published datasets, by environment, tenant and mode."""
    values = {"environment": environment, "tenant": tenant, "mode": mode, "only_expired": only_expired}
    with translated():
        rows = connection.execute(query("datasets_found"), values).fetchall()
    return [
        ListedDataset(
            name=DatasetName(environment=row.pop("environment"), tenant=row.pop("tenant"), mode=row.pop("mode")),
            is_expired=bool(row.pop("is_expired")),
            **row,
        )
        for row in rows
    ]


def preview(connection: Connection, name: DatasetName) -> Preview:
    """What `purge` would do now; nothing is changed or locked. Raises DatasetNotFound."""
    mapped = mappings.of_dataset(connection, **_values(name))
    with transaction(connection):
        connection.execute(query("long_statement"))
        if mapped is not None:
            return _preview_mapped(connection, mapped)
        row = connection.execute(query("purge_preview"), _values(name)).fetchone()
    if row is None or row["preview"] is None:
        raise DatasetNotFound(str(name))
    found = row["preview"]
    return Preview(rows=found["rows"], references=tuple(Reference(**one) for one in found["references"]))


def purge(connection: Connection, name: DatasetName, *, reason: Literal["expired", "asked"]) -> dict[str, int]:
    """Take the dataset away; returns its rows by entity.

    Raises DatasetNotFound, LeaseHeldElsewhere or PurgeRefused; then nothing was changed.
    """
    try:
        with transaction(connection):
            _hold_off(connection, name)
            connection.execute(query("long_statement"))
            connection.execute(query("publish_lock_timeout"), {"milliseconds": _LOCK_TIMEOUT_MS})
            mapped = mappings.of_dataset(connection, **_values(name))
            if mapped is not None:
                return _purge_mapped(connection, name, mapped, reason=reason)
            row = connection.execute(query("purge_dataset"), _values(name) | {"reason": reason}).fetchone()
    except PublishRefused as refused:
        raise PurgeRefused(str(name), references=_references_in(refused.detail)) from None
    except DatabaseRefused as refused:
        if refused.sqlstate != _FOREIGN_KEY_VIOLATION:
            raise
        held_by = (f"constraint {refused.constraint} of {refused.table}",)
        raise PurgeRefused(str(name), references=held_by) from None
    if row is None or row["rows"] is None:
        raise DatasetNotFound(str(name))
    gone: dict[str, int] = row["rows"]
    return gone


def purge_checkpoints(connection: Connection, *, kept_days: int = checkpoints.KEPT_DAYS) -> int:
    """Delete checkpoints of reported seed runs: those so old, and all where another publication followed."""
    with transaction(connection):
        connection.execute(query("long_statement"))
        row = connection.execute(query("purge_checkpoints"), {"kept_days": kept_days}).fetchone()
    return int(row["batches"]) if row else 0


def purge_api_rows(connection: Connection) -> int:
    """Delete answers of the API that nobody will ask for again, and quotas that are whole again."""
    with transaction(connection):
        connection.execute(query("long_statement"))
        answers = connection.execute(query("purge_api_answers"), {"kept_days": API_ANSWERS_KEPT_DAYS}).rowcount
        return answers + connection.execute(query("purge_api_quotas")).rowcount


def _hold_off(connection: Connection, name: DatasetName) -> None:
    """Raises LeaseHeldElsewhere, which names the holder; the database's own function checks again."""
    connection.execute(query("lease_lock_key"), _values(name))
    row = connection.execute(query("lease_row"), _values(name)).fetchone()
    if row is not None and row["is_live"]:
        raise LeaseHeldElsewhere(name.environment, name.tenant, holder=str(row["holder"]), until=row["lease_until"])


def _preview_mapped(connection: Connection, mapped: MappedRun) -> Preview:
    mapped_rows.become_tenant(connection, mapped)
    references = tuple(Reference(**one) for one in mapped_rows.referred_to(connection, mapped))
    return Preview(rows=mapped_rows.counted(connection, mapped), references=references)


def _purge_mapped(connection: Connection, name: DatasetName, mapped: MappedRun, *, reason: str) -> dict[str, int]:
    """Rows in an application's tables: the loader takes them away itself, and the rest of the transaction ends it."""
    mapped_rows.become_tenant(connection, mapped)
    found = mapped_rows.referred_to(connection, mapped)
    if found:
        raise PurgeRefused(str(name), references=tuple(str(Reference(**one)) for one in found))
    gone = mapped_rows.take_away(connection, mapped)
    values = _values(name) | {"reason": reason, "gone": Jsonb(gone)}
    row = connection.execute(query("purge_mapped"), values).fetchone()
    if row is None or row["rows"] is None:
        # Not expired after all: what was taken away comes back with the rollback.
        raise DatasetNotFound(str(name))
    return gone


def _references_in(detail: str) -> tuple[str, ...]:
    return tuple(str(Reference(**one)) for one in json.loads(detail))


def _values(name: DatasetName) -> dict[str, str]:
    return {"environment": name.environment, "tenant": name.tenant, "mode": name.mode}

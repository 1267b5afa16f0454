"""Rehearsal: a seed run that leaves nothing behind, for a pull request or a curious person.

Every row is generated, held against the official calculation, masked, encoded, copied into a build table and sealed,
an entity at a time, each in a transaction that the database lets nobody commit. No seed run, lease, checkpoint or
report is made; the rate limit and the budget are not touched. Rows are masked with a key that is made for the purpose
and thrown away: the dataset hash is of rows before masking, so it is the one that a seed run would have.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from seed_pipelines.control.admission import assert_admitted
from seed_pipelines.generate.digest import ContentDigest, dataset_hash
from seed_pipelines.generate.oracle import OURS, Oracle
from seed_pipelines.load import copy, preflight
from seed_pipelines.load.prepare import Prepared, one_ahead, prepare
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.outside.vault import PRK_BYTES
from seed_pipelines.plan import Batch, Plan
from seed_pipelines.plan_summary import summary_of
from seed_pipelines.sql import query


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedEntity:
    """What came of one entity."""

    entity: str
    rows: int
    batches: int
    loans_compared: int
    seconds: float
    digest: ContentDigest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a seed run would do; `dataset_hash` is the one that it would publish."""

    entities: tuple[RehearsedEntity, ...]

    @property
    def dataset_hash(self) -> str:
        return dataset_hash({found.entity: (found.rows, found.digest) for found in self.entities})


def rehearse(
    connection: Connection, plan: Plan, *, oracle: Oracle = OURS, on_batch: Callable[[Batch], object] = lambda _: None
) -> Rehearsal:
    """Go through the whole plan and take everything back; `on_batch` is told of each batch that was copied.

    Raises what a seed run would raise: MigrationsPending, DatabaseNotSafe, ManifestGoesBackwards, OracleDisagrees,
    DatabaseRefused where the rows break a key.
    """
    preflight.assert_safe(connection, tuple(plan.rows), mapping=plan.mapping)
    assert_admitted(connection, plan)
    metadata = plan.manifest.metadata
    secret = secrets.token_bytes(PRK_BYTES)
    with FieldKeys(secret, environment=metadata.environment, tenant=metadata.tenant) as keys:

        def prepared(batch: Batch) -> Prepared:
            return prepare(plan, batch, keys, oracle=oracle)

        return Rehearsal(
            entities=tuple(_rehearsed(connection, plan, entity, prepared, on_batch) for entity in plan.rows)
        )


def plain_of(plan: Plan, rehearsal: Rehearsal, *, seconds: float, now: datetime) -> dict[str, Any]:
    """What came of a rehearsal, as plain values: the same from every door."""
    return {
        "dry_run": True,
        "plan": summary_of(plan, now=now),
        "entities": [
            {"entity": found.entity, "rows": found.rows, "batches": found.batches, "content_hash": found.digest.hex()}
            for found in rehearsal.entities
        ],
        "dataset_hash": rehearsal.dataset_hash,
        "seconds": round(seconds, 3),
    }


def _rehearsed(
    connection: Connection,
    plan: Plan,
    entity: str,
    make: Callable[[Batch], Prepared],
    on_batch: Callable[[Batch], object],
) -> RehearsedEntity:
    started = time.perf_counter()
    rows, batches, loans, digest = 0, 0, 0, ContentDigest.zero()
    with transaction(connection):
        values = {"entity": entity, "tenant_id": UUID(bytes=plan.tenant_id)}
        made = connection.execute(query("rehearse_build"), values).fetchone() or {}
        for batch, prepared in one_ahead(_batches(plan, entity), make):
            copy.copy_rows(connection, made["table_name"], prepared.rows)
            rows, batches, loans = rows + prepared.rows.num_rows, batches + 1, loans + prepared.oracle.loans
            digest = digest.combine(prepared.digest)
            on_batch(batch)
        connection.execute(query("long_statement"))
        connection.execute(query("rehearse_seal"), values | made)
        raise psycopg.Rollback
    return RehearsedEntity(
        entity=entity,
        rows=rows,
        batches=batches,
        loans_compared=loans,
        seconds=time.perf_counter() - started,
        digest=digest,
    )


def _batches(plan: Plan, entity: str) -> Iterator[Batch]:
    for key in plan.shard_keys:
        yield from plan.batches(key, entity)

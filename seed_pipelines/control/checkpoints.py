"""Checkpoints: which batches are in. Each is written in its batch's own transaction, so it never lies."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from seed_pipelines.control import runs
from seed_pipelines.control.budget import Spending
from seed_pipelines.control.lease import Lease
from seed_pipelines.control.runs import RunState, SeedRun
from seed_pipelines.errors import CheckpointDiverged, CheckpointsExpired
from seed_pipelines.generate.digest import ContentDigest, dataset_hash
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.plan import Batch
from seed_pipelines.sql import query

# No checkpoint is kept, or gone on from, for longer.
KEPT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One batch that is in; `content_digest` is the order-free digest of its rows."""

    number: int
    first_row: int
    rows: int
    content_digest: str
    elapsed_ms: int
    # How many loans of the batch the official calculation was asked about.
    oracle_loans: int
    fence: int
    resume_token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityLoad:
    """What became of one entity in one shard."""

    entity: str
    planned_rows: int
    checkpoints: tuple[Checkpoint, ...]
    resumed_batches: int
    seconds: float
    # None where the seed run was published before.
    fence: int | None
    sealed: bool
    spending: Spending

    @property
    def rows(self) -> int:
        return sum(checkpoint.rows for checkpoint in self.checkpoints)

    @property
    def oracle_loans(self) -> int:
        """About how many loans the official calculation was asked, by whichever attempt; each had its consent."""
        return sum(checkpoint.oracle_loans for checkpoint in self.checkpoints)

    @property
    def digest(self) -> ContentDigest:
        return sum_of(checkpoint.content_digest for checkpoint in self.checkpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCheckpoint:
    """A checkpoint with the place it has in its seed run."""

    entity: str
    shard: str
    number: int
    first_row: int
    rows: int
    content_digest: str
    fence: int
    attempt: int
    elapsed_ms: int
    oracle_loans: int
    committed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What of an entity is in, over all shards."""

    entity: str
    rows: int
    batches: int


def of_shard(connection: Connection, seed_run_id: UUID, *, entity: str, shard: str) -> list[Checkpoint]:
    """The batches of one entity in one shard that are in, by number."""
    values = {"seed_run_id": seed_run_id, "entity": entity, "shard": shard}
    with translated():
        rows = connection.execute(query("checkpoints_of_shard"), values).fetchall()
    return [Checkpoint(**row) for row in rows]


def of_run(connection: Connection, seed_run_id: UUID) -> list[RunCheckpoint]:
    """Every batch of a seed run that is in, by entity, shard and number."""
    with translated():
        rows = connection.execute(query("checkpoints_of_run"), {"seed_run_id": seed_run_id}).fetchall()
    return [RunCheckpoint(**row) for row in rows]


def progress(connection: Connection, seed_run_id: UUID) -> dict[str, Progress]:
    """Rows and batches that are in, by entity."""
    with translated():
        rows = connection.execute(query("checkpoint_progress"), {"seed_run_id": seed_run_id}).fetchall()
    return {row["entity"]: Progress(**row) for row in rows}


def rows_of(connection: Connection, run: SeedRun) -> dict[str, int]:
    """How many rows of each planned entity are in; all of a published seed run, whose checkpoints may be deleted."""
    if run.state is RunState.PUBLISHED:
        return run.planned_rows
    found = progress(connection, run.id)
    return {entity: found[entity].rows if entity in found else 0 for entity in run.planned_rows}


def batch_states(connection: Connection, seed_run_id: UUID) -> dict[str, int]:
    """How many batches stand where: `reserved`, `failed`, `dead` or `written`."""
    with translated():
        rows = connection.execute(query("batch_states"), {"seed_run_id": seed_run_id}).fetchall()
    return {row["state"]: row["batches"] for row in rows}


def missing(batches: Iterable[Batch], done: Iterable[Checkpoint], *, path: str) -> list[Batch]:
    """The batches that have no checkpoint; raises CheckpointDiverged where one covers other rows than planned."""
    by_number = {checkpoint.number: checkpoint for checkpoint in done}
    found = []
    for batch in batches:
        checkpoint = by_number.get(batch.number)
        if checkpoint is None:
            found.append(batch)
        elif (checkpoint.first_row, checkpoint.rows) != (batch.first_row, batch.rows):
            raise CheckpointDiverged(batch.entity, shard=batch.shard, number=batch.number, path=path)
    return found


def hash_of(connection: Connection, run: SeedRun) -> str:
    """The dataset's hash, out of the checkpoints: whatever the shards and batches were, the same rows give it."""
    if run.dataset_hash is not None:
        return run.dataset_hash
    rows: dict[str, int] = dict.fromkeys(run.planned_rows, 0)
    digests: dict[str, list[str]] = {entity: [] for entity in run.planned_rows}
    for checkpoint in of_run(connection, run.id):
        rows[checkpoint.entity] += checkpoint.rows
        digests[checkpoint.entity].append(checkpoint.content_digest)
    return dataset_hash({entity: (rows[entity], sum_of(digests[entity])) for entity in rows})


def sum_of(digests: Iterable[str]) -> ContentDigest:
    """The digest of all the rows that these digests stand for."""
    total = ContentDigest.zero()
    for digest in digests:
        total = total.combine(ContentDigest.parse(digest))
    return total


def assert_fresh(connection: Connection, run: SeedRun) -> None:
    """Raise CheckpointsExpired where the seed run has one that is older than they are kept."""
    values = {"seed_run_id": run.id, "kept_days": KEPT_DAYS}
    with translated():
        row = connection.execute(query("checkpoints_expired"), values).fetchone()
    if row and row["are_expired"]:
        raise CheckpointsExpired(str(run.id), days=KEPT_DAYS, path=run.manifest_path)


@contextmanager
def expired_end(connection: Connection) -> Iterator[None]:
    """Around a claim: a seed run whose checkpoints are expired ends, once the claim has been taken back."""
    try:
        yield
    except CheckpointsExpired as error:
        runs.end(connection, UUID(error.seed_run_id), RunState.ABORTED, code=error.code, detail=str(error))
        raise


def end_expired(connection: Connection, *, environment: str | None) -> list[UUID]:
    """End the stopped seed runs whose checkpoints are expired; those that ended."""
    with translated():
        rows = connection.execute(
            query("runs_expired"), {"environment": environment, "kept_days": KEPT_DAYS}
        ).fetchall()
    ended = []
    for row in rows:
        why = CheckpointsExpired(str(row["id"]), days=KEPT_DAYS, path=row["manifest_path"])
        if runs.end(connection, row["id"], RunState.ABORTED, code=why.code, detail=str(why)):
            ended.append(row["id"])
    return ended


def record(
    connection: Connection,
    lease: Lease,
    batch: Batch,
    *,
    attempt: int,
    digest: str,
    elapsed_ms: int,
    oracle_loans: int,
    token: bytes,
) -> None:
    """In the batch's transaction, beside its rows."""
    values = {
        "seed_run_id": lease.holder,
        "entity": batch.entity,
        "shard": batch.shard,
        "number": batch.number,
        "first_row": batch.first_row,
        "rows": batch.rows,
        "content_digest": digest,
        "fence": lease.fence,
        "attempt": attempt,
        "elapsed_ms": elapsed_ms,
        "oracle_loans": oracle_loans,
        "resume_token": token,
    }
    connection.execute(query("checkpoint_record"), values)

"""Dead letters: batches that were given up after the last retry that their manifest allows.

Such a batch is never skipped: its seed run fails and stays where it is, and going on with it begins at that batch. A
letter names the batch and the code of its error, and which of its loans where the official calculation disagrees with
them; it holds nothing of its rows.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seed_pipelines.errors import Failed, OracleDisagrees
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

# What a retry can still help.
OPEN_STATES = ("dead", "retried")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One batch that was given up; `state` is dead, retried, written, or ended with its seed run.

    `loans` are those in which it differs from the official calculation, counted from the batch's first.
    """

    seed_run_id: UUID
    environment: str
    tenant: str
    manifest_path: str
    entity: str
    shard: str
    number: int
    code: str
    sqlstate: str | None
    loans: tuple[int, ...]
    attempts: int
    died_at: datetime
    state: str


def bury(connection: Connection, seed_run_id: UUID, error: Failed) -> None:
    """Keep the batch whose error ended a worker; nothing where no batch was being written."""
    if error.batch is None:
        return
    entity, shard, number = error.batch
    values = {
        "seed_run_id": seed_run_id,
        "entity": entity,
        "shard": shard,
        "number": number,
        "code": error.code,
        "sqlstate": getattr(error, "sqlstate", None),
        "loans": list(error.indexes) if isinstance(error, OracleDisagrees) else [],
    }
    with translated():
        connection.execute(query("dead_letter_bury"), values)


def found(connection: Connection, *, seed_run_id: UUID | None = None) -> list[DeadLetter]:
    """Every dead letter, or those of one seed run; the newest first."""
    with translated():
        rows = connection.execute(query("dead_letters_found"), {"seed_run_id": seed_run_id}).fetchall()
    return [DeadLetter(**(row | {"loans": tuple(row["loans"])})) for row in rows]


def mark_retried(connection: Connection, seed_run_id: UUID) -> None:
    """Somebody goes on with the seed run."""
    with translated():
        connection.execute(query("dead_letters_retried"), {"seed_run_id": seed_run_id})

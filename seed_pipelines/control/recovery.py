"""Recovery: what a dr seed run shows about RPO and RTO, measured on the database's clock.

RPO is the longest time without a new durable checkpoint, from the beginning of the seed run on: the most work that a
crash could have cost. RTO is from the beginning to the publication; in a rehearsal, from when the dataset was gone.
"""

from dataclasses import dataclass

from seed_pipelines.control.purge import DatasetName
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import SeedRunNotFound
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

RPO_OBJECTIVE_MS = 5 * 60 * 1000
RTO_OBJECTIVE_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was measured."""

    rpo_ms: int
    rto_ms: int

    @property
    def holds(self) -> bool:
        """Whether both objectives were met."""
        return self.rpo_ms <= RPO_OBJECTIVE_MS and self.rto_ms <= RTO_OBJECTIVE_MS


def recovery_of(connection: Connection, run: SeedRun) -> Recovery:
    """RPO and RTO of a seed run whose checkpoints are kept."""
    with translated():
        row = connection.execute(query("recovery_of"), {"seed_run_id": run.id}).fetchone()
    if row is None:
        raise SeedRunNotFound(str(run.id))
    return Recovery(**row)


def rehearsal_key(connection: Connection, name: DatasetName) -> str:
    """The idempotency key of the seed run that puts a purged dataset back: it names the purge."""
    values = {"environment": name.environment, "tenant": name.tenant, "mode": name.mode}
    with translated():
        row = connection.execute(query("purge_last"), values).fetchone() or {}
    return f"rehearsal:{row['id']}"

"""Recovery: what a dr seed run shows about RPO and RTO, measured on the database's clock.

RPO is the longest time that any one shard was without a new durable checkpoint, from its beginning to its end: the
most work that a crash could have cost. RTO is from the beginning to the publication; in a rehearsal, from when the
dataset was gone, however many seed runs it took to put it back.
"""

from dataclasses import dataclass

from seed_pipelines import objectives
from seed_pipelines.control import runs
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import BatchOverdue, SeedRunNotFound
from seed_pipelines.manifest.model import Mode
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.plan import Batch
from seed_pipelines.sql import query


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was measured; `rpo_ms` is None where checkpoints are missing, so that nobody knows."""

    rpo_ms: int | None
    rto_ms: int

    @property
    def holds(self) -> bool:
        """Whether both objectives were met; what is not known was not."""
        rpo_is_met = self.rpo_ms is not None and self.rpo_ms <= objectives.RPO_OBJECTIVE_MS
        return rpo_is_met and self.rto_ms <= objectives.RTO_OBJECTIVE_MS


def recovery_of(connection: Connection, run: SeedRun) -> Recovery:
    """RPO and RTO of a seed run."""
    with translated():
        row = connection.execute(query("recovery_of"), {"seed_run_id": run.id}).fetchone()
    if row is None:
        raise SeedRunNotFound(str(run.id))
    return Recovery(**row)


def rehearsal_key(connection: Connection, name: DatasetName, *, manifest_hash: str, generator_version: str) -> str:
    """The idempotency key of the seed run that puts a dataset back which is not there: it names the dataset's purge.

    The one of a rehearsal that stopped, where that can be gone on with; else one that is made of it, so that RTO counts
    from the same purge.
    """
    values = {"environment": name.environment, "tenant": name.tenant, "mode": name.mode}
    with translated():
        row = connection.execute(query("purge_last"), values).fetchone() or {}
    key = first = f"rehearsal:{row['id'] or 'first'}"
    while True:
        run = runs.find_by_key(connection, environment=name.environment, tenant=name.tenant, key=key)
        if run is None or _goes_on(run, manifest_hash=manifest_hash, generator_version=generator_version):
            return key
        key = f"{first}:after-{run.id}"


def assert_in_time(mode: Mode, batch: Batch, *, elapsed_ms: int) -> None:
    """Raises BatchOverdue where a drill's batch took so long that its checkpoint comes too late."""
    if mode is Mode.DR and elapsed_ms > objectives.RPO_OBJECTIVE_MS:
        raise BatchOverdue(batch.entity, shard=batch.shard, number=batch.number, elapsed_ms=elapsed_ms)


def _goes_on(run: SeedRun, *, manifest_hash: str, generator_version: str) -> bool:
    is_stopping = run.is_finished or run.cancel_requested_at is not None
    return not is_stopping and (run.manifest_hash, run.generator_version) == (manifest_hash, generator_version)

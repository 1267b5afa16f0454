"""What the worker of a run holds from its first step to its last, given back where the run ends in between.

Dagster ends a run between two steps too, and before a step has begun its part. No step is at hand to clean up then,
but a resource's end is. After a SIGKILL nothing runs any more: the lease runs out by itself.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import dagster as dg

from seed_pipelines import flow
from seed_pipelines.errors import SeedError
from seed_pipelines.load.preflight import Preflight
from seed_pipelines.load.sealer import Sealer
from seed_pipelines.outside.postgres import connected
from seed_pipelines.session import Installation, say_ended
from seed_pipelines.settings import from_environment

HOLD = "seed_hold"


@dataclass(slots=True, kw_only=True)
class Hold:
    """The seed run that this worker is at work for; None before it has begun and after the shard's last step."""

    # One process of one Dagster run: a restarted one is another worker, and supersedes it.
    worker: str
    seed_run_id: UUID | None = None
    preflight: Preflight = field(default_factory=Preflight)
    sealer: Sealer = field(default_factory=lambda: Sealer(is_beside=True))

    def leave(self, error: BaseException) -> None:
        """Give the shard back, on a connection of its own: the step's may be in the middle of something, or gone."""
        self.sealer.close()
        held, self.seed_run_id = self.seed_run_id, None
        if held is None:
            return
        installation = Installation.of(from_environment())
        try:
            with connected(installation.database_url()) as connection:
                ending = flow.leave(connection, held, worker=self.worker, error=error)
        except SeedError:
            # The database is away: the lease runs out by itself, and the first error is the one to report.
            return
        if ending is not None:
            say_ended(installation, ending)


def _held(context: dg.InitResourceContext) -> Iterator[Hold]:
    run_id = context.run.run_id if context.run else "no run"
    hold = Hold(worker=f"{run_id}:{os.getpid()}")
    try:
        yield hold
    finally:
        hold.leave(dg.DagsterExecutionInterruptedError())


seed_hold = dg.ResourceDefinition(resource_fn=_held, description="Gives a shard back where its run ends in between.")
RESOURCES = {HOLD: seed_hold}

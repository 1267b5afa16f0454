"""What the worker of a run holds from its first step to its last, given back where the run ends in between.

A step that is tried again holds it all the while that Dagster waits, in this process, before the next attempt.

Dagster ends a run between two steps too, and before a step has begun its part. No step is at hand to clean up then,
but a resource's end is. After a SIGKILL nothing runs any more: the lease runs out by itself.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import dagster as dg

from seed_pipelines import flow
from seed_pipelines.control.abandoned import BEGIN_SECONDS
from seed_pipelines.control.keeper import Keeper
from seed_pipelines.errors import SeedError, SeedRunCancelled
from seed_pipelines.load.preflight import Preflight
from seed_pipelines.load.sealer import Sealer
from seed_pipelines.outside.postgres import Connection, connected
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
    keeper: Keeper | None = None

    def work_on(self, seed_run_id: UUID) -> None:
        """A step has begun its part, and renews the lease itself from now on."""
        self._end_keeper()
        self.seed_run_id = seed_run_id

    def wait(self, seconds: float) -> None:
        """The step comes again after so many seconds: until then its lease is kept, and it can be cancelled."""
        self._end_keeper()
        if self.seed_run_id is None:
            return
        installation = Installation.of(from_environment())
        self.keeper = Keeper(
            self.seed_run_id,
            dsn=installation.database_url,
            ttl_seconds=installation.settings.lease_seconds,
            longest_seconds=seconds + BEGIN_SECONDS,
            cancelled=partial(self._leave_cancelled, installation, self.seed_run_id),
        )

    def leave(self, error: BaseException) -> None:
        """Give the shard back, on a connection of its own: the step's may be in the middle of something, or gone."""
        self._end_keeper()
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

    def _end_keeper(self) -> None:
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.end()

    def _leave_cancelled(
        self, installation: Installation, held: UUID, connection: Connection, error: SeedRunCancelled
    ) -> None:
        """The next attempt will find that its seed run has ended."""
        ending = flow.leave(connection, held, worker=self.worker, error=error)
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

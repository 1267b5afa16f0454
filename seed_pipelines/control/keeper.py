"""The keeper: the lease of a seed run whose worker waits for its next attempt, which may be a day away.

Without it the lease would run out after a minute, another seed run would take it, and the build would be dropped. It
renews lease and slot on a connection of its own and never takes either: a lease that ran out stays lost. A seed run
that is cancelled meanwhile is told to its owner within seconds, since no batch is at work to notice. It ends by itself
with the seed run, and after a time that no wait outlasts: a worker that never comes back is found abandoned.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from seed_pipelines.errors import SeedError, SeedRunCancelled
from seed_pipelines.outside.postgres import Connection, connected, transaction
from seed_pipelines.sql import query

# How long a cancellation may go unseen.
LOOK_SECONDS = 2.0
# What a statement under way may take to end; nothing depends on it, for a lease that was given back is not renewed.
_END_SECONDS = 5.0


class Keeper:
    """A thread that keeps one seed run's lease alive, from its making until `end`."""

    def __init__(
        self,
        seed_run_id: UUID,
        *,
        dsn: Callable[[], str],
        ttl_seconds: float,
        longest_seconds: float,
        cancelled: Callable[[Connection, SeedRunCancelled], None],
    ) -> None:
        self._values = {"holder": seed_run_id, "ttl_seconds": ttl_seconds}
        self._dsn, self._cancelled = dsn, cancelled
        self._pause_seconds = min(LOOK_SECONDS, ttl_seconds / 3)
        self._until = time.monotonic() + longest_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seed-keeper", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Whoever waited is at work again, or has gone."""
        self._ended.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while not self._ended.is_set():
            # The database may be away: that is what most attempts wait for.
            with suppress(SeedError), connected(self._dsn()) as beside:
                self._keep(beside)
            self._rest()

    def _keep(self, beside: Connection) -> None:
        while not self._ended.is_set():
            with transaction(beside):
                is_kept = beside.execute(query("lease_keep"), self._values).fetchone() is not None
                if is_kept:
                    beside.execute(query("slot_renew"), self._values)
            if not is_kept:
                self._say_cancelled(beside)
                self._ended.set()
            self._rest()

    def _say_cancelled(self, beside: Connection) -> None:
        row = beside.execute(query("batch_state"), self._values).fetchone()
        if row is not None and row["cancel_requested"] and row["state"] == "running":
            self._cancelled(beside, SeedRunCancelled(str(self._values["holder"])))

    def _rest(self) -> None:
        self._ended.wait(self._pause_seconds)
        if time.monotonic() >= self._until:
            self._ended.set()

"""The stand-in launcher: in each environment so many workers at once, as a pool of Dagster's would have them, take the
manifests in order. A worker begins its seed run in its turn, by the product's own code, sleeps for as long as the run
would take, and ends it; where the window closes it pauses it, and goes on with it in the next night.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from seeded import open_one_session, request_for

from seed_pipelines.control import queue, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import SeedRunEnded
from seed_pipelines.flow import Session
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.orchestration.turn import begin_in_turn
from simulation.clock import Clock
from simulation.tenants import Wanted

# A poll of the queue is never quicker than this, however fast the clock is: the server is shared.
_POLL_SECONDS = 0.02


class NightOver(Exception):
    """The window closed while a worker waited for its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A seed run at work without a break, in simulated time."""

    environment: str
    tenant: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


@dataclass(slots=True, kw_only=True)
class Nights:
    """What came of it."""

    stretches: list[Stretch] = field(default_factory=list)
    openings: list[tuple[datetime, datetime]] = field(default_factory=list)
    superseded: int = 0
    failures: list[BaseException] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """Everything that the workers share."""

    url: str
    home: Path
    clock: Clock
    asked: dict[str, deque[Wanted]]
    workers: int
    longest_run: float
    nights: Nights = field(default_factory=Nights)

    def run(self, *, most_nights: int = 20) -> Nights:
        """Night after night, until nothing is asked for any more."""
        for _ in range(most_nights):
            if not any(self.asked.values()):
                break
            self._one_night()
        if self.nights.failures:
            raise self.nights.failures[0]
        return self.nights

    def _one_night(self) -> None:
        window = next(wanted.window for waiting in self.asked.values() for wanted in waiting)
        opens = window.next_opening(self.clock.now())
        closes = window.closes_at(opens)
        self.clock.put_forward(opens)
        self.nights.openings.append((opens, closes))
        threads = [
            threading.Thread(target=self._work, args=(environment, closes), name=f"{environment}-{number}")
            for environment in self.asked
            for number in range(self.workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, environment: str, closes: datetime) -> None:
        waiting = self.asked[environment]
        try:
            with open_one_session(self.url, self.home / uuid4().hex, environment=environment) as session:
                while not self.nights.failures and (wanted := _next_of(waiting)):
                    if not wanted.window.is_open(self.clock.now()) or not self._take(session, wanted, closes):
                        waiting.appendleft(wanted)
                        return
        except BaseException as failure:
            self.nights.failures.append(failure)

    def _take(self, session: Session, wanted: Wanted, closes: datetime) -> bool:
        """Whether the seed run is over; False where it has to go on in another night."""
        session = replace(
            session,
            worker=uuid4().hex,
            keys=FieldKeys(b"k" * 32, environment=wanted.plan.manifest.metadata.environment, tenant=wanted.tenant),
            sleep=self._poll(closes),
        )
        request = request_for(session, wanted.key)
        try:
            run = begin_in_turn(session, wanted.plan, request, waits=True, ttl_seconds=queue.TTL_SECONDS)
        except NightOver:
            return False
        except SeedRunEnded:
            # Paused in an earlier night, and another seed run of its tenant came first: it took its place.
            self.nights.superseded += 1
            return True
        runs.begin_shard(session.connection, run, "0000", worker=session.worker)
        self._sleep_through(wanted, closes)
        if wanted.left > 0:
            _pause(session, run.id)
            return False
        runs.end(session.connection, run.id, RunState.CANCELLED, code="simulated", detail="its time is over")
        return True

    def _poll(self, closes: datetime) -> Callable[[float], None]:
        def poll(seconds: float) -> None:
            if self.clock.now() >= closes:
                raise NightOver
            time.sleep(max(seconds / self.clock.speed, _POLL_SECONDS))

        return poll

    def _sleep_through(self, wanted: Wanted, closes: datetime) -> None:
        """What a run does between two batches: it looks at its window, and goes on or stops."""
        began = self.clock.now()
        if not wanted.window.is_open(began):
            return
        planned = min(wanted.left, (closes - began).total_seconds())
        self.clock.sleep(planned)
        wanted.left -= planned
        # A busy machine oversleeps; the run itself was over when its time was.
        ended = began + timedelta(seconds=planned)
        environment = wanted.plan.manifest.metadata.environment
        self.nights.stretches.append(Stretch(environment=environment, tenant=wanted.tenant, began=began, ended=ended))


def _next_of(waiting: deque[Wanted]) -> Wanted | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _pause(session: Session, seed_run_id) -> None:
    runs.leave_shard(
        session.connection,
        seed_run_id,
        worker=session.worker,
        state=RunState.PAUSED,
        code="window_closed",
        detail="goes on in the next night",
    )

"""Seed runs, one after the other, whose workers and whose server are killed at drawn moments."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

from seed_pipelines.control import roles
from torture.readers import Reader
from torture.verdict import Verdict
from torture.worker import Task, plan_of_wishes, processes, work

SHARDS = ("0000", "0001")
# Beyond this, something waits for a lock of the dead.
_PATIENCE_SECONDS = 600
_READERS = 2
# Each blow of a seed run comes later than the one before: under a steady rain a busy machine would never get on.
_RELENTS = 1.1

# Where a victim was, by what its session with the server said last; the first that fits.
_PLACES = (
    ("in a seal", ("seed_control.seal(",)),
    ("in the publication", ("publish_", 'INSERT INTO "app"', 'DELETE FROM "app"', "SET CONSTRAINTS")),
    ("in the COPY of a batch", ("COPY ",)),
    ("in another statement of a batch", ("transaction_isolation", "seed_control.checkpoint", "lease_until = ")),
    ("paying for a batch", ("seed_control.budget", "seed_control.rate_limit")),
    ("at a COMMIT", ("COMMIT",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much torture, and by which chance."""

    kills: int = 200
    crashes: int = 20
    seed: int = 1
    customers: int = 200


@dataclass(slots=True)
class Told:
    """What was done, and where."""

    kills: int = 0
    crashes: int = 0
    workers: int = 0
    seed_runs: int = 0
    batches: int = 0
    rows: int = 0
    places: Counter = field(default_factory=Counter)

    def note(self, plan) -> None:
        """A seed run that went on in spite of it all."""
        self.seed_runs += 1
        self.batches += plan.total_batches
        self.rows += plan.total_rows


class Torture:
    """A server, readers of it, and the seed runs that they are to see whole or not at all."""

    def __init__(self, server, home, options, *, say) -> None:
        self.server, self.home, self.options, self.say = server, home, options, say
        self.told, self.verdict = Told(), Verdict(server)
        self._chance, self._context = random.Random(options.seed), processes()
        events = ["kill"] * options.kills + ["crash"] * options.crashes
        self._chance.shuffle(events)
        self._events = events

    def run(self) -> None:
        """Until every kill has hit somebody at work."""
        first = self._wishes(0)
        self.verdict.take_note(plan_of_wishes(first))
        readers = [Reader(self.server, plan_of_wishes(first)) for _ in range(_READERS)]
        try:
            undisturbed = self._seed_run(first, key="first")
            number = 0
            while self._events:
                number += 1
                undisturbed = self._tortured(number, undisturbed)
        finally:
            for reader in readers:
                reader.stop()
        self.verdict.readers_saw_whole_datasets(readers)

    def _tortured(self, number: int, undisturbed: float) -> float:
        """One manifest twice: by workers that are killed, then by workers that are not; how long these took."""
        wishes, left = self._wishes(number), len(self._events)
        plan = plan_of_wishes(wishes)
        self._seed_run(wishes, key=f"{number}: tortured", longest_peace=undisturbed / 3)
        tortured = self.verdict.of(plan, key=f"{number}: tortured")
        undisturbed = self._seed_run(wishes, key=f"{number}: in peace")
        self.verdict.same(tortured, self.verdict.of(plan, key=f"{number}: in peace"))
        self.say(f"seed run {number}: hit {left - len(self._events)} times, {len(self._events)} to go")
        return undisturbed

    def _wishes(self, number: int) -> dict:
        """Another dataset each time, so that readers can tell them apart; both publishers take turns."""
        return {
            "mode": "carga",
            "customers": self.options.customers + 10 * (number % 4),
            "shards": len(SHARDS),
            "batch_rows": 200,
            "publisher": ("attach", "insert")[number % 2],
            "version": f"1.{number}.0",
        }

    def _seed_run(self, wishes: dict, *, key: str, longest_peace: float | None = None) -> float:
        """Workers for every shard, and new ones for those that were killed, until all have ended by themselves."""
        started = time.monotonic()
        workers = {shard: self._worker(wishes, key, shard) for shard in SHARDS}
        try:
            while _are_at_work(workers):
                assert time.monotonic() < started + _PATIENCE_SECONDS, f"seed run {key!r} does not end"
                if longest_peace is None or not self._events:
                    time.sleep(0.01)
                elif self._wait(workers, self._chance.uniform(0, longest_peace)):
                    self._strike(workers, lambda shard: self._worker(wishes, key, shard))
                    longest_peace *= _RELENTS
            complaints = [said for _, pipe in workers.values() if (said := _said(pipe))]
            endings = {shard: process.exitcode for shard, (process, _) in workers.items()}
        finally:
            for process, _ in workers.values():
                process.kill()
        self.verdict.workers_ended_well(endings, complaints)
        plan = plan_of_wishes(wishes)
        self.verdict.published(plan)
        if longest_peace is not None:
            self.told.note(plan)
        return time.monotonic() - started

    def _worker(self, wishes: dict, key: str, shard: str):
        self.told.workers += 1
        pipe, other_end = self._context.Pipe(duplex=False)
        task = Task(
            wishes=wishes,
            key=key,
            shard=shard,
            worker=uuid4().hex,
            url=self.server.url(roles.LOADER),
            home=self.home,
        )
        process = self._context.Process(target=work, args=(task, other_end), name=task.worker, daemon=True)
        process.start()
        other_end.close()
        return process, pipe

    def _wait(self, workers, seconds: float) -> bool:
        """Until the drawn moment; False where all ended before it."""
        moment = time.monotonic() + seconds
        while time.monotonic() < moment and _are_at_work(workers):
            time.sleep(0.002)
        return _are_at_work(workers)

    def _strike(self, workers, start_again) -> None:
        """The next event, for whoever is at work."""
        alive = [shard for shard, (process, _) in workers.items() if process.is_alive()]
        if not alive:
            return
        if self._events.pop() == "crash":
            self._note_places("crash", [workers[shard][0] for shard in alive])
            self.server.crash()
            self.server.start()
            self.told.crashes += 1
            return
        shard = self._chance.choice(alive)
        process, pipe = workers[shard]
        self._note_places("kill", [process])
        process.kill()
        process.join()
        pipe.close()
        self.told.kills += 1
        workers[shard] = start_again(shard)

    def _note_places(self, event: str, victims) -> None:
        for victim in victims:
            self.told.places[event, self._place_of(victim.name)] += 1

    def _place_of(self, worker: str) -> str:
        with self.server.superuser() as connection:
            row = connection.execute(
                "SELECT state, query FROM pg_stat_activity WHERE application_name = %s", [f"seed:{worker}"]
            ).fetchone()
        if row is None:
            return "starting, checking, claiming"
        if row["state"] == "idle":
            return "between two transactions"
        for place, words in _PLACES:
            if any(word in row["query"] for word in words):
                return place
        return "in another transaction"


def _are_at_work(workers) -> bool:
    return any(process.is_alive() for process, _ in workers.values())


def _said(pipe) -> str:
    """What a worker complained of, if it did; its end of the pipe is closed by now."""
    try:
        return pipe.recv()
    except EOFError:
        return ""

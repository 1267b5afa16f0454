"""The shards of one command, several at once: this process takes them in turn with others that it starts beside itself.

Whoever is free takes the next shard. After the first that did not go well nobody takes another one, and the command
ends with what became of that. The others never outlive this process: where it is killed, so are they.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized

from seed_pipelines.cli.dagster_runs import INTERRUPTED, Launched, dagster_instance, make_storage, run_shard
from seed_pipelines.cli.run_summary import Ended
from seed_pipelines.errors import SeedError
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

# A fork has everything imported already, which takes as long as a small shard. It is safe on Linux alone.
_CONTEXT = multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing.get_context("spawn")
# Ctrl-C reaches every process of a terminal: one that is on its way out already is not interrupted again.
_COURTESY_SECONDS = 3.0
_PATIENCE_SECONDS = 60.0
_DIED = Ended(
    code="interrupted", message="a worker was killed: the same command goes on from its checkpoints.", exit_code=5
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turns:
    """The shards that nobody has taken yet, for all processes of the command."""

    shards: Sequence[str]
    taken: "Synchronized[int]"

    def next(self) -> str | None:
        with self.taken.get_lock():
            number = self.taken.value
            self.taken.value = min(number + 1, len(self.shards))
        return self.shards[number] if number < len(self.shards) else None

    def end(self) -> None:
        """Nobody takes another one."""
        with self.taken.get_lock():
            self.taken.value = len(self.shards)


def run_shards(
    installation: Installation,
    launched: Launched,
    *,
    shards: Sequence[str],
    workers: int,
    watching: AbstractContextManager[None],
) -> Ended | None:
    """Every shard as a Dagster run, up to `workers` of them at once; None where all went well.

    The caller has started no thread yet, since a fork would go on without it; `watching` may start one.
    """
    turns = _Turns(shards=shards, taken=_CONTEXT.Value("i", 0))
    beside = min(workers, len(shards)) - 1
    if beside:
        make_storage()
    others = [_Other(launched, turns) for _ in range(beside)]
    try:
        with watching:
            ends = [_take_turns(installation, launched, turns)]
            if ends != [INTERRUPTED]:
                ends += [other.wait() for other in others]
    except KeyboardInterrupt:
        ends = [INTERRUPTED]
    finally:
        turns.end()
        for other in others:
            other.stop()
    return next((ended for ended in ends if ended is not None), None)


def _take_turns(installation: Installation, launched: Launched, turns: _Turns) -> Ended | None:
    with dagster_instance() as instance:
        while (shard := turns.next()) is not None:
            ended = run_shard(installation, instance, launched, shard=shard)
            if ended is not None:
                turns.end()
                return ended
    return None


class _Other:
    """A process beside this one."""

    def __init__(self, launched: Launched, turns: _Turns) -> None:
        self._answer, answer = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_work, args=(launched, turns, answer))
        self._process.start()
        # The only writer is the other process: its death is an end of the pipe.
        answer.close()

    def wait(self) -> Ended | None:
        """What became of its shards, once there are no more."""
        try:
            ended: Ended | None = self._answer.recv()
        except EOFError:
            return _DIED
        return ended

    def stop(self) -> None:
        """End it, if it has not ended; it gives its shard back where it can."""
        self._process.join(_COURTESY_SECONDS)
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGINT)
            self._process.join(_PATIENCE_SECONDS)
        self._process.kill()
        self._process.join()


def _work(launched: Launched, turns: _Turns, answer: Connection) -> None:
    """What the other process does."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        ended = _take_turns(Installation.of(from_environment()), launched, turns)
    except SeedError as error:
        ended = Ended(code=error.code, message=str(error), exit_code=error.exit_code)
    except KeyboardInterrupt:
        ended = INTERRUPTED
    # A traceback could hold rows: the class alone goes to the screen.
    except Exception as error:
        ended = Ended(code="unexpected", message=f"a worker failed with {type(error).__name__}", exit_code=4)
    if ended is not None:
        turns.end()
    answer.send(ended)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

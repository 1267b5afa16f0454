"""One worker of one shard, in a process of its own: what a Dagster run does with it, retries included."""

import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import forkserver
from pathlib import Path

from factories import make_plan
from seed_runs import with_manifest
from seeded import open_one_session, request_for

from seed_pipelines import flow
from seed_pipelines.errors import SeedError
from seed_pipelines.outside.postgres import connected, translated

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Which shard of which seed run, and where."""

    wishes: dict
    key: str
    shard: str
    worker: str
    url: str
    home: Path


def plan_of_wishes(wishes: dict):
    """A plan whose every batch may fail once: its error budget would rightly end a seed run that is hit so often."""
    rate, wishes = wishes.get("rate_limit"), {name: wish for name, wish in wishes.items() if name != "rate_limit"}
    plan = make_plan(**wishes)
    budget = plan.manifest.budget.model_copy(update={"error_budget_pct": Decimal(100)})
    return with_manifest(plan, budget=budget, rate_limit=rate or plan.manifest.rate_limit)


def processes():
    """Processes forked from one that has loaded the product: a worker starts within milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with _ways_to_modules():
        forkserver.ensure_running()
    return context


def work(task: Task, complaints) -> None:
    """The shard from its first missing batch to its end; what may pass is tried again, anything else is said."""
    # An interrupt in the terminal is for the one who tortures.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plan = plan_of_wishes(task.wishes)
    while True:
        try:
            return attempt(task, plan)
        except SeedError as error:
            if not error.retryable:
                complaints.send(f"{error.code}: {error}")
                raise
            time.sleep(_PAUSE_SECONDS)


def attempt(task: Task, plan) -> None:
    with translated(), open_one_session(task.url, task.home, worker=task.worker) as session:
        run = None
        try:
            run = flow.begin(session, plan, request_for(session, task.key))
            for entity in plan.rows:
                flow.load_entity(session, plan, run, shard=task.shard, entity=entity)
            flow.publish(session, plan, run, shard=task.shard)
            flow.conclude(session, run, step=task.shard)
        except SeedError as error:
            if not error.retryable and run is not None:
                with connected(task.url) as connection:
                    flow.leave(connection, run.id, worker=task.worker, error=error)
            raise


@contextmanager
def _ways_to_modules():
    """What is forked from later looks for modules where this process does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before

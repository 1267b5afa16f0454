"""Sightings of the seed runs in the database of this installation."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from uuid import UUID

from seed_pipelines.cli.progress import Sighting, bar_of
from seed_pipelines.control import budget, checkpoints, runs
from seed_pipelines.errors import SeedError
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.plan import Plan
from seed_pipelines.session import Installation

_EVERY_SECONDS = 0.25


@contextmanager
def progress_of(installation: Installation, plan: Plan, *, key: str, quiet: bool) -> Iterator[None]:
    """Show rows as they come in, while the block runs; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(installation, plan, key, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def sighting_of(connection: Connection, seed_run_id: UUID, plan: Plan | None) -> Sighting:
    """A seed run now; `plan` is its own, or None where the manifest is not at hand."""
    run = runs.find(connection, seed_run_id)
    parts = checkpoints.progress(connection, run.id).values()
    spending = budget.spending_of(connection, run)
    return Sighting(
        seconds=time.monotonic(),
        seed_run_id=str(run.id),
        name=f"{run.environment}/{run.tenant}",
        state=run.state.value,
        rows=sum(checkpoints.rows_of(connection, run).values()),
        planned_rows=sum(run.planned_rows.values()),
        batches=sum(part.batches for part in parts),
        planned_batches=None if plan is None else plan.total_batches,
        spent_micro_brl=spending.spent_micro_brl,
        cap_micro_brl=spending.cap_micro_brl,
        closes_in_seconds=None
        if plan is None or run.is_finished
        else seconds_to_close(plan, runs.database_now(connection)),
        error_code=run.error_code,
    )


def plan_at_hand(installation: Installation, manifest_path: str, *, manifest_hash: str) -> Plan | None:
    """The plan of a seed run, where the manifest that it was launched with still is in the folder."""
    with suppress(SeedError):
        plan = installation.plan(installation.manifest(manifest_path))
        if plan.manifest.manifest_hash == manifest_hash:
            return plan
    return None


def seconds_to_close(plan: Plan, now: datetime) -> float | None:
    """How long the manifest's window stays open; None while it is closed."""
    window = plan.manifest.window
    return (window.closes_at(now) - now).total_seconds() if window.is_open(now) else None


def _watch(installation: Installation, plan: Plan, key: str, ended: threading.Event) -> None:
    metadata = plan.manifest.metadata
    # The run itself reports what is wrong; a bar that stops is no reason to stop it.
    with (
        suppress(SeedError),
        bar_of(plan.total_rows) as bar,
        connected(installation.database_url(), application="seed-data progress") as connection,
    ):
        is_over = False
        while not is_over:
            is_over = ended.wait(_EVERY_SECONDS)
            run = runs.find_by_key(connection, environment=metadata.environment, tenant=metadata.tenant, key=key)
            if run is not None:
                bar.show(sighting_of(connection, run.id, plan))

"""A progress bar over the checkpoints: whoever runs the shards, the database says how far they are."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from seed_pipelines.control import checkpoints, runs
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


def _watch(installation: Installation, plan: Plan, key: str, ended: threading.Event) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(
            f"{plan.manifest.metadata.environment}/{plan.manifest.metadata.tenant}", total=plan.total_rows
        )
        try:
            with connected(installation.database_url(), application="seed-data progress") as connection:
                while not ended.wait(_EVERY_SECONDS):
                    bar.update(task, completed=_rows_in(connection, plan, key))
                bar.update(task, completed=_rows_in(connection, plan, key))
        except SeedError:
            # The run itself reports what is wrong; a bar that stops is no reason to stop it.
            return


def _rows_in(connection: Connection, plan: Plan, key: str) -> int:
    metadata = plan.manifest.metadata
    run = runs.find_by_key(connection, environment=metadata.environment, tenant=metadata.tenant, key=key)
    if run is None:
        return 0
    return sum(entity.rows for entity in checkpoints.progress(connection, run.id).values())

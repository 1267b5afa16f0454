"""`seed-data run --dry-run`: a rehearsal of the whole run, on one screen or as one JSON object."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from seed_pipelines.cli import doors
from seed_pipelines.cli.progress import Sighting, bar_of
from seed_pipelines.load.rehearsal import Rehearsal, plain_of, rehearse
from seed_pipelines.outside.postgres import connected
from seed_pipelines.plan import Batch, Plan
from seed_pipelines.session import oracle_of


def rehearse_manifest(given: str, *, as_json: bool) -> None:
    """Do all of it and keep nothing; what a run would do is on the screen."""
    started = time.perf_counter()
    asked = doors.installation_of()
    plan = asked.plan(asked.manifest(doors.manifest_name(asked, given)))
    installation = doors.with_local_database(asked)
    with (
        oracle_of(asked.settings) as oracle,
        connected(installation.database_url(), application="seed-data") as connection,
        _progress(plan, quiet=as_json) as on_batch,
    ):
        rehearsal = rehearse(connection, plan, oracle=oracle, on_batch=on_batch)
    seconds = time.perf_counter() - started
    if as_json:
        print(json.dumps(plain_of(plan, rehearsal, seconds=seconds, now=datetime.now(UTC))))  # noqa: T201
    else:
        _show(plan, rehearsal, seconds)


@contextmanager
def _progress(plan: Plan, *, quiet: bool) -> Iterator[Callable[[Batch], None]]:
    """What shows the bar of a run, batch after batch; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with bar_of(plan.total_rows) as bar:
        batches: list[Batch] = []

        def show(batch: Batch) -> None:
            batches.append(batch)
            bar.show(_sighting_of(plan, batches))

        bar.show(_sighting_of(plan, batches))
        yield show


def _sighting_of(plan: Plan, batches: Sequence[Batch]) -> Sighting:
    metadata = plan.manifest.metadata
    return Sighting(
        seconds=time.monotonic(),
        seed_run_id="",
        name=f"dry run of {metadata.environment}/{metadata.tenant}",
        state="running",
        rows=sum(batch.rows for batch in batches),
        planned_rows=plan.total_rows,
        batches=len(batches),
        planned_batches=plan.total_batches,
        # Nothing is kept, so nothing is spent, and no window is asked for.
        spent_micro_brl=0,
        cap_micro_brl=None,
        closes_in_seconds=None,
    )


def _show(plan: Plan, rehearsal: Rehearsal, seconds: float) -> None:
    metadata, manifest = plan.manifest.metadata, plan.manifest
    title = f"{metadata.environment}/{metadata.tenant}: {manifest.mode.value} {metadata.version}, rehearsed"
    table = Table(title=title)
    for heading in ("entity", "rows", "batches", "loans compared", "seconds"):
        table.add_column(heading, justify="left" if heading == "entity" else "right")
    for found in rehearsal.entities:
        table.add_row(
            found.entity, f"{found.rows:,}", f"{found.batches:,}", f"{found.loans_compared:,}", f"{found.seconds:.2f}"
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f"dataset hash  {rehearsal.dataset_hash}", soft_wrap=True)
    console.print(f"cost          R$ {plan.cost_micro_brl / 10**6:,.6f}")
    console.print(f"window        {manifest.window} UTC")
    console.print(
        f"In {seconds:.1f} s every row was generated, checked, masked with a key that is thrown away, copied, sealed "
        f"and rolled back. A run would publish {plan.total_rows:,} rows by {plan.publisher.value}.",
        soft_wrap=True,
    )

"""Follow one seed run to its end, whoever launched it, and say how it ended by the exit code."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from seed_pipelines.api.contract import FINISHED
from seed_pipelines.cli.progress import Pace, Sighting, bar_of, line_of, object_of
from seed_pipelines.cli.sightings import plan_at_hand, sighting_of
from seed_pipelines.control import runs
from seed_pipelines.errors import Failed, Stopped, error_class_of
from seed_pipelines.outside.postgres import connected
from seed_pipelines.session import Installation

# A shard that failed is tried again by the manifest's backoff: only a run that stays failed has ended.
FAILED_FOR_SECONDS = 60.0

_EVERY_SECONDS = 0.5
_LINE_EVERY_SECONDS = 5.0
# As a shell has it of a command that SIGINT ended.
_INTERRUPTED = 130


def local_sightings(installation: Installation, seed_run: str) -> Iterator[Sighting]:
    """The seed run in this installation's database, twice a second, without an end."""
    from seed_pipelines.cli.doors import run_id_of
    from seed_pipelines.control import migrations

    with connected(installation.database_url(), application="seed-data watch") as connection:
        migrations.assert_applied(connection)
        run = runs.find(connection, run_id_of(seed_run))
        plan = plan_at_hand(installation, run.manifest_path, manifest_hash=run.manifest_hash)
        while True:
            yield sighting_of(connection, run.id, plan)
            time.sleep(_EVERY_SECONDS)


def follow(sightings: Iterator[Sighting], *, as_json: bool, failed_for_seconds: float = FAILED_FOR_SECONDS) -> int:
    """Show each as it comes until the run has ended or stopped; returns the exit code of its end."""
    until_end = _until_end(sightings, failed_for_seconds)
    try:
        if as_json:
            return _lines(until_end, lambda seen, pace: json.dumps(object_of(seen, pace, now=datetime.now(UTC))))
        return _bar(until_end) if sys.stderr.isatty() else _lines(until_end, line_of)
    except KeyboardInterrupt:
        print("not watched any more; the seed run goes on", file=sys.stderr)  # noqa: T201
        return _INTERRUPTED


def exit_code_of(sighting: Sighting) -> int:
    """0 published, 5 cancelled or paused, else that of the error."""
    if sighting.state == "published":
        return 0
    if sighting.state in ("cancelled", "paused"):
        return Stopped.exit_code
    found = error_class_of(sighting.error_code or "")
    return Failed.exit_code if found is None else found.exit_code


def _until_end(sightings: Iterator[Sighting], failed_for_seconds: float) -> Iterator[Sighting]:
    """Up to the first sighting of the end: finished, paused, or failed for so long."""
    failed_since = None
    for sighting in sightings:
        yield sighting
        failed_since = (failed_since or sighting.seconds) if sighting.state == "failed" else None
        is_left = failed_since is not None and sighting.seconds - failed_since >= failed_for_seconds
        if sighting.state in FINISHED or sighting.state == "paused" or is_left:
            return


def _lines(sightings: Iterator[Sighting], text_of: Callable[[Sighting, Pace], str]) -> int:
    """A line at first, at every change of state, every five seconds, and at the end."""
    pace, shown = Pace(), None
    for last in sightings:
        pace.add(last)
        if shown is None or last.state != shown.state or last.seconds - shown.seconds >= _LINE_EVERY_SECONDS:
            print(text_of(last, pace), flush=True)  # noqa: T201
            shown = last
    if shown is not last:
        print(text_of(last, pace), flush=True)  # noqa: T201
    return exit_code_of(last)


def _bar(sightings: Iterator[Sighting]) -> int:
    """A bar, and a line at the end."""
    pace = Pace()
    with bar_of(0) as bar:
        for last in sightings:
            pace.add(last)
            bar.show(last)
    print(line_of(last, pace))  # noqa: T201
    return exit_code_of(last)

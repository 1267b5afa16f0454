"""From options to a launcher, and from a launcher to a verdict."""

from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path

from seed_pipelines.manifest.window import Window
from simulation.clock import Clock
from simulation.nights import Launcher
from simulation.page import Options
from simulation.tenants import environments_of
from simulation.verdict import Verdict, verdict_of

_OPENS = 22


def launcher_of(options: Options, *, url: str, home: Path) -> Launcher:
    """Ready to run: the day before the first night."""
    closes = time_of_day((_OPENS + options.window_hours) % 24)
    asked = environments_of(
        tenants=options.tenants,
        environments=options.environments,
        mean_seconds=options.mean_seconds,
        window=Window(start=time_of_day(_OPENS), end=closes),
        seed=options.seed,
    )
    clock = Clock(start=datetime(2026, 11, 2, 12, tzinfo=UTC), speed=options.speed)
    longest = max(wanted.seconds for waiting in asked.values() for wanted in waiting)
    return Launcher(url=url, home=home, clock=clock, asked=asked, workers=options.workers, longest_run=longest)


def verdict_on(launcher: Launcher, options: Options, *, dsn: str) -> Verdict:
    """Once it has run."""
    return verdict_of(
        launcher.nights, dsn=dsn, workers=options.workers, speed=options.speed, longest_run=launcher.longest_run
    )

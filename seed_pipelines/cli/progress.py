"""How far a seed run is, for whoever watches: the database says it, whoever runs the shards.

A `Sighting` is what was seen at one moment, wherever it was asked; a `Pace` makes speed and time left out of several.
Nothing is decided here. In a terminal it is a bar on standard error, else a line now and then, or JSON.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_PACE_SECONDS = 15.0
# From a hundredth of the rows on, what is left can be told from what is done.
_TELLING = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A seed run at one moment.

    Attributes:
        seconds: when it was seen, by a clock that only goes forward.
        planned_batches, closes_in_seconds: None where the manifest is not at hand.
    """

    seconds: float
    seed_run_id: str
    name: str
    state: str
    rows: int
    planned_rows: int
    batches: int
    planned_batches: int | None
    spent_micro_brl: int
    cap_micro_brl: int | None
    closes_in_seconds: float | None
    error_code: str | None = None


class Pace:
    """Rows a second over the last quarter of a minute."""

    def __init__(self) -> None:
        self._seen: deque[Sighting] = deque()

    def add(self, sighting: Sighting) -> None:
        self._seen.append(sighting)
        while len(self._seen) > 2 and sighting.seconds - self._seen[1].seconds >= _PACE_SECONDS:
            self._seen.popleft()

    @property
    def rows_per_second(self) -> float | None:
        """None until two moments are known."""
        if len(self._seen) < 2:
            return None
        first, last = self._seen[0], self._seen[-1]
        seconds = last.seconds - first.seconds
        return (last.rows - first.rows) / seconds if seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """None while too little has moved to tell."""
        speed = self.rows_per_second
        if not speed or speed < 0:
            return None
        last = self._seen[-1]
        if last.state != "running" or last.rows * _TELLING < last.planned_rows:
            return None
        return max(0, last.planned_rows - last.rows) / speed


def line_of(sighting: Sighting, pace: Pace) -> str:
    """All of it on one line."""
    parts = [f"{sighting.rows:,} of {sighting.planned_rows:,} rows", *details_of(sighting, pace)]
    state = sighting.state + (f" ({sighting.error_code})" if sighting.error_code else "")
    return f"{sighting.name} {state}: {', '.join(parts)}"


def details_of(sighting: Sighting, pace: Pace) -> Iterator[str]:
    """Speed, batches, time left, budget and window, as far as they are known."""
    if (speed := pace.rows_per_second) is not None:
        yield f"{speed:,.0f} rows/s"
    of_planned = "" if sighting.planned_batches is None else f" of {sighting.planned_batches:,}"
    yield f"{sighting.batches:,}{of_planned} batches"
    if (left := pace.seconds_left) is not None:
        yield f"{duration(left)} left"
    if sighting.cap_micro_brl is not None:
        yield f"R$ {sighting.spent_micro_brl / 10**6:,.2f} of R$ {sighting.cap_micro_brl / 10**6:,.2f}"
    if sighting.closes_in_seconds is not None:
        yield f"window closes in {duration(sighting.closes_in_seconds)}"


def object_of(sighting: Sighting, pace: Pace, *, now: datetime) -> dict[str, Any]:
    """All of it for a program."""
    speed, left, closes = pace.rows_per_second, pace.seconds_left, sighting.closes_in_seconds
    return {
        "at": now.isoformat(timespec="milliseconds"),
        "seed_run_id": sighting.seed_run_id,
        "state": sighting.state,
        "rows": sighting.rows,
        "planned_rows": sighting.planned_rows,
        "rows_per_second": None if speed is None else round(speed),
        "batches": sighting.batches,
        "planned_batches": sighting.planned_batches,
        "seconds_left": None if left is None else round(left),
        "spent_micro_brl": sighting.spent_micro_brl,
        "budget_micro_brl": sighting.cap_micro_brl,
        "window_closes_in_seconds": None if closes is None else round(closes),
        "error_code": sighting.error_code,
    }


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Bar:
    """The sightings of one seed run as a bar."""

    def __init__(self, bar: Progress, *, planned_rows: int) -> None:
        self._bar, self._pace = bar, Pace()
        self._task = bar.add_task("", total=planned_rows, state="waiting", rows="", details="")

    def show(self, sighting: Sighting) -> None:
        self._pace.add(sighting)
        self._bar.update(
            self._task,
            description=sighting.name,
            completed=sighting.rows,
            total=sighting.planned_rows,
            state=sighting.state,
            rows=f"{sighting.rows:,}/{sighting.planned_rows:,} rows",
            details=" · ".join(details_of(sighting, self._pace)),
        )


@contextmanager
def bar_of(planned_rows: int) -> Iterator[Bar]:
    """A bar on standard error, for as long as the block runs."""
    columns = (
        TextColumn("{task.description} {task.fields[state]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[details]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield Bar(bar, planned_rows=planned_rows)

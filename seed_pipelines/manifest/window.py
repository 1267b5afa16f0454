"""The daily window in which a seed run may write, in UTC.

Half-open: open at `start`, closed at `end`. A window whose end is before its start crosses midnight. Equal ends are
refused, since nobody could tell "always" from "never". The present moment is always an argument.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from seed_pipelines.errors import WindowImpossible

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One pair of times of day."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise WindowImpossible(self.start)

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    @property
    def crosses_midnight(self) -> bool:
        return self.end < self.start

    def is_open(self, now: datetime) -> bool:
        """Whether a write may begin now."""
        at = _in_utc(now).time()
        if self.crosses_midnight:
            return at >= self.start or at < self.end
        return self.start <= at < self.end

    def next_opening(self, now: datetime) -> datetime:
        """The first opening after now; the one that `now` is in does not count."""
        return _next(self.start, now)

    def closes_at(self, now: datetime) -> datetime:
        """The end of the opening that `now` is in, or else of the next one."""
        return _next(self.end, now if self.is_open(now) else self.next_opening(now))


def _next(at: time, now: datetime) -> datetime:
    """The first moment strictly after now at which the UTC clock shows `at`."""
    now = _in_utc(now)
    today = datetime.combine(now.date(), at, tzinfo=UTC)
    return today if today > now else today + _DAY


def _in_utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("cannot place a time without a zone in a window. Pass an aware datetime.")
    return now.astimezone(UTC)

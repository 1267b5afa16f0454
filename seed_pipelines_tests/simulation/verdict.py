"""What a simulation has to hold, and what it came to: from the stretches that its workers noted and from the rows that
the queue left in the database."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import dict_row

from seed_pipelines.control.queue import TTL_SECONDS
from simulation.nights import Nights, Stretch

SLOTS = 2
# One poll after the other, and a begin on a busy machine.
_HANDOVER_SECONDS = 2.0
# Whoever waited in the same environment, came later and began earlier. Of two whose turn it is at once, either begins
# first, so one such is nobody's fault. A tenant that waits for its own first seed run keeps no other back.
_WAITS = """
    SELECT mine.environment, mine.tenant, mine.outcome,
        extract(epoch FROM mine.ended_at - mine.queued_at)::float8 AS waited,
        (SELECT count(*) FROM seed_control.queue_entry AS later
         WHERE later.environment = mine.environment AND later.id > mine.id AND later.outcome = 'started'
            AND later.ended_at < mine.ended_at AND NOT EXISTS (
                SELECT FROM seed_control.seed_run AS own
                WHERE own.environment = mine.environment AND own.tenant = mine.tenant
                    AND own.idempotency_key <> mine.idempotency_key)) AS overtaken
    FROM seed_control.queue_entry AS mine
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Figures of one simulation; times are simulated, in seconds."""

    runs: int
    longest_run: float
    nights: int
    most_at_once: int
    tenants_at_once: int
    outside_windows: int
    waits: int
    expired: int
    most_overtaken: int
    longest_wait: float
    longest_wait_allowed: float
    waits_of_five_minutes: int
    packing: float
    packing_of_full_nights: float

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept."""
        kept = {
            "no environment has more than two seed runs at once": self.most_at_once <= SLOTS,
            "no tenant has more than one": self.tenants_at_once <= 1,
            "nothing is written outside of a window": self.outside_windows == 0,
            "nobody is overtaken by more than one": self.most_overtaken <= 1,
            "no wait is longer than its bound": self.longest_wait <= self.longest_wait_allowed,
        }
        return [promise for promise, holds in kept.items() if not holds]


def verdict_of(nights: Nights, *, dsn: str, workers: int, speed: float, longest_run: float) -> Verdict:
    """Looks at what is over."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        waits = connection.execute(_WAITS).fetchall()
    started = [wait for wait in waits if wait["outcome"] == "started"]
    longest = [wait["waited"] * speed for wait in started]
    return Verdict(
        runs=len({(stretch.environment, stretch.tenant) for stretch in nights.stretches}),
        longest_run=longest_run,
        nights=len(nights.openings),
        most_at_once=max(map(_most_at_once, _by(nights.stretches, "environment"))),
        tenants_at_once=max(map(_most_at_once, _by(nights.stretches, "tenant"))),
        outside_windows=sum(not _is_inside(stretch, nights.openings) for stretch in nights.stretches),
        waits=len(started),
        expired=sum(wait["outcome"] == "expired" for wait in waits),
        most_overtaken=max((wait["overtaken"] for wait in started), default=0),
        longest_wait=max(longest, default=0.0),
        # With two slots, all who wait before it and its own tenant's run are over after so many of the longest runs.
        longest_wait_allowed=math.ceil(workers / SLOTS) * longest_run + _HANDOVER_SECONDS * speed,
        waits_of_five_minutes=sum(seconds > TTL_SECONDS for seconds in longest),
        packing=_packing(nights, nights.openings),
        packing_of_full_nights=_packing(nights, nights.openings[:-1]),
    )


def _by(stretches: list[Stretch], name: str) -> Iterable[list[Stretch]]:
    found: dict[str, list[Stretch]] = {}
    for stretch in stretches:
        found.setdefault(getattr(stretch, name), []).append(stretch)
    return found.values()


def _most_at_once(stretches: list[Stretch]) -> int:
    """Ends count before beginnings of the same moment."""
    changes = sorted([(stretch.began, 1) for stretch in stretches] + [(stretch.ended, -1) for stretch in stretches])
    at_work = most = 0
    for _, change in changes:
        at_work += change
        most = max(most, at_work)
    return most


def _is_inside(stretch: Stretch, openings: list[tuple[datetime, datetime]]) -> bool:
    return any(opens <= stretch.began and stretch.ended <= closes for opens, closes in openings)


def _packing(nights: Nights, openings: list[tuple[datetime, datetime]]) -> float:
    """The share of the slots' time in which a seed run was at work: 1 would be no gap at all."""
    environments = len({stretch.environment for stretch in nights.stretches})
    worked = open_seconds = 0.0
    for opens, closes in openings:
        ours = [stretch for stretch in nights.stretches if opens <= stretch.began < closes]
        # The last night is over when its last run is.
        last = max((stretch.ended for stretch in ours), default=closes)
        worked += sum(stretch.seconds for stretch in ours)
        open_seconds += (min(last, closes) - opens).total_seconds() * SLOTS * environments
    return worked / open_seconds if open_seconds else 1.0

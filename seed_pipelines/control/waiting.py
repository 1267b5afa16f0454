"""The wait for a batch's turn: the lease lives on, and whoever waits can be stopped within a second or so.

The rate limit may ask for minutes. Meanwhile a cancellation, the feature flag and the window are looked at before every
second of it, each by one cheap statement that locks nothing; a wait that the window would end first is not begun, so
that nobody holds a lease through a night for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from seed_pipelines.control import lease
from seed_pipelines.control.lease import Lease
from seed_pipelines.errors import WindowClosed
from seed_pipelines.manifest.window import Window
from seed_pipelines.outside.postgres import Connection, transaction

# How long a cancellation may go unseen.
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """The worker of one shard, and what it heeds while it waits."""

    lease: Lease
    shard: str
    attempt: int
    lease_seconds: float
    sleep: Callable[[float], None]
    assert_enabled: Callable[[], object]
    # None where the seed run passes over it.
    window: Window | None


def wait_out(connection: Connection, waiter: Waiter, *, seconds: float) -> None:
    """Sleep so long. Raises SeedRunCancelled, WindowClosed, LeaseLost, ShardSuperseded, or what the flag raises."""
    renewal = waiter.lease_seconds / 3
    longest, unrenewed = min(LOOK_SECONDS, renewal), 0.0
    while seconds > longest:
        _look(connection, waiter, seconds=seconds)
        waiter.sleep(longest)
        seconds, unrenewed = seconds - longest, unrenewed + longest
        if unrenewed >= renewal:
            unrenewed = 0.0
            with transaction(connection):
                lease.guard(connection, waiter.lease, shard=waiter.shard, attempt=waiter.attempt)
                lease.renew(connection, waiter.lease, ttl_seconds=waiter.lease_seconds)
    # The batch's own transaction, which comes next, looks at everything once more.
    waiter.sleep(seconds)


def assert_open(window: Window | None, *, now: datetime, seconds: float = 0.0) -> None:
    """Raises WindowClosed where the window is closed, or will be before so many seconds have passed."""
    if window is None:
        return
    closes = window.closes_at(now)
    if not window.is_open(now):
        raise WindowClosed(now=now, opens=window.next_opening(now))
    if now + timedelta(seconds=seconds) >= closes:
        raise WindowClosed(now=now, opens=window.next_opening(now), closes=closes)


def _look(connection: Connection, waiter: Waiter, *, seconds: float) -> None:
    waiter.assert_enabled()
    now = lease.assert_wanted(connection, waiter.lease)
    assert_open(waiter.window, now=now, seconds=seconds)

"""How many requests a caller may send for a tenant: exactly so many, however many processes answer.

GCRA, as a row: a full quota may be used at once, and comes back one by one, evenly over the window. The database's
clock decides. Requests that nobody can be named for have a quota of their address, in this process.
"""

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from seed_pipelines.errors import QuotaExceeded
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

_MOST_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaPolicy:
    """So many requests in so many seconds; `name` as the answers say it."""

    name: str
    requests: int
    window_seconds: int

    @property
    def interval_seconds(self) -> float:
        return self.window_seconds / self.requests

    def left(self, ahead_seconds: float, *, is_taken: bool) -> "QuotaLeft":
        """What is left for somebody who is so far ahead of the rate."""
        ahead = max(0.0, ahead_seconds)
        # A millionth of a request is the clock's resolution, not a request.
        used = math.ceil(ahead / self.interval_seconds - 1e-6)
        until_next = max(1, math.ceil(ahead + self.interval_seconds - self.window_seconds))
        return QuotaLeft(
            policy=self,
            remaining=max(0, self.requests - used),
            reset_seconds=math.ceil(ahead),
            wait_seconds=0 if is_taken else until_next,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLeft:
    """What an answer says: requests left, when the quota is whole again, and how long to wait where none was left."""

    policy: QuotaPolicy
    remaining: int
    reset_seconds: int
    wait_seconds: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-11 has them, and by their older names."""
        policy = self.policy
        return {
            "RateLimit-Policy": f'"{policy.name}";q={policy.requests};w={policy.window_seconds}',
            "RateLimit": f'"{policy.name}";r={self.remaining};t={self.reset_seconds}',
            "RateLimit-Limit": str(policy.requests),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }

    def assert_taken(self) -> None:
        """Raises QuotaExceeded."""
        if self.wait_seconds:
            raise QuotaExceeded(wait_seconds=self.wait_seconds)


def take(connection: Connection, policy: QuotaPolicy, *, caller: str, tenant: str) -> QuotaLeft:
    """One request of a caller for a tenant."""
    values = {
        "caller": caller,
        "tenant": tenant,
        "interval_seconds": policy.interval_seconds,
        "window_seconds": policy.window_seconds,
    }
    with translated():
        row = connection.execute(query("api_rate_take"), values).fetchone()
        if row is not None:
            return policy.left(row["ahead_seconds"], is_taken=True)
        row = connection.execute(query("api_rate_state"), values).fetchone()
    return policy.left(row["ahead_seconds"] if row else 0.0, is_taken=False)


class AddressQuotas:
    """The same for requests that nobody can be named for, by their address; the least recent ones are forgotten."""

    def __init__(self, policy: QuotaPolicy) -> None:
        self._policy = policy
        self._arrivals: OrderedDict[str, float] = OrderedDict()
        self._turn = threading.Lock()

    def take(self, address: str) -> QuotaLeft:
        """One request from an address."""
        policy, now = self._policy, time.monotonic()
        with self._turn:
            arrival = max(self._arrivals.pop(address, now), now)
            is_taken = arrival - now <= policy.window_seconds - policy.interval_seconds
            if is_taken:
                arrival += policy.interval_seconds
            self._arrivals[address] = arrival
            if len(self._arrivals) > _MOST_ADDRESSES:
                self._arrivals.popitem(last=False)
        return policy.left(arrival - now, is_taken=is_taken)

    def look(self, address: str) -> QuotaLeft:
        """What is left for an address; nothing is taken."""
        with self._turn:
            arrival = self._arrivals.get(address, 0.0)
        return self._policy.left(arrival - time.monotonic(), is_taken=True)

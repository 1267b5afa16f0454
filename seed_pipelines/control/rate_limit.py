"""The rate limit: one reservation for each batch, by GCRA, in a statement of its own.

The reservation is not part of the batch's transaction: a row lock held for a whole batch would let one shard write at
a time. A reservation is not given back when its batch fails, which errs on the safe side.
"""

from seed_pipelines.control.runs import SeedRun
from seed_pipelines.manifest.model import RateLimit
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query


def reserve(connection: Connection, run: SeedRun, rate: RateLimit) -> float:
    """Reserve one write; returns the seconds to wait before it."""
    interval = rate.window_seconds / rate.limit
    values = {
        "environment": run.environment,
        "tenant": run.tenant,
        "interval_seconds": interval,
        "burst_seconds": (rate.burst or rate.limit) * interval,
    }
    with translated():
        row = connection.execute(query("rate_reserve"), values).fetchone()
    return float(row["wait_seconds"]) if row else 0.0


def remaining(connection: Connection, run: SeedRun, rate: RateLimit) -> int:
    """How many writes would not have to wait now; nothing is reserved by asking."""
    values = {
        "environment": run.environment,
        "tenant": run.tenant,
        "interval_seconds": rate.window_seconds / rate.limit,
        "burst": rate.burst or rate.limit,
    }
    with translated():
        row = connection.execute(query("rate_remaining"), values).fetchone()
    return int(row["remaining"]) if row else rate.burst or rate.limit

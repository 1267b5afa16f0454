"""What Prometheus reads: the requests of this process, and what the control plane says of all seed runs.

Labels are routes, methods, statuses, environments, states and tenants; nothing about people. The control plane is asked
at most once in some seconds, however often somebody reads; while it does not answer, its figures are left out and
`seed_control_plane_up` is 0.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import Scope

from seed_pipelines.errors import SeedError
from seed_pipelines.outside.connections import ConnectionPool
from seed_pipelines.outside.postgres import translated
from seed_pipelines.sql import query

_KEPT_SECONDS = 5.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# name → what it says, and the name of its label beside the environment.
_GAUGES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "seed_runs": ("Seed runs, by state.", "state"),
        "seed_queue_length": ("Seed runs that wait for their tenant or a slot.", None),
        "seed_reports_waiting": ("Seed runs that ended and whose report is not written yet.", None),
        "seed_report_oldest_waiting_seconds": ("How long the oldest of these reports waits.", None),
        "seed_budget_remaining_micro_brl": ("What is left of the budget of an unfinished seed run.", "tenant"),
        "seed_rate_limit_remaining": ("Batches that an unfinished seed run could write without waiting.", "tenant"),
    }
)


class RequestMetrics:
    """Counts and durations of requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "seed_api_requests", "Requests that were answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "seed_api_request_seconds",
            "From the first byte in to the last one out.",
            ("route",),
            registry=registry,
            buckets=_BOUNDS,
        )

    def answered(self, scope: Scope, *, status: int, seconds: float) -> None:
        """One more; a status of 0 is a caller that went away."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith("/events"):
            self._seconds.labels(route).observe(seconds)


class ControlPlaneMetrics(Collector):
    """The gauges, as the database has them."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool, self._turn = pool, threading.Lock()
        self._found: list[dict[str, object]] | None = None
        self._asked_at = -_KEPT_SECONDS

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As the registry asks for them."""
        rows = self._rows()
        yield GaugeMetricFamily("seed_control_plane_up", "Whether the control plane answers.", float(rows is not None))
        for name, (help_, label) in _GAUGES.items():
            family = GaugeMetricFamily(name, help_, labels=["environment", *([label] if label else [])])
            for row in rows or ():
                if row["name"] == name:
                    labels = [str(row["environment"]), *([str(row["kind"])] if label else [])]
                    family.add_metric(labels, float(str(row["value"])))
            yield family

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked when the server starts."""
        yield from ()

    def _rows(self) -> list[dict[str, object]] | None:
        with self._turn:
            if time.monotonic() - self._asked_at >= _KEPT_SECONDS:
                self._found, self._asked_at = self._asked(), time.monotonic()
            return self._found

    def _asked(self) -> list[dict[str, object]] | None:
        try:
            with self._pool.lent() as connection, translated():
                return connection.execute(query("api_gauges")).fetchall()
        except SeedError:
            return None


def text_of(registry: CollectorRegistry) -> bytes:
    """All of it, as Prometheus reads it."""
    return generate_latest(registry)

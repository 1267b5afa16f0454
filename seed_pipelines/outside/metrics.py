"""The metrics of one worker: how long batches and seed runs take, what was published, and what is left of a limit.

Their attributes are the few words of `_KEYS`: no seed run's id, whose values would never end, and nothing about people.
"""

from collections.abc import Callable, Mapping

from opentelemetry.metrics import Meter

from seed_pipelines.redaction import Plain, allowed

_KEYS = frozenset({"tenant_id", "environment", "mode", "entity", "outcome", "error_code"})
_LATENCY_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000)
_DURATION_BOUNDS_MS = (1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000)


class Metrics:
    """The instruments of one meter; `about` gives what is said with every measurement."""

    def __init__(self, meter: Meter, *, about: Callable[[], Mapping[str, Plain]]) -> None:
        self._about = about
        self._batch_latency = meter.create_histogram(
            "seed_batch_latency_ms", unit="ms", explicit_bucket_boundaries_advisory=_LATENCY_BOUNDS_MS
        )
        self._run_duration = meter.create_histogram(
            "seed_run_duration_ms", unit="ms", explicit_bucket_boundaries_advisory=_DURATION_BOUNDS_MS
        )
        self._published_rows = meter.create_counter("seed_published_rows", unit="{row}")
        self._rejected_manifests = meter.create_counter("seed_rejected_manifests", unit="{manifest}")
        self._rate_limit_remaining = meter.create_gauge("seed_rate_limit_remaining", unit="{batch}")
        self._budget_spent = meter.create_gauge("seed_budget_spent_percent", unit="%")
        self._budget_remaining = meter.create_gauge("seed_budget_remaining", unit="{micro_brl}")
        self._report_errors = meter.create_counter("seed_report_errors", unit="{error}")
        self._reports_overdue = meter.create_gauge("seed_reports_overdue", unit="{report}")

    def batch_took(self, milliseconds: int, *, entity: str) -> None:
        """From the first generated row to the commit."""
        self._batch_latency.record(milliseconds, self._attributes(entity=entity))

    def run_took(
        self, milliseconds: int, *, outcome: str, tenant_id: str | None = None, mode: str | None = None
    ) -> None:
        """From the claim of the seed run to its publication, or to any other end or stop."""
        self._run_duration.record(milliseconds, self._attributes(outcome=outcome, tenant_id=tenant_id, mode=mode))

    def rows_published(self, rows: int, *, entity: str) -> None:
        self._published_rows.add(rows, self._attributes(entity=entity))

    def manifest_rejected(self, *, error_code: str) -> None:
        self._rejected_manifests.add(1, self._attributes(error_code=error_code))

    def rate_limit_left(self, batches: int) -> None:
        """How many batches could be written now without waiting."""
        self._rate_limit_remaining.set(batches, self._attributes())

    def budget_spent(self, percent: int) -> None:
        """How much of the seed run's budget is spent."""
        self._budget_spent.set(percent, self._attributes())

    def budget_left(self, micro_brl: int) -> None:
        """What the seed run may still spend, in millionths of a real."""
        self._budget_remaining.set(micro_brl, self._attributes())

    def report_failed(self, *, error_code: str) -> None:
        """A report could not be written this time."""
        self._report_errors.add(1, self._attributes(error_code=error_code))

    def reports_overdue(self, reports: int) -> None:
        """Seed runs that ended and whose report is late."""
        self._reports_overdue.set(reports, self._attributes())

    def _attributes(self, **attributes: Plain | None) -> dict[str, Plain]:
        said = {**self._about(), **allowed(attributes)}
        return {key: value for key, value in said.items() if key in _KEYS}

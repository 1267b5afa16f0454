"""Spans on their way out: none is lost unseen.

Every span that ends is counted, redacted and kept until its destination has accepted it; a destination that is
away for a while gets it later. What was refused for good, and what finds no room, is counted as failed. The
sending has a thread of its own, and whoever waits for it comes back by the deadline whatever the destination does.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Link, Status

from seed_pipelines.outside import logs
from seed_pipelines.outside.span_destination import Delivery, Destination
from seed_pipelines.redaction import allowed

EXPORT_SPANS = 512
EXPORT_SECONDS = 1.0
METRICS_SECONDS = 15.0
LARGEST_QUEUE = 100_000

_CRASHED = "exporter-crashed"
_SPAN_NAME = re.compile(r"seed(\.[a-z_]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`ended` spans, of them `exported` accepted and `failed` refused or lost; `error_code` names the last fault."""

    ended: int
    exported: int
    failed: int
    error_code: str | None


class SpanQueue(SpanProcessor):
    """Takes spans from the SDK and brings them to `destination`; `metrics` gives the present state of metrics."""

    def __init__(
        self,
        destination: Destination,
        *,
        metrics: Callable[[], MetricsData | None],
        room: int = LARGEST_QUEUE,
    ) -> None:
        self._destination, self._metrics, self._room = destination, metrics, room
        self._changed = threading.Condition()
        self._waiting: deque[ReadableSpan] = deque()
        self._ended = self._exported = self._failed = 0
        self._error_code: str | None = None
        self._is_hurried = self._is_finishing = self._has_ended = False
        self._is_abandoned = threading.Event()
        self._metrics_sent = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="seed-telemetry", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> Counts:
        with self._changed:
            return Counts(ended=self._ended, exported=self._exported, failed=self._failed, error_code=self._error_code)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span is looked at when it ends."""

    def on_end(self, span: ReadableSpan) -> None:
        with self._changed:
            self._ended += 1
            if self._is_finishing or len(self._waiting) >= self._room:
                self._failed += 1
                self._error_code = "queue-closed" if self._is_finishing else "queue-full"
                return
            self._waiting.append(redacted(span))
            if len(self._waiting) >= EXPORT_SPANS:
                self._changed.notify_all()

    def flush(self, deadline_seconds: float) -> Counts:
        """Send what waits; comes back when nothing waits or something was refused, or at the deadline."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting or self._error_code == _CRASHED, timeout=deadline_seconds)
            self._is_hurried = False
            if self._waiting and self._error_code is None:
                self._error_code = "deadline"
        return self.counts

    def finish(self, deadline_seconds: float) -> Counts:
        """Send all that waits and the metrics, and end; what is not accepted by the deadline has failed."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()
        self._thread.join(timeout=deadline_seconds)
        is_late = self._thread.is_alive()
        self._is_abandoned.set()
        with self._changed:
            if not self._has_ended and self._error_code is None:
                self._error_code = "deadline" if is_late else _CRASHED
            self._failed += len(self._waiting)
            self._waiting.clear()
        return self.counts

    def shutdown(self) -> None:
        """The SDK's way to end tells nobody what was lost; `finish` does."""
        self.finish(0.0)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        counts = self.flush(timeout_millis / 1000)
        return counts.exported == counts.ended

    def _work(self) -> None:
        try:
            self._send_until_the_end()
        except Exception as error:
            # Its text may say anything, and nobody waits for this thread but `finish`.
            logs.event("telemetry exporter crashed", error=error)
            with self._changed:
                self._error_code = _CRASHED
                self._changed.notify_all()
        finally:
            self._destination.close()

    def _send_until_the_end(self) -> None:
        while self._has_more():
            self._send_waiting()
            if time.monotonic() - self._metrics_sent >= METRICS_SECONDS:
                # Metrics are cumulative: what is lost here is in the next export, and the last one decides.
                self._send_metrics()
        last = self._send_metrics()
        with self._changed:
            self._error_code = last.error_code or self._error_code
            self._has_ended = True

    def _has_more(self) -> bool:
        with self._changed:
            self._changed.wait_for(self._is_wanted, timeout=EXPORT_SECONDS)
            return not self._is_abandoned.is_set() and (bool(self._waiting) or not self._is_finishing)

    def _is_wanted(self) -> bool:
        is_hurried = self._is_hurried and bool(self._waiting)
        return self._is_finishing or is_hurried or len(self._waiting) >= EXPORT_SPANS

    def _send_waiting(self) -> None:
        with self._changed:
            batch = list(islice(self._waiting, EXPORT_SPANS))
        if not batch:
            return
        delivery = self._destination.send_spans(batch)
        self._settle(len(batch), delivery)
        if delivery.may_retry:
            self._is_abandoned.wait(EXPORT_SECONDS)

    def _settle(self, spans: int, delivery: Delivery) -> None:
        with self._changed:
            if self._is_abandoned.is_set():
                return
            if delivery.error_code is None:
                self._exported += spans
                # A fault that passed without a loss is no fault any more.
                self._error_code = self._error_code if self._failed else None
            else:
                self._error_code = delivery.error_code
                self._failed += 0 if delivery.may_retry else spans
            if not delivery.may_retry:
                for _ in range(spans):
                    self._waiting.popleft()
            self._changed.notify_all()

    def _send_metrics(self) -> Delivery:
        self._metrics_sent = time.monotonic()
        metrics = self._metrics()
        has_metrics = metrics is not None and bool(metrics.resource_metrics)
        return self._destination.send_metrics(metrics) if metrics and has_metrics else Delivery()


def redacted(span: ReadableSpan) -> ReadableSpan:
    """The span as it may leave: allowed attributes, no events, no description of its status."""
    return ReadableSpan(
        name=span.name if _SPAN_NAME.fullmatch(span.name) else "seed.unnamed",
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=allowed(span.attributes or {}),
        links=[Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )

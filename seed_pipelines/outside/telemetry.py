"""Telemetry of one worker: spans and metrics that are known to have arrived, or the run does not end well.

`span` takes the keys of `redaction.ALLOWED_KEYS` and drops every other; of an exception it keeps class, code and
SQLSTATE. `preflight` proves the way before the first row is written, `finish` proves it for every span of the
run. Nothing is sampled away and nothing is global: another library's spans do not come through here. Without an
OTLP address only environment dev may work, and its spans go to a file that is checked in the same way.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from seed_pipelines import __version__
from seed_pipelines.errors import TelemetryIncomplete, TelemetryUnavailable, TelemetryUnreachable
from seed_pipelines.outside.metrics import Metrics
from seed_pipelines.outside.span_destination import Destination, FileDestination, OtlpDestination
from seed_pipelines.outside.span_queue import LARGEST_QUEUE, SpanQueue
from seed_pipelines.redaction import Plain, allowed, facts_of

DEV = "dev"
PREFLIGHT_SECONDS = 15.0
FINISH_SECONDS = 20.0

_SPAN_LIMITS = SpanLimits(
    max_span_attributes=SpanLimits.UNSET,
    max_span_attribute_length=SpanLimits.UNSET,
    max_attributes=SpanLimits.UNSET,
    max_attribute_length=SpanLimits.UNSET,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryState:
    """Whether everything arrived. A report says these values."""

    exporter: str
    ok: bool
    ended: int
    exported: int
    failed: int
    error_code: str | None


class SeedSpan:
    """A span that is open."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        return format(self._span.get_span_context().trace_id, "032x")

    @property
    def span_id(self) -> str:
        return format(self._span.get_span_context().span_id, "016x")

    def set(self, **attributes: Plain | None) -> None:
        self._span.set_attributes(allowed(attributes))


class Telemetry:
    """Spans and metrics of one worker, on their way to one destination."""

    def __init__(
        self, destination: Destination, *, about: Mapping[str, Plain | None], room: int = LARGEST_QUEUE
    ) -> None:
        resource = _resource()
        reader = InMemoryMetricReader()
        self._exporter = destination.name
        self._about: Mapping[str, Plain] = allowed(about)
        self._is_finished = False
        self._meters = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
        self._queue = SpanQueue(destination, metrics=reader.get_metrics_data, room=room)
        self._tracers = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, span_limits=_SPAN_LIMITS
        )
        self._tracers.add_span_processor(self._queue)
        self._tracer = self._tracers.get_tracer("seed_pipelines", __version__)
        self.metrics = Metrics(self._meters.get_meter("seed_pipelines", __version__), about=lambda: self._about)

    def about(self, **attributes: Plain | None) -> None:
        """Say these attributes on every span and metric from now on."""
        self._about = {**self._about, **allowed(attributes)}

    @contextlib.contextmanager
    def span(
        self,
        name: str,
        /,
        *,
        traceparent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        **attributes: Plain | None,
    ) -> Iterator[SeedSpan]:
        """A span around a block, below the current one or below `traceparent`."""
        said = {**self._about, **allowed(attributes)}
        parent = continue_from(traceparent) if traceparent is not None else None
        with self._tracer.start_as_current_span(
            name, context=parent, kind=kind, attributes=said, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield SeedSpan(span)
            except BaseException as error:
                span.set_attributes(facts_of(error))
                span.set_status(Status(StatusCode.ERROR))
                raise

    @property
    def facts(self) -> Mapping[str, Plain]:
        """What is said on every span now."""
        return self._about

    @property
    def fault(self) -> str | None:
        """A code as soon as a span is lost for good: the run cannot end well any more."""
        counts = self._queue.counts
        return (counts.error_code or "lost") if counts.failed else None

    def preflight(self, deadline_seconds: float = PREFLIGHT_SECONDS) -> None:
        """Send one span and wait until it is accepted; refuse when it is not."""
        with self.span("seed.preflight"):
            pass
        counts = self._queue.flush(deadline_seconds)
        if counts.exported != counts.ended:
            # A span that waits may still arrive; one that failed was refused for good.
            kind = TelemetryUnavailable if counts.failed else TelemetryUnreachable
            raise kind(
                why=f"a first span was not accepted ({counts.error_code or 'deadline'})",
                what_to_do="Check OTEL_EXPORTER_OTLP_ENDPOINT and the receiver behind it.",
            )

    def require_delivered(self, deadline_seconds: float = FINISH_SECONDS) -> None:
        """Wait until every span that has ended is accepted; raises TelemetryIncomplete where one is not."""
        counts = self._queue.flush(deadline_seconds)
        if counts.failed or counts.exported != counts.ended:
            code = counts.error_code or "deadline"
            raise TelemetryIncomplete(ended=counts.ended, exported=counts.exported, error_code=code)

    def finish(self, deadline_seconds: float = FINISH_SECONDS) -> TelemetryState:
        """Send the rest and end; again, it says the same. A span that ends later is lost, and then said so."""
        counts = self._queue.finish(deadline_seconds)
        if not self._is_finished:
            self._is_finished = True
            self._meters.shutdown()
        is_complete = 0 < counts.ended == counts.exported and counts.failed == 0
        return TelemetryState(
            exporter=self._exporter,
            ok=is_complete and counts.error_code is None,
            ended=counts.ended,
            exported=counts.exported,
            failed=counts.failed,
            error_code=counts.error_code if is_complete else counts.error_code or "no-spans",
        )


def open_telemetry(
    *,
    about: Mapping[str, Plain | None],
    environment: str,
    home: Path,
    otlp_endpoint: str | None,
    environ: Mapping[str, str] = os.environ,
) -> Telemetry:
    """The telemetry of this worker; refused where spans would be dropped, thinned out or go nowhere."""
    _refuse_silence(environ)
    said = {"environment": environment, **about}
    if otlp_endpoint is not None:
        return Telemetry(OtlpDestination(), about=said)
    if environment != DEV:
        raise TelemetryUnavailable(
            why=f"no OTLP address is configured, and environment {environment!r} needs one",
            what_to_do="Set OTEL_EXPORTER_OTLP_ENDPOINT.",
        )
    path = home / "telemetry" / f"spans-{os.getpid()}.jsonl"
    try:
        return Telemetry(FileDestination(path), about=said)
    except OSError as error:
        why = f"{path} cannot be written ({error.strerror})"
        raise TelemetryUnavailable(why=why, what_to_do="Correct SEED_HOME.") from None


def require_complete(state: TelemetryState) -> None:
    """Raise TelemetryIncomplete unless every span arrived."""
    if not state.ok:
        raise TelemetryIncomplete(ended=state.ended, exported=state.exported, error_code=state.error_code or "unknown")


def current_traceparent() -> str | None:
    """W3C traceparent of the span around the caller, to be given to other processes."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def is_traceparent(text: str) -> bool:
    """Whether W3C's rules find a context in it."""
    return get_current_span(continue_from(text)).get_span_context().is_valid


def continue_from(traceparent: str) -> Context:
    """The context of another process's span. As W3C wants, what is no traceparent begins a new trace."""
    root = set_span_in_context(INVALID_SPAN, Context())
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context=root)


def _refuse_silence(environ: Mapping[str, str]) -> None:
    """The SDK obeys these variables by saying nothing, which a strict run cannot tell from health."""
    checks = (
        ("OTEL_SDK_DISABLED", {"", "false"}),
        ("OTEL_TRACES_SAMPLER", {"", "always_on", "parentbased_always_on"}),
        ("OTEL_TRACES_EXPORTER", {"", "otlp"}),
        ("OTEL_METRICS_EXPORTER", {"", "otlp"}),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", {"", "http/protobuf"}),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", {"", "http/protobuf"}),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", {"", "http/protobuf"}),
    )
    for name, accepted in checks:
        value = environ.get(name, "").strip().lower()
        if value not in accepted:
            wanted = " or ".join(sorted(accepted - {""}))
            raise TelemetryUnavailable(why=f"{name} is {value!r}", what_to_do=f"Unset it, or set it to {wanted}.")


def _resource() -> Resource:
    # Two workers count for themselves: without an id of their own, one's counters would seem to be the other's.
    ours = Resource(
        {"service.name": "seed-pipelines", "service.version": __version__, "service.instance.id": str(uuid4())}
    )
    # The operator's OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win, as everywhere.
    return ours.merge(OTELResourceDetector().detect())

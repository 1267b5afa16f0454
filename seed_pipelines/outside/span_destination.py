"""Where spans and metrics go, and whether they arrived: OTLP over HTTP, or a file in development.

An exporter's own answer is not believed. OTLP counts as accepted only when the answer is 200, is protobuf, and
rejects nothing: a proxy's login page, a redirect and a partial success are failures. Address, headers, timeouts
and certificates are the standard OTEL_EXPORTER_OTLP_* variables. A file counts when every byte is in it.
"""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # protobuf ships no types.
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]  # As above.
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

UNREACHABLE = "otlp-unreachable"

_WORTH_A_RETRY = frozenset({UNREACHABLE, "otlp-429", "otlp-502", "otlp-503", "otlp-504"})
_ID_FIELDS = frozenset({"traceId", "spanId", "parentSpanId"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one export; `error_code` is None when all of it was accepted."""

    error_code: str | None = None
    may_retry: bool = False


class Destination(Protocol):
    """Takes spans and metrics, one call at a time."""

    name: str

    def send_spans(self, spans: Sequence[ReadableSpan]) -> Delivery: ...

    def send_metrics(self, metrics: MetricsData) -> Delivery: ...

    def close(self) -> None: ...


class OtlpDestination:
    """OTLP over HTTP, as the environment configures it."""

    name = "otlp"

    def __init__(self) -> None:
        self._span_answers = _Answers(ExportTraceServiceResponse)
        self._metric_answers = _Answers(ExportMetricsServiceResponse)
        self._spans = OTLPSpanExporter(session=self._span_answers.session)
        self._metrics = OTLPMetricExporter(session=self._metric_answers.session)

    def send_spans(self, spans: Sequence[ReadableSpan]) -> Delivery:
        self._span_answers.error_code = UNREACHABLE
        return self._span_answers.delivery(self._spans.export(spans) is SpanExportResult.SUCCESS)

    def send_metrics(self, metrics: MetricsData) -> Delivery:
        self._metric_answers.error_code = UNREACHABLE
        return self._metric_answers.delivery(self._metrics.export(metrics) is MetricExportResult.SUCCESS)

    def close(self) -> None:
        self._spans.shutdown()  # type: ignore[no-untyped-call]  # The exporter gives it no types.
        self._metrics.shutdown()


class FileDestination:
    """One file of OTLP/JSON lines, for this process alone. Environment dev only."""

    name = "file"

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)

    def send_spans(self, spans: Sequence[ReadableSpan]) -> Delivery:
        return self._append(encode_spans(spans))

    def send_metrics(self, metrics: MetricsData) -> Delivery:
        return self._append(encode_metrics(metrics))

    def close(self) -> None:
        os.close(self._file)

    def _append(self, request: Message) -> Delivery:
        line = json.dumps(_with_hex_ids(MessageToDict(request)), separators=(",", ":")).encode() + b"\n"
        try:
            start = os.fstat(self._file).st_size
            if os.write(self._file, line) != len(line):
                os.ftruncate(self._file, start)
                return Delivery(error_code="file-full", may_retry=True)
            os.fsync(self._file)
        except OSError as error:
            return Delivery(error_code=f"file-errno-{error.errno}", may_retry=True)
        return Delivery()


class _NotAcceptedError(Exception):
    """Raised inside of requests, so that the exporter sees a failure."""


class _Answers:
    """Reads every answer before the exporter does, and keeps what was wrong with the last one."""

    def __init__(self, kind: type[Message]) -> None:
        self.error_code: str | None = UNREACHABLE
        self._kind: Any = kind
        self.session = requests.Session()
        self.session.hooks["response"].append(self._examine)

    def delivery(self, is_exported: bool) -> Delivery:
        code = self.error_code if self.error_code is not None or is_exported else "otlp-not-exported"
        return Delivery(error_code=code, may_retry=code in _WORTH_A_RETRY)

    def _examine(self, response: requests.Response, **_: object) -> None:
        self.error_code = self._fault_of(response)
        if self.error_code is not None and response.status_code < 400:
            response.close()
            raise _NotAcceptedError(self.error_code)

    def _fault_of(self, response: requests.Response) -> str | None:
        if response.status_code != 200:
            return f"otlp-{response.status_code}"
        if response.headers.get("content-type", "").partition(";")[0].strip() != "application/x-protobuf":
            return "otlp-not-protobuf"
        answer = self._kind()
        try:
            answer.ParseFromString(response.content)
        except DecodeError:
            return "otlp-not-protobuf"
        partial = answer.partial_success
        rejected = getattr(partial, "rejected_spans", 0) or getattr(partial, "rejected_data_points", 0)
        return "otlp-partial-success" if rejected else None


def _with_hex_ids(value: Any) -> Any:
    """OTLP/JSON writes ids in hexadecimal where protobuf's own JSON has base64."""
    if isinstance(value, dict):
        return {key: _hex(item) if key in _ID_FIELDS else _with_hex_ids(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    return value


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()

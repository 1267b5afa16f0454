"""A real OTLP/HTTP receiver on the loopback, which decodes what it gets and can behave badly on request."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class OtlpReceiver:
    """`behaviour` is "accept", "reject-one", "html", "empty", "redirect", "hang", or a status code."""

    def __init__(self):
        self.behaviour = "accept"
        self.spans, self.metrics, self.bodies, self.headers = [], [], [], []
        self.release = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def port(self):
        return self._server.server_port

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def span(self, name):
        return next(span for span in self.spans if span.name == name)

    def close(self):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, path, body):
        """Keep a request that is accepted, and give the answer."""
        self.bodies.append(body)
        if path == "/v1/traces":
            request, answer = ExportTraceServiceRequest.FromString(body), ExportTraceServiceResponse()
            spans = [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
            if self.behaviour == "reject-one":
                spans.pop()
                answer.partial_success.rejected_spans = 1
                answer.partial_success.error_message = "too old"
            self.spans += spans
            return answer
        request, answer = ExportMetricsServiceRequest.FromString(body), ExportMetricsServiceResponse()
        if self.behaviour == "reject-metrics":
            answer.partial_success.rejected_data_points = 1
        found = (
            metric for each in request.resource_metrics for scope in each.scope_metrics for metric in scope.metrics
        )
        self.metrics += found
        return answer

    def _handler(receiver):  # `self` is the handler inside.
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.headers.append(dict(self.headers))
                behaviour = receiver.behaviour
                with contextlib.suppress(ConnectionError):
                    if behaviour == "hang":
                        receiver.release.wait(30)
                    elif behaviour == "html":
                        self._answer(200, "text/html", b"<html>please log in</html>")
                    elif behaviour == "empty":
                        self._answer(200, "", b"")
                    elif behaviour == "redirect":
                        self._answer(302, "text/html", b"")
                    elif isinstance(behaviour, int):
                        self._answer(behaviour, "text/plain", b"")
                    else:
                        answer = receiver._take(self.path, body)
                        self._answer(200, "application/x-protobuf", answer.SerializeToString())

            def _answer(self, status, kind, body):
                self.send_response(status)
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Tests read the receiver, not its log."""

        return Handler

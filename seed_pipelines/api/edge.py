"""The edge of the API: what every request meets first and every answer passes last.

One span and one measurement for each request, which go on with the caller's trace; a bound on the body; the headers of
the quota on every answer; and a problem instead of a traceback, whatever went wrong inside.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seed_pipelines.api.contract import PREFIX
from seed_pipelines.api.metrics import RequestMetrics
from seed_pipelines.api.problems import LARGEST_BODY_BYTES, answer_of, unexpected
from seed_pipelines.api.quota import AddressQuotas, QuotaLeft
from seed_pipelines.errors import QuotaExceeded, RequestTooLarge, SeedError
from seed_pipelines.outside import logs
from seed_pipelines.outside.telemetry import SeedSpan, Telemetry

# Asked for by machines that have to get an answer, however busy others of their address are.
OPERATIONAL = frozenset({"/healthz", "/readyz", "/metrics"})
_SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@dataclass(slots=True, kw_only=True)
class _Answering:
    """What is known of an answer so far."""

    status: int = 0
    has_begun: bool = False
    # The address has no quota left for an answer that took from no caller's: another one is given.
    refused: QuotaLeft | None = None


class Edge:
    """The outermost layer."""

    def __init__(
        self, app: ASGIApp, *, telemetry: Telemetry, metrics: RequestMetrics, addresses: AddressQuotas
    ) -> None:
        self._app, self._telemetry, self._metrics, self._addresses = app, telemetry, metrics, addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answering = time.perf_counter(), _Answering()
        sending = self._sending(scope, send, answering)
        try:
            if scope["path"] in OPERATIONAL:
                await self._answered(scope, receive, sending, answering)
            else:
                traceparent = Headers(scope=scope).get("traceparent", "")
                with self._telemetry.span("seed.api.request", traceparent=traceparent, kind=SpanKind.SERVER) as span:
                    await self._answered(scope, receive, sending, answering)
                    _describe(span, scope, answering)
        finally:
            self._metrics.answered(scope, status=answering.status, seconds=time.perf_counter() - started)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, answering: _Answering) -> None:
        try:
            self._admit(scope)
            await self._app(scope, _bounded(scope, receive), send)
        except Exception as error:
            ours = error if isinstance(error, SeedError) else unexpected(error)
            if answering.has_begun:
                logs.event("request failed", error=error)
                # Half an answer is out: the connection ends here, so that nobody takes it for a whole one.
                raise ours from None
            await answer_of(ours, scope)(scope, receive, send)
        if answering.refused is not None:
            wait_seconds, answering.refused = answering.refused.wait_seconds, None
            await answer_of(QuotaExceeded(wait_seconds=wait_seconds), scope)(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        is_for_a_caller = "authorization" in headers and scope["path"].startswith(f"{PREFIX}/")
        if scope["path"] not in OPERATIONAL and not is_for_a_caller:
            left = self._addresses.take(address_of(scope))
            remember(scope, left)
            left.assert_taken()
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
            raise RequestTooLarge(LARGEST_BODY_BYTES)

    def _sending(self, scope: Scope, send: Send, answering: _Answering) -> Callable[[Message], Awaitable[None]]:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                left = self._charged(scope, answering)
                if answering.refused is None:
                    answering.status, answering.has_begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in (*left.headers().items(), *_SECURITY_HEADERS.items()):
                    headers[name] = value
            if answering.refused is None:
                await send(message)

        return sending

    def _charged(self, scope: Scope, answering: _Answering) -> QuotaLeft:
        """The quota that was used. What took from no caller's, whatever was wrong with it, takes from its address's."""
        found: QuotaLeft | None = scope.get("state", {}).get("quota")
        if found is not None:
            return found
        if scope["path"] in OPERATIONAL:
            return self._addresses.look(address_of(scope))
        left = self._addresses.take(address_of(scope))
        remember(scope, left)
        answering.refused = left if left.wait_seconds else None
        return left


def address_of(scope: Scope) -> str:
    """Where a request comes from, as the server knows it."""
    client = scope.get("client")
    return client[0] if client else ""


def remember(scope: Scope, left: QuotaLeft) -> None:
    """What the answer will say of the quota."""
    scope.setdefault("state", {})["quota"] = left


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The body as it comes in, up to its bound: a length that was announced is not believed."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY_BYTES:
            raise HTTPException(413)
        return message

    return bounded


def _describe(span: SeedSpan, scope: Scope, answering: _Answering) -> None:
    route = getattr(scope.get("route"), "path", "none")
    span.set(http_method=scope["method"], http_route=route, http_status=answering.status)

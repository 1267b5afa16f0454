"""The API on one page: what it is made of, built once, and closed when the server ends.

Edge        span, measurement, quota headers, bound on the body, problems for whatever goes wrong
routes      profiles, starting, cancelling, runs, events; health for machines; the document and its page
service     connections, access, quotas and Dagster, used by every route
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CollectorRegistry

from seed_pipelines.api import cancelling, events, health, problems, profiles, runs, starting
from seed_pipelines.api.access.decide import AccessControl
from seed_pipelines.api.described import VERSION, openapi_of
from seed_pipelines.api.docs_page import page_of
from seed_pipelines.api.edge import Edge
from seed_pipelines.api.health import Readiness
from seed_pipelines.api.launching import Dagster
from seed_pipelines.api.metrics import ControlPlaneMetrics, RequestMetrics
from seed_pipelines.api.quota import AddressQuotas, QuotaPolicy
from seed_pipelines.api.service import Service
from seed_pipelines.outside.connections import ConnectionPool
from seed_pipelines.outside.telemetry import open_telemetry
from seed_pipelines.session import Installation
from seed_pipelines.settings import DEV

_CONNECTIONS = 16
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def service_for(installation: Installation) -> Service:
    """Everything that requests use; nothing is connected yet. Raises what the settings lack."""
    settings = installation.settings
    requests, seconds = settings.api_quota
    reading = ConnectionPool(installation.api_database_url(), most=_CONNECTIONS, application="seed-data api")
    writing = ConnectionPool(installation.database_url(), most=_CONNECTIONS, application="seed-data api")
    registry = CollectorRegistry()
    registry.register(ControlPlaneMetrics(writing))
    return Service(
        installation=installation,
        access=AccessControl.of(settings, connections=reading.lent),
        reading=reading,
        writing=writing,
        dagster=Dagster(settings.dagster_url),
        telemetry=open_telemetry(
            about={},
            environment=settings.environment or DEV,
            home=settings.home,
            otlp_endpoint=settings.otlp_endpoint,
        ),
        policy=QuotaPolicy(name="caller", requests=requests, window_seconds=seconds),
        addresses=AddressQuotas(QuotaPolicy(name="address", requests=requests, window_seconds=seconds)),
        registry=registry,
    )


def create_app(service: Service) -> FastAPI:
    """The application; whoever made the service may stop it with `service.stopping`."""
    app = _routed()
    app.state.service = service
    app.state.readiness = Readiness(service)
    problems.install(app)
    app.add_api_route("/openapi.json", _document, include_in_schema=False)
    app.add_api_route("/docs", _page, include_in_schema=False)
    app.add_middleware(
        Edge, telemetry=service.telemetry, metrics=RequestMetrics(service.registry), addresses=service.addresses
    )
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]  # FastAPI's own way to replace it.
    return app


def contract_document() -> dict[str, Any]:
    """The OpenAPI document, for whoever has no server: it depends on the routes alone."""
    return openapi_of(_routed())


def _routed() -> FastAPI:
    app = FastAPI(
        title="seed-pipelines",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    for part in (profiles, starting, runs, events, cancelling, health):
        app.include_router(part.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    service: Service = app.state.service
    service.stopping.set()
    service.reading.close()
    service.writing.close()
    service.dagster.close()
    service.telemetry.finish()


def _document(request: Request) -> Response:
    return JSONResponse(openapi_of(request.app))


def _page(request: Request) -> Response:
    return HTMLResponse(page_of(openapi_of(request.app)), headers={"Content-Security-Policy": _PAGE_POLICY})

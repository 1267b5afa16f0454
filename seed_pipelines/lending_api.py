"""The official calculation as a small HTTP service: `seed-data lending serve`.

One address takes the terms of some loans and gives back their official schedules. It holds no state, knows no tenant
and no person, and reads nothing. What it cannot compute it refuses, as Problem Details (RFC 9457).
"""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from seed_pipelines import __version__
from seed_pipelines.errors import SeedError
from seed_pipelines.lending.check import calculate
from seed_pipelines.outside.lending_contract import (
    PATH,
    ScheduleAnswer,
    ScheduleRequest,
    answer_of,
    questions_of,
)

_UNPROCESSABLE = 422


def lending_app() -> FastAPI:
    """The service; its contract is at /openapi.json."""
    # The usual pages of documentation load scripts from elsewhere.
    app = FastAPI(title="Official lending calculation", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _not_of_the_contract)
    app.add_exception_handler(SeedError, _not_computable)
    app.post(PATH)(schedules)
    app.get("/healthz")(healthy)
    return app


def schedules(request: ScheduleRequest) -> ScheduleAnswer:
    """Schedule, and IOF and CET where costs are given, of each loan."""
    return answer_of(request, calculate(questions_of(request)))


def healthy() -> dict[str, str]:
    """The service answers."""
    return {"status": "ok"}


async def _not_of_the_contract(_: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    places = sorted({".".join(map(str, item["loc"])) for item in found})
    return _problem("request-rejected", f"these places are not of the contract: {', '.join(places[:10])}")


async def _not_computable(_: Request, error: Exception) -> JSONResponse:
    return _problem(getattr(error, "code", "unexpected"), str(error))


def _problem(code: str, detail: str) -> JSONResponse:
    content = {"type": f"urn:seed-pipelines:problem:{code}", "status": _UNPROCESSABLE, "detail": detail}
    return JSONResponse(content, status_code=_UNPROCESSABLE, media_type="application/problem+json")

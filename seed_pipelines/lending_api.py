"""The official calculation as a small HTTP service: `seed-data lending serve`.

One address takes the terms of some loans and gives back their official schedules; three more give late charges, early
settlements and financed IOF. It holds no state, knows no tenant and no person, and reads nothing. What it cannot
compute it refuses, as Problem Details (RFC 9457).
"""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from seed_pipelines import __version__
from seed_pipelines.errors import BadInput, SeedError
from seed_pipelines.lending.check import calculate
from seed_pipelines.lending.quotes import quote_financings, quote_late_charges, quote_settlements
from seed_pipelines.outside.lending_contract import (
    PATH,
    ScheduleAnswer,
    ScheduleRequest,
    answer_of,
    questions_of,
)
from seed_pipelines.outside.quotes_contract import (
    FINANCINGS_PATH,
    LATE_CHARGES_PATH,
    SETTLEMENTS_PATH,
    FinancingAnswer,
    FinancingRequest,
    LateChargesAnswer,
    LateChargesRequest,
    SettlementAnswer,
    SettlementRequest,
    financed_amount_of,
    late_charges_of,
    settled_amount_of,
)

_UNPROCESSABLE = 422
_OUR_FAULT = 500


def lending_app() -> FastAPI:
    """The service; its contract is at /openapi.json."""
    # The usual pages of documentation load scripts from elsewhere.
    app = FastAPI(title="Official lending calculation", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _not_of_the_contract)
    app.add_exception_handler(SeedError, _not_computable)
    app.post(PATH)(schedules)
    app.post(LATE_CHARGES_PATH)(late_charges)
    app.post(SETTLEMENTS_PATH)(settlements)
    app.post(FINANCINGS_PATH)(financings)
    app.get("/healthz")(healthy)
    return app


def schedules(request: ScheduleRequest) -> ScheduleAnswer:
    """Schedule, and IOF and CET where costs are given, of each loan."""
    return answer_of(request, calculate(questions_of(request)))


def late_charges(request: LateChargesRequest) -> LateChargesAnswer:
    """What pays each installment so many days late."""
    quotes = quote_late_charges([late.question() for late in request.installments])
    asked = zip(request.installments, quotes, strict=True)
    return LateChargesAnswer(late_charges=[late_charges_of(late.index, quote) for late, quote in asked])


def settlements(request: SettlementRequest) -> SettlementAnswer:
    """What settles each loan on a day before its term."""
    quotes = quote_settlements([loan.question() for loan in request.loans])
    asked = zip(request.loans, quotes, strict=True)
    return SettlementAnswer(settlements=[settled_amount_of(loan.index, quote) for loan, quote in asked])


def financings(request: FinancingRequest) -> FinancingAnswer:
    """The principal with which each client receives the net amount although the IOF is paid out of it."""
    quotes = quote_financings([loan.question() for loan in request.loans])
    asked = zip(request.loans, quotes, strict=True)
    return FinancingAnswer(financings=[financed_amount_of(loan.index, quote) for loan, quote in asked])


def healthy() -> dict[str, str]:
    """The service answers."""
    return {"status": "ok"}


async def _not_of_the_contract(_: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    places = sorted({".".join(map(str, item["loc"])) for item in found})
    return _problem("request-rejected", f"these places are not of the contract: {', '.join(places[:10])}")


async def _not_computable(_: Request, error: Exception) -> JSONResponse:
    status = _UNPROCESSABLE if isinstance(error, BadInput) else _OUR_FAULT
    return _problem(getattr(error, "code", "unexpected"), str(error), status=status)


def _problem(code: str, detail: str, *, status: int = _UNPROCESSABLE) -> JSONResponse:
    content = {"type": f"urn:seed-pipelines:problem:{code}", "status": status, "detail": detail}
    return JSONResponse(content, status_code=status, media_type="application/problem+json")

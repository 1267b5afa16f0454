"""Every error as Problem Details (RFC 9457), whoever raised it: our flow, the framework, or a bug.

`type` is our code, so each error is told from every other. Nothing of the request is repeated, nothing of the inside is
told where the fault is there, and no error has another form: 404, 405, 413, 415, 422 and 500 included.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from seed_pipelines import errors
from seed_pipelines.api.contract import PROBLEM_JSON, PROBLEM_TYPE, CheckState, Problem, Violation
from seed_pipelines.api.unechoed import violation_of, without_values
from seed_pipelines.errors import (
    ManifestRejected,
    QuotaExceeded,
    ReportNotFound,
    RequestRejected,
    SeedError,
    Unexpected,
)
from seed_pipelines.outside import logs

LARGEST_BODY_BYTES = 512 * 1024
_LARGEST_VIOLATIONS = 500
_RETRY_SECONDS = 5
# Statuses from here on are the installation's fault.
_OURS = 500
_SAID_OF_OURS = (
    "The request could not be answered because of something on this side, whose log says more. Send it again later, or "
    "give its operators the type of this problem."
)

# The nearest class in an error's line of descent decides; the four branches of the tree come last.
_STATUSES: Mapping[type[SeedError], int] = MappingProxyType(
    {
        errors.BadInput: 422,
        errors.Refused: 409,
        errors.Failed: 500,
        errors.Stopped: 409,
        errors.HeaderNotUsable: 400,
        errors.Unauthenticated: 401,
        errors.Forbidden: 403,
        errors.RouteNotFound: 404,
        errors.SeedRunNotFound: 404,
        errors.ReportNotFound: 404,
        errors.ReportNotWritten: 404,
        errors.MethodNotAllowed: 405,
        errors.PreconditionFailed: 412,
        errors.RequestTooLarge: 413,
        errors.MediaTypeNotTaken: 415,
        errors.IdempotencyKeyReused: 422,
        errors.PreconditionMissing: 428,
        errors.QuotaExceeded: 429,
        errors.LaunchRefused: 502,
        # Not the caller's doing: the installation cannot serve at the moment, or as it is configured.
        errors.DagsterUnavailable: 503,
        errors.DatabaseUnavailable: 503,
        errors.DatabaseNotConfigured: 503,
        errors.DatabaseNotSafe: 503,
        errors.ApiRoleNotSafe: 503,
        errors.MigrationsPending: 503,
        errors.FlagsUnavailable: 503,
        errors.MaskKeyUnavailable: 503,
        errors.VaultUnavailable: 503,
        errors.VaultRefused: 503,
        errors.SigningKeyUnavailable: 503,
        errors.ReportStoreNotReady: 503,
        errors.ReportNotStored: 503,
        errors.StoreNotWriteOnce: 503,
        errors.TelemetryUnavailable: 503,
        errors.TelemetryIncomplete: 503,
        errors.KeysUnavailable: 503,
        errors.LendingServiceNotReady: 503,
        errors.PostgresNotFound: 503,
        errors.PostgresHomeNotUsable: 503,
        errors.PostgresNeverStarted: 503,
        errors.NotReady: 503,
        errors.ServerBusy: 503,
    }
)
# Kinds of pydantic's errors whose messages say what is wanted, and nothing of what was sent.
_ABOUT_THE_CONTRACT = frozenset(
    {
        *("missing", "literal_error", "enum", "string_type", "bool_type", "int_type", "int_parsing"),
        *("string_pattern_mismatch", "string_too_short", "string_too_long", "model_type"),
        *("greater_than_equal", "less_than_equal"),
    }
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
# What the framework itself may raise.
_OF_THE_FRAMEWORK: Mapping[int, SeedError] = MappingProxyType(
    {
        404: errors.RouteNotFound(),
        405: errors.MethodNotAllowed(),
        413: errors.RequestTooLarge(LARGEST_BODY_BYTES),
        415: errors.MediaTypeNotTaken(taken=("application/json",)),
    }
)


def install(app: FastAPI) -> None:
    """Answer every exception of the application with a problem."""
    app.add_exception_handler(SeedError, _on_ours)
    app.add_exception_handler(HTTPException, _on_framework)
    app.add_exception_handler(RequestValidationError, _on_validation)


def status_of(error: SeedError) -> int:
    """The HTTP status of an error of ours."""
    return next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)


def problem_of(error: SeedError, *, instance: str, checks: Sequence[CheckState] | None = None) -> Problem:
    """The problem that an error is."""
    return Problem(
        type=f"{PROBLEM_TYPE}{error.code}",
        title=_title_of(error),
        status=status_of(error),
        detail=_detail_of(error),
        instance=instance,
        violations=_violations_of(error),
        retryable=error.retryable,
        checks=list(checks) if checks is not None else None,
    )


def answer_of(error: SeedError, scope: Scope, *, checks: Sequence[CheckState] | None = None) -> Response:
    """The whole answer, with the headers that its status asks for. What the caller is not told, the log is."""
    problem = problem_of(error, instance=_instance_of(scope), checks=checks)
    if problem.status >= _OURS:
        what = without_values(str(error))
        logs.event(f"request failed: {what}", error=error, http_route=problem.instance, http_status=problem.status)
    body = problem.model_dump_json(exclude={"checks"} if checks is None else None)
    return Response(
        body, status_code=problem.status, media_type=PROBLEM_JSON, headers=_headers_of(error, problem, scope)
    )


def rejected(error: ValidationError, *, place: str) -> RequestRejected:
    """What the contract refuses in a body, or in a query."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return RequestRejected(tuple(_fault_of({**each, "loc": (place, *each["loc"])}) for each in found))


def unexpected(error: BaseException) -> Unexpected:
    """A bug or a foreign exception, without its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace else "an unknown place"
    sqlstate = getattr(error, "sqlstate", None)
    return Unexpected(type(error).__name__, place=place, sqlstate=sqlstate if isinstance(sqlstate, str) else None)


async def _on_ours(request: Request, error: Exception) -> Response:
    return answer_of(error if isinstance(error, SeedError) else unexpected(error), request.scope)


async def _on_framework(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    ours = _OF_THE_FRAMEWORK.get(status) or RequestRejected((("", "it cannot be read"),))
    answer = answer_of(ours, request.scope)
    if status == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return answer


def _methods_at(request: Request) -> set[str]:
    """What the address takes, as the contract says: the framework names the methods of one route only."""
    paths = request.app.openapi()["paths"]
    return {method.upper() for method in paths.get(_template_of(request.scope), {"get": None})}


async def _on_validation(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return answer_of(RequestRejected(tuple(_fault_of(each) for each in found)), request.scope)


def _fault_of(found: Mapping[str, Any]) -> tuple[str, str]:
    """Where, and what is wanted."""
    (place, *path), kind = (str(part) for part in found["loc"]), found["type"]
    if kind == "json_invalid":
        return "", "it is not JSON"
    if kind == "extra_forbidden":
        return "".join(f"/{part}" for part in path[:-1]), "it has a field that is not known"
    location = "".join(f"/{part}" for part in path) if place == "body" else ".".join((place, *path))
    return location, str(found["msg"]) if kind in _ABOUT_THE_CONTRACT else "it is not what the contract says"


def _title_of(error: SeedError) -> str:
    return (type(error).__doc__ or "").split("\n", maxsplit=1)[0]


def _detail_of(error: SeedError) -> str:
    if isinstance(error, ManifestRejected):
        return f"cannot take the manifest: {len(error.problems)} things are wrong in it. violations names each of them."
    if isinstance(error, ReportNotFound):
        return "cannot show the report: its store has none in the place that the seed run names. Ask its operators."
    if status_of(error) >= _OURS:
        # Addresses, paths and what other systems said are nobody's outside.
        return f"{_title_of(error)} {_SAID_OF_OURS}"
    return without_values(str(error))


def _violations_of(error: SeedError) -> list[Violation]:
    if isinstance(error, ManifestRejected):
        return [violation_of(problem) for problem in error.problems[:_LARGEST_VIOLATIONS]]
    if isinstance(error, RequestRejected):
        return [Violation(location=where, message=what) for where, what in error.violations[:_LARGEST_VIOLATIONS]]
    return []


def _headers_of(error: SeedError, problem: Problem, scope: Scope) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        # RFC 6750: whoever sent no token is told of none.
        was_sent = any(name == b"authorization" for name, _ in scope["headers"])
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if was_sent else "Bearer"
    if isinstance(error, QuotaExceeded):
        headers["Retry-After"] = str(error.wait_seconds)
    elif error.retryable:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    return headers


def _instance_of(scope: Scope) -> str:
    """The path of the route and not the one that was asked for, which may hold anything; with the seed run's id."""
    template = _template_of(scope)
    if template is None:
        return "about:blank"
    seed_run_id = str(scope.get("path_params", {}).get("seed_run_id", ""))
    return template.replace("{seed_run_id}", seed_run_id) if _UUID.fullmatch(seed_run_id) else template


def _template_of(scope: Scope) -> str | None:
    template = getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else None

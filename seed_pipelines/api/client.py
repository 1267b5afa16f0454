"""The API from the other side: what `--remote` speaks, and what a program of somebody else may import.

Answers are the contract's classes; a problem is raised as the error that it was, with its code and message. Every
change carries a key of its own, so that repeating it does nothing twice; where the API says that it is busy, the same
request is made again after the time that it names. No server, no Dagster and no database is imported here.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel, ValidationError

from seed_pipelines.api.contract import (
    ENVIRONMENT_HEADER,
    KEY_HEADER,
    PREFIX,
    PROBLEM_JSON,
    TENANT_HEADER,
    Problem,
    Rehearsal,
    SeedRunAccepted,
    SeedRunCancelled,
    SeedRunPage,
    SeedRunProgress,
    SeedRunRequest,
    SeedRunState,
    SeedRunSummary,
    ValidProfile,
    Violation,
)
from seed_pipelines.errors import (
    ApiUnavailable,
    BadInput,
    Failed,
    ManifestRejected,
    PreconditionFailed,
    Refused,
    SeedError,
    SettingNotUsable,
    Unauthenticated,
    error_class_of,
)
from seed_pipelines.manifest.problems import Problem as ManifestProblem

ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 30.0

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_BUSY = (409, 429, 502, 503)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The tenant and environment that a request is about."""

    tenant: str
    environment: str

    @property
    def headers(self) -> dict[str, str]:
        return {TENANT_HEADER: self.tenant, ENVIRONMENT_HEADER: self.environment}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A seed run as it was read, and the ETag that a change of it has to name."""

    run: SeedRunState
    etag: str


class SeedClient:
    """One API, by one token. Not for several threads at once."""

    def __init__(self, url: str, *, token: str | None, traceparent: str | None = None) -> None:
        """`traceparent` is the caller's W3C trace context, which the API's spans, and a seed run's, are put below.

        Raises SettingNotUsable for an address that would show the token to others, Unauthenticated without one."""
        _assert_private(url)
        if not token:
            raise Unauthenticated
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self._url,
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {token}"} | ({"traceparent": traceparent} if traceparent else {}),
            follow_redirects=False,
            # A proxy of the environment is for the world outside: what is for this machine goes to nobody else.
            trust_env=urlsplit(url).hostname not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def validate(self, manifest: bytes, whose: Whose) -> ValidProfile:
        """What a manifest's YAML comes to; raises ManifestRejected, with each problem in its `problems`."""
        headers = whose.headers | {"Content-Type": "application/yaml"}
        return _read(ValidProfile, self._sent("POST", "/seed-profiles/validate", headers=headers, content=manifest))

    def start(self, request: SeedRunRequest, whose: Whose) -> SeedRunAccepted | Rehearsal:
        """The seed run of the request's key, begun now, gone on with, or done; with `dry_run`, what it would do.

        Each call is a request of its own: one that failed or paused goes on when it is started again.
        """
        content = request.model_dump_json(exclude_none=True).encode()
        headers = whose.headers | {KEY_HEADER: f'"{uuid4()}"', "Content-Type": "application/json"}
        answer = self._sent("POST", "/seed-runs", headers=headers, content=content)
        return _read(Rehearsal, answer) if request.dry_run else _read(SeedRunAccepted, answer)

    def run(self, seed_run_id: UUID, whose: Whose) -> Tagged:
        """One seed run; raises SeedRunNotFound."""
        answer = self._sent("GET", f"/seed-runs/{seed_run_id}", headers=whose.headers)
        return Tagged(run=_read(SeedRunState, answer), etag=answer.headers.get("ETag", ""))

    def run_unless(self, tagged: Tagged, whose: Whose) -> Tagged:
        """The seed run again; the same object where nothing has changed since."""
        headers = whose.headers | {"If-None-Match": tagged.etag}
        answer = self._sent("GET", f"/seed-runs/{tagged.run.seed_run_id}", headers=headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return tagged
        return Tagged(run=_read(SeedRunState, answer), etag=answer.headers.get("ETag", ""))

    def report(self, seed_run_id: UUID, whose: Whose) -> bytes:
        """The signed report, byte for byte, verified by the API; raises ReportNotWritten while it waits."""
        return self._sent("GET", f"/seed-runs/{seed_run_id}/report", headers=whose.headers).content

    def runs(self, whose: Whose, *, status: str | None = None) -> Iterator[SeedRunSummary]:
        """The tenant's seed runs, the newest first, page by page."""
        asked = {"tenant": whose.tenant} | ({"status": status} if status else {})
        cursor: str | None = None
        while True:
            page = asked | ({"cursor": cursor} if cursor else {})
            found = _read(SeedRunPage, self._sent("GET", "/seed-runs", headers=whose.headers, parameters=page))
            yield from found.items
            cursor = found.next_cursor
            if cursor is None:
                return

    def cancel(self, seed_run_id: UUID, whose: Whose) -> SeedRunCancelled:
        """Ask for a stop, whatever the seed run has come to meanwhile; raises SeedRunEnded where it has ended."""
        for attempt in range(ATTEMPTS):
            headers = whose.headers | {KEY_HEADER: f'"{uuid4()}"', "If-Match": self.run(seed_run_id, whose).etag}
            try:
                answer = self._sent("POST", f"/seed-runs/{seed_run_id}/cancel", headers=headers)
            except PreconditionFailed:
                # A batch came in between: the wish is the same.
                if attempt == ATTEMPTS - 1:
                    raise
                continue
            return _read(SeedRunCancelled, answer)
        raise AssertionError

    def events(self, seed_run_id: UUID, whose: Whose) -> Iterator[SeedRunProgress]:
        """How far a seed run is, each time that something has changed and now and then between; ends with it."""
        headers = whose.headers | {"Accept": "text/event-stream"}
        try:
            with self._http.stream("GET", f"{PREFIX}/seed-runs/{seed_run_id}/events", headers=headers) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise self._error_of(answer)
                yield from _events_in(answer.iter_lines())
        except httpx.HTTPError as error:
            raise ApiUnavailable(self._url, why=type(error).__name__) from None
        except ValidationError:
            raise ApiUnavailable(self._url, why="an event is not of this version of the contract") from None

    def _sent(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, after as many attempts as the API asks for; raises what went wrong."""
        for attempt in range(1, ATTEMPTS + 1):
            answer = self._once(
                self._http.build_request(
                    method, PREFIX + path, headers=dict(headers), content=content, params=dict(parameters or {})
                )
            )
            if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
                return answer
            wait = _wait_seconds(answer)
            if wait is None or attempt == ATTEMPTS:
                break
            time.sleep(wait)
        raise self._error_of(answer)

    def _once(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._http.send(request)
        except httpx.HTTPError as error:
            raise ApiUnavailable(self._url, why=type(error).__name__) from None

    def _error_of(self, answer: httpx.Response) -> SeedError:
        """The error that a problem tells of; one of another version is told by its branch of the tree."""
        if answer.headers.get("Content-Type", "").split(";")[0] != PROBLEM_JSON:
            return ApiUnavailable(self._url, why=f"it answers {answer.status_code} and not as this API does")
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError:
            return ApiUnavailable(self._url, why="its problem is not of this version of the contract")
        kind = error_class_of(problem.code) or _branch_of(answer.status_code)
        error = kind.as_told("\n".join((problem.detail, *(_violation(each) for each in problem.violations))))
        if isinstance(error, ManifestRejected):
            error.problems = tuple(_problem(each) for each in problem.violations)
        return error


def _assert_private(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise SettingNotUsable(
            "--remote or SEED_API_URL", url, wanted="an https:// address, or http:// on this machine"
        )


def _read(model: type[_Model], answer: httpx.Response) -> _Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        where = f"{answer.url.scheme}://{answer.url.netloc.decode()}"
        raise ApiUnavailable(where, why="its answer is not of this version of the contract") from None


def _events_in(lines: Iterator[str]) -> Iterator[SeedRunProgress]:
    """Each event; the last one again for a comment, which says that the stream lives."""
    last = None
    for line in lines:
        if line.startswith("data:"):
            last = SeedRunProgress.model_validate_json(line.removeprefix("data:"))
        if last is not None and line.startswith(("data:", ":")):
            yield last


def _wait_seconds(answer: httpx.Response) -> float | None:
    """How long to wait before the same request is worth making again; None where it is not."""
    text = answer.headers.get("Retry-After", "")
    if answer.status_code not in _BUSY or not text.isascii() or not text.isdigit():
        return None
    return float(text) if float(text) <= LONGEST_WAIT_SECONDS else None


def _branch_of(status: int) -> type[SeedError]:
    """The branch of the tree of a code that this version does not know."""
    if status in (401, 403, 409, 412, 428, 429):
        return Refused
    return BadInput if status < 500 else Failed


def _violation(violation: Violation) -> str:
    line = "" if violation.line is None else f"line {violation.line}, "
    return f"{line}{violation.location or 'the body'}: {violation.message}"


def _problem(violation: Violation) -> ManifestProblem:
    return ManifestProblem(
        source="body",
        line=violation.line or 1,
        column=violation.column or 1,
        pointer=violation.location,
        rule=violation.rule or "",
        message=violation.message,
    )

"""The official calculation by URL, for teams that have one of their own: the same questions, asked over HTTP.

Questions are sent some at a time, in order. Only a connection that could not be made is tried again here; whatever
else goes wrong is raised, and nobody computes the answer in the service's place. Redirects are not followed, and no
proxy of the environment is used.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from seed_pipelines.errors import LendingServiceRefused, LendingServiceUnavailable
from seed_pipelines.lending.check import Answer, Costs, Question
from seed_pipelines.lending.conventions import Borrower, System
from seed_pipelines.lending.official import Terms
from seed_pipelines.outside.lending_contract import MOST_LOANS, PATH, ScheduleAnswer, answers_of, request_of

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 15.0
_CONNECT_RETRIES = 2

# Too many requests, and whatever a gateway says while nothing stands behind it.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

_PROBE = Question(
    terms=Terms(
        principal=Decimal("1000.00"),
        monthly_rate=Decimal("0.035"),
        count=3,
        system=System.PRICE,
        released_on=date(2026, 1, 15),
        first_due_on=date(2026, 2, 15),
    ),
    costs=Costs(borrower=Borrower.PF, net_cents=99_000),
)


class LendingService:
    """An `OfficialCalculation`; close it when the work is done. May be asked from any thread."""

    def __init__(self, url: str, *, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self.address = server_of(url)
        self._url = url.rstrip("/") + PATH
        self._client = httpx.Client(
            timeout=httpx.Timeout(answer_seconds, connect=_CONNECT_SECONDS),
            transport=httpx.HTTPTransport(retries=_CONNECT_RETRIES),
            trust_env=False,
        )

    def __call__(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """One answer for each question; raises LendingServiceUnavailable or LendingServiceRefused."""
        return tuple(self._answers(questions))

    def assert_ready(self) -> None:
        """Ask about a loan that nobody has. Raises what asking raises."""
        self((_PROBE,))

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _answers(self, questions: Sequence[Question]) -> Iterator[Answer]:
        for first in range(0, len(questions), MOST_LOANS):
            yield from self._asked(questions[first : first + MOST_LOANS])

    def _asked(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        content = request_of(questions).model_dump_json(exclude_none=True)
        try:
            answer = self._client.post(self._url, content=content, headers={"Content-Type": "application/json"})
        except httpx.HTTPError as error:
            raise LendingServiceUnavailable(self.address, why=f"does not answer ({type(error).__name__})") from None
        if answer.status_code in _PASSING:
            raise LendingServiceUnavailable(self.address, why=f"answers {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise LendingServiceRefused(self.address, why=f"answers {answer.status_code}")
        try:
            return answers_of(ScheduleAnswer.model_validate_json(answer.content), loans=len(questions))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole answer"
            raise LendingServiceRefused(
                self.address, why=f"gives an answer that is not of the contract at {where}"
            ) from None
        except ValueError as error:
            raise LendingServiceRefused(self.address, why=f"gives {error}") from None


def server_of(url: str) -> str:
    """Scheme, host and port: what of a URL may be shown."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"

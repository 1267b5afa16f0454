"""Idempotency keys of requests: one request with one key is done once, and answered the same however often it is sent.

A key is claimed in one statement before the work, for a limited time, and its answer is kept. A process that dies in
between leaves a claim that the same request takes over when its time is over; what it had begun goes on, since the work
itself may be repeated. A request that was refused leaves nothing: its key is free again. Old answers are forgotten by
the purge (control/purge.py).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from uuid import UUID, uuid4

import rfc8785
from fastapi import Response
from psycopg.types.json import Jsonb

from seed_pipelines.api.contract import KEY, KEY_HEADER
from seed_pipelines.errors import HeaderNotUsable, RequestInFlight, RequestKeyReused
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

CLAIM_SECONDS = 60.0

# A transaction that sees the tenant of the request, and is committed at its end.
View = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """What a key is unique in: two tenants, or two routes, may use the same one."""

    environment: str
    tenant: str
    route: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to answer one request."""

    request: RequestKey
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that can be kept."""

    status: int
    headers: Mapping[str, str]
    body: str

    def as_response(self) -> Response:
        return Response(self.body, status_code=self.status, headers=dict(self.headers), media_type="application/json")


def key_in(header: str | None) -> str | None:
    """The key that a header holds: a quoted string, as the draft has it, or the bare text. Raises HeaderNotUsable."""
    if header is None:
        return None
    text = header.strip()
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    if not re.fullmatch(KEY, text):
        raise HeaderNotUsable(KEY_HEADER, why="is not 1 to 200 printable characters")
    return text


def fingerprint_of(asked: Mapping[str, object]) -> str:
    """The same for requests that say the same, in whatever order: SHA-256 of the canonical form of what was read."""
    return hashlib.sha256(rfc8785.dumps(dict(asked))).hexdigest()  # type: ignore[arg-type]  # Plain values by contract.


def answered_once(view: View, request: RequestKey, *, fingerprint: str, work: Callable[[Claim], Answer]) -> Answer:
    """The kept answer, else that of `work`, which has to keep it. Raises RequestKeyReused or RequestInFlight."""
    with view() as connection:
        held = claim(connection, request, fingerprint=fingerprint)
    if isinstance(held, Answer):
        return held
    try:
        return work(held)
    except BaseException:
        with view() as connection:
            give_up(connection, held)
        raise


def claim(
    connection: Connection, request: RequestKey, *, fingerprint: str, ttl_seconds: float = CLAIM_SECONDS
) -> Claim | Answer:
    """The right to answer, or the answer. Raises RequestKeyReused or RequestInFlight."""
    values = asdict(request) | {"fingerprint": fingerprint, "claim": uuid4(), "ttl_seconds": ttl_seconds}
    with translated():
        row = connection.execute(query("api_claim"), values).fetchone()
        if row is not None:
            return Claim(request=request, id=row["claim"])
        known = connection.execute(query("api_claimed"), values).fetchone()
    if known is None:
        # Given up between the two statements: whoever sends it again claims it.
        raise RequestInFlight
    if known["fingerprint"] != fingerprint:
        raise RequestKeyReused
    if known["status"] is None:
        raise RequestInFlight
    return Answer(status=known["status"], headers=known["headers"], body=known["body"])


def keep(connection: Connection, claimed: Claim, answer: Answer) -> None:
    """Keep the answer, in the caller's transaction. Raises RequestInFlight where the claim was taken over."""
    values = asdict(claimed.request) | {
        "claim": claimed.id,
        "status": answer.status,
        "headers": Jsonb(dict(answer.headers)),
        "body": answer.body,
    }
    with translated():
        if connection.execute(query("api_answer"), values).fetchone() is None:
            raise RequestInFlight


def give_up(connection: Connection, claimed: Claim) -> None:
    """Nothing is answered: the key is free again."""
    with translated():
        connection.execute(query("api_give_up"), asdict(claimed.request) | {"claim": claimed.id})

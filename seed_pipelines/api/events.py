"""The progress of a seed run as server-sent events, until it has ended.

An event comes when something has changed, a comment when nothing has for a while, and `end` when the seed run has
ended. A stream ends after an hour, since its caller was let in once; `Last-Event-ID` goes on where one ended.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from seed_pipelines.api.contract import FINISHED, PREFIX, SeedRunProgress
from seed_pipelines.api.described import described, events_body, header
from seed_pipelines.api.runs import readable_run
from seed_pipelines.api.service import Service, Whose, service_of
from seed_pipelines.errors import SeedError, ServerBusy
from seed_pipelines.outside.postgres import translated
from seed_pipelines.sql import query

router = APIRouter(prefix=PREFIX, tags=["seed runs"])

_EVERY_SECONDS = 0.5
_SILENT_SECONDS = 15.0
_LONGEST_SECONDS = 3_600.0
_MOST_STREAMS = 50
_RETRY_MILLISECONDS = 2_000

# Streams that are open; one whose caller went away before it began never comes in.
_streams: set[object] = set()

_DESCRIBED = described(404, parameters=[header("Last-Event-ID", "The last event that the caller has.")])


@router.get(
    "/seed-runs/{seed_run_id}/events",
    summary="The progress of a seed run, as it goes on",
    openapi_extra=_DESCRIBED["openapi_extra"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events `progress`, whose data is a SeedRunProgress, and at last `end`.",
            "content": events_body(SeedRunProgress, "progress", "end"),
        },
        **_DESCRIBED["responses"],
    },
)
def follow_seed_run(request: Request, seed_run_id: str) -> StreamingResponse:
    """Ends with the seed run."""
    row = readable_run(request, seed_run_id)
    whose = Whose(tenant=row["tenant"], environment=row["environment"])
    if len(_streams) >= _MOST_STREAMS:
        raise ServerBusy("as many seed runs as may be are being followed")
    events = _events(service_of(request), whose, row["seed_run_id"], seen=request.headers.get("last-event-id"))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(service: Service, whose: Whose, seed_run_id: object, *, seen: str | None) -> AsyncIterator[str]:
    stream = object()
    _streams.add(stream)
    try:
        yield f"retry: {_RETRY_MILLISECONDS}\n\n"
        ends, spoke = time.monotonic() + _LONGEST_SECONDS, time.monotonic()
        while time.monotonic() < ends and not service.stopping.is_set():
            row = await run_in_threadpool(_look, service, whose, seed_run_id)
            if row is None:
                return
            if row["etag"] != seen:
                seen, spoke = row["etag"], time.monotonic()
                yield _event("progress", row)
            if row["status"] in FINISHED:
                yield _event("end", row)
                return
            if time.monotonic() - spoke > _SILENT_SECONDS:
                spoke = time.monotonic()
                yield ": nothing new\n\n"
            await asyncio.sleep(_EVERY_SECONDS)
    finally:
        _streams.discard(stream)


def _look(service: Service, whose: Whose, seed_run_id: object) -> dict[str, Any] | None:
    """How far it is; None where it cannot be found out: the caller comes again."""
    values = {"seed_run_id": seed_run_id, "environment": whose.environment}
    try:
        with service.view(whose) as connection, translated():
            return connection.execute(query("api_run_progress"), values).fetchone()
    except SeedError:
        return None


def _event(name: str, row: dict[str, Any]) -> str:
    progress = SeedRunProgress(**row)
    return f"id: {row['etag']}\nevent: {name}\ndata: {progress.model_dump_json()}\n\n"

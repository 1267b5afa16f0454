"""Cancelling a seed run over HTTP: what `seed-data cancel` does, for a caller who says which state it saw.

Of several callers who saw the same state one succeeds. A worker stops at its next batch boundary, so that nothing is
half written; Dagster runs that nobody needs any more are ended.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from seed_pipelines import flow
from seed_pipelines.api import etags, idempotency
from seed_pipelines.api.access.decide import SOME_MODE, Action
from seed_pipelines.api.bodies import read_body
from seed_pipelines.api.contract import KEY_HEADER, PREFIX, SeedRunCancelled
from seed_pipelines.api.described import ETAG_HEADER, REQUIRED_KEY_PARAMETER, described, header
from seed_pipelines.api.etags import Match
from seed_pipelines.api.idempotency import Answer, Claim, RequestKey
from seed_pipelines.api.runs import run_row
from seed_pipelines.api.service import Service, Whose, run_id_of, service_of, show_tenant
from seed_pipelines.control import endings, runs
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import (
    DagsterUnavailable,
    HeaderNotUsable,
    PreconditionFailed,
    SeedRunEnded,
    SeedRunNotFound,
    ServerBusy,
)
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.outside import logs
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.sql import query

router = APIRouter(prefix=PREFIX, tags=["seed runs"])

_IF_MATCH = header("If-Match", "The ETag that the caller saw, or *.", required=True, pattern=etags.FORM)
_DESCRIBED = described(
    404,
    409,
    412,
    422,
    428,
    parameters=[REQUIRED_KEY_PARAMETER, _IF_MATCH],
)


@router.post(
    "/seed-runs/{seed_run_id}/cancel",
    status_code=202,
    summary="Stop a seed run; the published dataset stays",
    openapi_extra=_DESCRIBED["openapi_extra"],
    responses={
        202: {"model": SeedRunCancelled, "description": "It was asked to stop.", "headers": ETAG_HEADER},
        **_DESCRIBED["responses"],
    },
)
def cancel_seed_run(request: Request, seed_run_id: str, _: Annotated[bytes, Depends(read_body)]) -> Response:
    """A seed run that nobody works on is cancelled at once, another one at its next batch."""
    service = service_of(request)
    caller, whose = service.admit(request)
    id_ = run_id_of(seed_run_id)
    row = run_row(service, whose, id_)
    service.access.allow(
        caller,
        action=Action.CANCEL,
        tenant=whose.tenant,
        environment=whose.environment,
        mode=SOME_MODE if row is None else row["mode"],
    )
    if row is None:
        raise SeedRunNotFound(seed_run_id)
    key = idempotency.key_in(request.headers.get(KEY_HEADER))
    if key is None:
        raise HeaderNotUsable(KEY_HEADER, why="is missing")
    match = etags.if_match(request.headers.get("if-match"))
    answer = idempotency.answered_once(
        lambda: service.view(whose),
        RequestKey(
            environment=whose.environment,
            tenant=whose.tenant,
            route=f"POST {PREFIX}/seed-runs/{id_}/cancel",
            key=key,
        ),
        fingerprint=idempotency.fingerprint_of({"seed_run_id": str(id_)}),
        work=lambda claim: _cancelled(service, whose, id_, match=match, claim=claim),
    )
    return answer.as_response()


def _cancelled(service: Service, whose: Whose, seed_run_id: UUID, *, match: Match, claim: Claim) -> Answer:
    with service.writing.lent() as connection, transaction(connection):
        show_tenant(connection, whose)
        ask_to_stop(connection, whose, seed_run_id, match=match)
        run = flow.cancel(connection, seed_run_id)
        answer = _answer_of(connection, run)
        idempotency.keep(connection, claim, answer)
        ending = endings.ending_of(connection, run.id) if run.is_finished else None
    if ending is not None:
        # Nobody was at work, so no worker says it.
        endings.measure(service.telemetry.metrics, ending)
    _end_dagster_runs(service, run)
    return answer


def ask_to_stop(connection: Connection, whose: Whose, seed_run_id: UUID, *, match: Match) -> None:
    """One statement, if the seed run is still as the caller saw it.

    Raises SeedRunNotFound, SeedRunEnded or PreconditionFailed.
    """
    values = {
        "seed_run_id": seed_run_id,
        "environment": whose.environment,
        "tenant": whose.tenant,
        "any": match.any,
        "etags": list(match.strong),
    }
    with translated():
        if connection.execute(query("api_cancel"), values).fetchone() is not None:
            return
    run = runs.find(connection, seed_run_id)
    if run.is_finished:
        raise SeedRunEnded(str(run.id), state=run.state)
    raise PreconditionFailed


def _answer_of(connection: Connection, run: SeedRun) -> Answer:
    values = {"seed_run_id": run.id, "environment": run.environment}
    with translated():
        row = connection.execute(query("api_run_progress"), values).fetchone()
    if row is None:
        raise SeedRunNotFound(str(run.id))
    told = SeedRunCancelled(seed_run_id=run.id, status=row["status"])
    return Answer(status=202, headers={"ETag": etags.quoted(row["etag"])}, body=told.model_dump_json())


def _end_dagster_runs(service: Service, run: SeedRun) -> None:
    """Those that have not begun; once the seed run is cancelled, all of them."""
    name = ManifestName.of_path(run.manifest_path)
    try:
        with service.dagster.turn():
            found = service.dagster.runs_of(name, run.idempotency_key)
            service.dagster.terminate([each for each in found if run.is_finished or not each.has_begun])
    except (DagsterUnavailable, ServerBusy) as error:
        # The seed run is cancelled whatever Dagster does: a worker that comes later is refused.
        logs.event("runs not ended", error=error, seed_run_id=str(run.id))

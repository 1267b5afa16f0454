"""Reading seed runs: one of them, a page of them, and the report of one. Nothing is changed here."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from seed_pipelines.api import etags
from seed_pipelines.api.access.decide import SOME_MODE, Action
from seed_pipelines.api.contract import PREFIX, SeedRunPage, SeedRunQuery, SeedRunState, SeedRunSummary
from seed_pipelines.api.described import ETAG_HEADER, described, header, query_parameters
from seed_pipelines.api.service import Service, Whose, query_as, run_id_of, service_of
from seed_pipelines.catalog import ENTITIES
from seed_pipelines.errors import ReportNotVerified, ReportNotWritten, RequestRejected, SeedRunNotFound
from seed_pipelines.evidence.signers import public_key_of
from seed_pipelines.evidence.verify import payload_of, verify_envelope
from seed_pipelines.outside.postgres import translated
from seed_pipelines.sql import query

router = APIRouter(prefix=PREFIX, tags=["seed runs"])

_IF_NONE_MATCH = header("If-None-Match", "ETags that the caller has: 304 where one of them is still right.")
_NOT_MODIFIED = {304: {"description": "The caller has it already.", "headers": ETAG_HEADER}}
_JSON = "application/json"


def _responses(of: dict[str, Any], more: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {**of, "responses": {**more, **of["responses"]}}


@router.get(
    "/seed-runs",
    summary="Seed runs of a tenant, the newest first",
    **_responses(
        described(422, parameters=query_parameters(), tenant_is_optional=True),
        {200: {"model": SeedRunPage, "description": "A page."}},
    ),
)
def list_seed_runs(request: Request) -> Response:
    """The tenant is that of the query or of the header; where both name one, they have to agree."""
    service = service_of(request)
    caller, whose = service.admit(request, tenant=request.query_params.get("tenant"))
    asked = query_as(SeedRunQuery, request)
    after = _after(asked.cursor)
    service.access.allow(
        caller, action=Action.READ, tenant=whose.tenant, environment=whose.environment, mode=asked.mode
    )
    values = {
        "tenant_id": whose.tenant_id,
        "environment": whose.environment,
        "mode": asked.mode,
        "status": asked.status,
        "after_started_at": after[0] if after else None,
        "after_id": after[1] if after else None,
        "limit": asked.limit + 1,
    }
    with service.view(whose) as connection, translated():
        rows = connection.execute(query("api_runs"), values).fetchall()
    items = [SeedRunSummary(**row) for row in rows[: asked.limit]]
    page = SeedRunPage(items=items, next_cursor=_cursor_of(items[-1]) if len(rows) > asked.limit else None)
    return Response(page.model_dump_json(), media_type=_JSON, headers={"Cache-Control": "no-store"})


@router.get(
    "/seed-runs/{seed_run_id}",
    summary="One seed run, with all that is in",
    **_responses(
        described(404, parameters=[_IF_NONE_MATCH]),
        {200: {"model": SeedRunState, "description": "Its state.", "headers": ETAG_HEADER}, **_NOT_MODIFIED},
    ),
)
def get_seed_run(request: Request, seed_run_id: str) -> Response:
    """Its state, shards, checkpoints, budget and report, as of one moment."""
    row = readable_run(request, seed_run_id)
    headers = {"ETag": etags.quoted(row["etag"]), "Cache-Control": "private, no-cache"}
    if etags.is_known(request.headers.get("if-none-match"), row["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(state_of(row).model_dump_json(), media_type=_JSON, headers=headers)


@router.get(
    "/seed-runs/{seed_run_id}/report",
    summary="The report of a seed run, verified",
    **_responses(
        described(404, parameters=[_IF_NONE_MATCH]),
        {
            200: {
                "description": "The stored bytes: canonical JSON, whose signature was verified a moment ago.",
                "content": {_JSON: {"schema": {"type": "object"}}},
                "headers": ETAG_HEADER,
            },
            **_NOT_MODIFIED,
        },
    ),
)
def get_report(request: Request, seed_run_id: str) -> Response:
    """The bytes of the write-once store. A report that cannot be verified is not shown: 500 says so."""
    row, service = readable_run(request, seed_run_id), service_of(request)
    place = row["report"] or {}
    if place.get("uri") is None:
        raise ReportNotWritten(str(row["seed_run_id"]))
    headers = {"ETag": etags.quoted(place["sha256"]), "Cache-Control": "private, no-cache"}
    if etags.is_known(request.headers.get("if-none-match"), place["sha256"]):
        return Response(status_code=304, headers=headers)
    content = _verified(service, place["uri"], environment=row["environment"])
    return Response(content, media_type=_JSON, headers=headers)


def readable_run(request: Request, seed_run_id: str) -> dict[str, Any]:
    """The row of a seed run that the caller may read; raises Forbidden, or SeedRunNotFound."""
    service = service_of(request)
    caller, whose = service.admit(request)
    row = run_row(service, whose, run_id_of(seed_run_id))
    # Whoever may read no seed run of the tenant learns nothing of whether there is one.
    service.access.allow(
        caller,
        action=Action.READ,
        tenant=whose.tenant,
        environment=whose.environment,
        mode=SOME_MODE if row is None else row["mode"],
    )
    if row is None:
        raise SeedRunNotFound(seed_run_id)
    return row


def run_row(service: Service, whose: Whose, seed_run_id: UUID) -> dict[str, Any] | None:
    """One seed run of a tenant and environment, or None."""
    values = {"seed_run_id": seed_run_id, "environment": whose.environment}
    with service.view(whose) as connection, translated():
        return connection.execute(query("api_run"), values).fetchone()


def state_of(row: dict[str, Any]) -> SeedRunState:
    """A row as the contract tells it."""
    planned = {entity: row["planned_rows"][entity] for entity in ENTITIES if entity in row["planned_rows"]}
    rows = dict.fromkeys(planned, 0)
    for checkpoint in row["checkpoints"]:
        rows[checkpoint["entity"]] += checkpoint["rows"]
    # The checkpoints of a published seed run may have been deleted since.
    rows = planned if row["status"] == "published" else rows
    return SeedRunState(**(row | {"planned_rows": planned, "rows": rows}))


def _verified(service: Service, uri: str, *, environment: str) -> bytes:
    installation = service.installation
    content = installation.report_store(environment).get(uri)
    public_key = public_key_of(
        environment,
        key_version=_key_version_in(content),
        vault=installation.vault(),
        home=installation.settings.home,
    )
    verification = verify_envelope(content, public_key_pem=public_key)
    if not verification.ok:
        raise ReportNotVerified(uri, why="; ".join(doubt.name for doubt in verification.doubts))
    return content


def _key_version_in(content: bytes) -> int | None:
    """The version that the report names; what it names proves nothing, the key of that version does."""
    signed_by = payload_of(content)["signed_by"]
    version = signed_by.get("key_version") if isinstance(signed_by, Mapping) else None
    return version if isinstance(version, int) else None


def _cursor_of(last: SeedRunSummary) -> str:
    text = f"{last.started_at.isoformat()}|{last.seed_run_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, seed_run_id = text.partition("|")
        found = datetime.fromisoformat(moment), UUID(seed_run_id)
    except (ValueError, binascii.Error):
        raise RequestRejected((("query.cursor", "it is none that a page before gave"),)) from None
    if found[0].tzinfo is None:
        raise RequestRejected((("query.cursor", "it is none that a page before gave"),))
    return found

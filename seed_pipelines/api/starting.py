"""Starting a seed run over HTTP: the seed run exists when the answer is given, and a worker was asked for.

The manifest is read once, inside the manifests folder. The same function as in every door claims the seed run; then one
Dagster run for each shard is asked for that waits or works for none of them yet. All of it may be repeated, so a
process that dies in between leaves nothing that the same request would not complete.
"""

import threading
import time
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response

from seed_pipelines import flow
from seed_pipelines.api import etags, idempotency
from seed_pipelines.api.access.decide import Action
from seed_pipelines.api.bodies import JSON_ONLY, read_body, require_media_type
from seed_pipelines.api.contract import KEY_HEADER, PREFIX, Rehearsal, SeedRunAccepted, SeedRunRequest
from seed_pipelines.api.described import ETAG_HEADER, KEY_PARAMETER, described, json_body, links_to
from seed_pipelines.api.idempotency import Answer, Claim, RequestKey
from seed_pipelines.api.launching import TRIGGER
from seed_pipelines.api.runs import run_row
from seed_pipelines.api.service import Service, Whose, read_as, service_of
from seed_pipelines.control import runs
from seed_pipelines.control.default_key import default_key
from seed_pipelines.control.runs import RunState, SeedRun
from seed_pipelines.errors import (
    DefinitionsStale,
    HeaderNotUsable,
    ModeDiffers,
    SeedRunNotFound,
    ServerBusy,
    TenantDiffers,
    TooLargeToRehearse,
)
from seed_pipelines.load.rehearsal import plain_of, rehearse
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.orchestration import names
from seed_pipelines.orchestration.launch import Launch
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.outside.postgres import Connection, connected, transaction
from seed_pipelines.outside.telemetry import current_traceparent, require_complete
from seed_pipelines.plan import Plan
from seed_pipelines.session import opened, oracle_of
from seed_pipelines.sql import query

router = APIRouter(prefix=PREFIX, tags=["seed runs"])
ROUTE = f"POST {PREFIX}/seed-runs"
LARGEST_REHEARSAL_ROWS = 250_000

# A rehearsal keeps a processor busy: one at a time.
_rehearsing = threading.Lock()

_DESCRIBED = described(409, 415, 422, 502, parameters=[KEY_PARAMETER], body=json_body(SeedRunRequest))


@router.post(
    "/seed-runs",
    status_code=201,
    summary="Start a seed run, or rehearse one",
    openapi_extra=_DESCRIBED["openapi_extra"],
    responses={
        200: {"model": Rehearsal, "description": "With dry_run: what a run would do. Nothing was kept."},
        201: {
            "model": SeedRunAccepted,
            "description": "The seed run exists, and its worker was asked for.",
            "headers": {
                **ETAG_HEADER,
                "Location": {"description": "Where to look at it.", "schema": {"type": "string"}},
            },
            "links": links_to("get_seed_run", "get_report", "follow_seed_run", "cancel_seed_run"),
        },
        **_DESCRIBED["responses"],
    },
)
def start_seed_run(request: Request, body: Annotated[bytes, Depends(read_body)]) -> Response:
    """`idempotency_key` names the seed run and the header Idempotency-Key the request; either stands for both.

    A seed run that stopped goes on when its `idempotency_key` comes again with a new header. The manifest's hash as
    `idempotency_key` stands for the seed run of it that readers see, else the one that stopped, else a new one.
    """
    service = service_of(request)
    caller, whose = service.admit(request)
    require_media_type(request, JSON_ONLY)
    asked = read_as(SeedRunRequest, body)
    sent = idempotency.key_in(request.headers.get(KEY_HEADER))
    key = asked.idempotency_key or sent
    if key is None:
        raise HeaderNotUsable(KEY_HEADER, why="is missing, and so is idempotency_key")
    service.access.allow(caller, action=Action.RUN, tenant=whose.tenant, environment=whose.environment, mode=asked.mode)
    if asked.dry_run:
        return _rehearsed(service, asked, whose)
    answer = idempotency.answered_once(
        lambda: service.view(whose),
        RequestKey(environment=whose.environment, tenant=whose.tenant, route=ROUTE, key=sent or key),
        fingerprint=idempotency.fingerprint_of(asked.model_dump() | {"idempotency_key": key}),
        work=lambda claim: _started(service, asked, whose, key=key, claim=claim),
    )
    return answer.as_response()


def _started(service: Service, asked: SeedRunRequest, whose: Whose, *, key: str, claim: Claim) -> Answer:
    with service.dagster.turn():
        answer = _launched(service, asked, whose, key=key)
    with service.view(whose) as connection:
        idempotency.keep(connection, claim, answer)
    return answer


def _launched(service: Service, asked: SeedRunRequest, whose: Whose, *, key: str) -> Answer:
    manifest = _manifest(service, asked, whose)
    plan, name = service.installation.plan(manifest), ManifestName.of_path(f"{whose.environment}/{whose.tenant}.yaml")
    loaded = service.dagster.loaded_hash(name)
    if loaded != manifest.manifest_hash:
        raise DefinitionsStale(name.path, launched=loaded or "none", found=manifest.manifest_hash)
    with opened(service.installation, manifest, worker=f"{TRIGGER}:{uuid4()}") as session:
        launch = _launch(asked, plan, name, key=_key_of_run(session.connection, plan, key))
        run = flow.ask(session, plan, launch.request(session.keys))
        require_complete(session.telemetry.finish())
    if run.state is not RunState.PUBLISHED:
        _launch_missing(service, plan, run, launch)
    return _accepted(service, run, whose)


def _key_of_run(connection: Connection, plan: Plan, key: str) -> str:
    """The manifest's hash stands for the manifest's own key, as it does where no key is given at a command line."""
    return default_key(connection, plan) if key == plan.manifest.manifest_hash else key


def _launch(asked: SeedRunRequest, plan: Plan, name: ManifestName, *, key: str) -> Launch:
    return Launch(
        name=name,
        shard=plan.shard_keys[0],
        manifest_hash=plan.manifest.manifest_hash,
        idempotency_key=key,
        may_join=False,
        ignore_window=asked.ignore_window,
        waits=True,
        trigger=TRIGGER,
        traceparent=current_traceparent() or "",
        dagster_run_id="",
    )


def _launch_missing(service: Service, plan: Plan, run: SeedRun, launch: Launch) -> None:
    """A Dagster run for each shard that is not in and that nobody works on; one launch at a time for a seed run."""
    tags = {
        names.IDEMPOTENCY_KEY_TAG: launch.idempotency_key,
        names.MANIFEST_HASH_TAG: launch.manifest_hash,
        names.TRIGGER_TAG: launch.trigger,
        names.WAIT_TAG: "true",
        names.TRACEPARENT_TAG: run.traceparent,
    }
    if launch.ignore_window:
        tags[names.IGNORE_WINDOW_TAG] = "true"
    with service.writing.lent() as connection, transaction(connection):
        connection.execute(query("api_launch_turn"), {"seed_run_id": run.id})
        done = {shard.shard for shard in runs.shards_of(connection, run.id) if shard.state == "done"}
        busy = {found.shard for found in service.dagster.runs_of(launch.name, launch.idempotency_key)}
        # Where every shard is in and it is not published, any of them publishes.
        missing = [shard for shard in plan.shard_keys if shard not in done] or list(plan.shard_keys[-1:])
        for shard in missing:
            if shard not in busy:
                service.dagster.launch(launch.name, shard, tags)


def _accepted(service: Service, run: SeedRun, whose: Whose) -> Answer:
    row = run_row(service, whose, run.id)
    if row is None:
        raise SeedRunNotFound(str(run.id))
    accepted = SeedRunAccepted(seed_run_id=run.id, status=row["status"], manifest_hash=run.manifest_hash)
    headers = {"Location": f"{PREFIX}/seed-runs/{run.id}", "ETag": etags.quoted(row["etag"])}
    return Answer(status=201, headers=headers, body=accepted.model_dump_json())


def _manifest(service: Service, asked: SeedRunRequest, whose: Whose) -> Manifest:
    """The manifest, once it is the one that was asked for; raises what speaks against it."""
    installation = service.installation
    path = asked.manifest_path.removeprefix(f"{installation.settings.manifests.name}/")
    installation.folder.assert_inside(path)
    # Decided by the name alone: of another tenant's manifest not even its faults are told.
    if path != f"{whose.environment}/{whose.tenant}.yaml":
        raise TenantDiffers
    manifest = installation.manifest(path)
    is_canary = manifest.mode is Mode.CANARY
    if asked.mode != manifest.mode.value or asked.canary not in (None, is_canary):
        raise ModeDiffers(found=manifest.mode.value)
    return manifest


def _rehearsed(service: Service, asked: SeedRunRequest, whose: Whose) -> Response:
    manifest = _manifest(service, asked, whose)
    plan = service.installation.plan(manifest)
    if plan.total_rows > LARGEST_REHEARSAL_ROWS:
        raise TooLargeToRehearse(plan.total_rows, most=LARGEST_REHEARSAL_ROWS)
    if not _rehearsing.acquire(blocking=False):
        raise ServerBusy("another rehearsal is under way")
    try:
        return _rehearsal_of(service, plan)
    finally:
        _rehearsing.release()


def _rehearsal_of(service: Service, plan: Plan) -> Response:
    started = time.perf_counter()
    installation = service.installation
    with (
        oracle_of(installation.settings) as oracle,
        connected(installation.database_url(), application="seed-data api") as connection,
    ):
        rehearsal = rehearse(connection, plan, oracle=oracle)
    seconds = time.perf_counter() - started
    told = Rehearsal(**plain_of(plan, rehearsal, seconds=seconds, now=datetime.now(UTC)))
    return Response(told.model_dump_json(), media_type="application/json")

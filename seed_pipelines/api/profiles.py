"""Checking a manifest over HTTP: what `seed-data manifest check` does, and the plan. Nothing is read or written."""

from functools import lru_cache
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from seed_pipelines.api.access.decide import SOME_MODE, Action, SomeMode
from seed_pipelines.api.bodies import JSON, JSON_OR_YAML, read_body, require_media_type
from seed_pipelines.api.contract import PREFIX, ValidProfile
from seed_pipelines.api.described import described
from seed_pipelines.api.service import service_of
from seed_pipelines.errors import ManifestRejected, TenantDiffers
from seed_pipelines.manifest.load import Examined, examine
from seed_pipelines.manifest.model import Mode
from seed_pipelines.manifest.problems import Plain
from seed_pipelines.manifest.strict_json import examine_json
from seed_pipelines.session import Installation

router = APIRouter(prefix=PREFIX, tags=["seed profiles"])

KEPT_MANIFESTS = 64
# Two that are planned at once in one process take longer than one after the other: they take the interpreter from
# each other at every step.
_IN_TURN = Lock()
_SCHEMA = {"schema": {"type": "object", "description": "A manifest, as docs/reference/manifest.md says."}}
_DESCRIBED = described(415, 422, body={"application/json": _SCHEMA, "application/yaml": _SCHEMA})


@router.post(
    "/seed-profiles/validate",
    summary="Check a manifest",
    openapi_extra=_DESCRIBED["openapi_extra"],
    responses={
        200: {"model": ValidProfile, "description": "Nothing is wrong in it."},
        **_DESCRIBED["responses"],
    },
)
def validate_profile(request: Request, body: Annotated[bytes, Depends(read_body)]) -> Response:
    """JSON or YAML, by Content-Type; every issue of a manifest that is refused is told at once, with its place."""
    service = service_of(request)
    caller, whose = service.admit(request)
    is_json = require_media_type(request, JSON_OR_YAML) == JSON
    with _IN_TURN:
        examined = _examined(body, is_json=is_json)
    service.access.allow(
        caller,
        action=Action.VALIDATE,
        tenant=whose.tenant,
        environment=whose.environment,
        mode=_mode_in(examined.document.data),
    )
    if examined.manifest is None:
        raise ManifestRejected(examined.problems)
    manifest, metadata = examined.manifest, examined.manifest.metadata
    if (metadata.tenant, metadata.environment) != (whose.tenant, whose.environment):
        raise TenantDiffers
    with _IN_TURN:
        _assert_plannable(service.installation, body, is_json=is_json)
    answer = ValidProfile(
        normalized_version=metadata.version,
        caps={entity: volume.cap for entity, volume in manifest.volumetry.items()},
        manifest_hash=manifest.manifest_hash,
    )
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


# Pipelines send the same manifest again and again, and the same bytes always come to the same.
@lru_cache(maxsize=KEPT_MANIFESTS)
def _examined(body: bytes, *, is_json: bool) -> Examined:
    return examine_json(body, source="body") if is_json else examine(body, source="body")


@lru_cache(maxsize=KEPT_MANIFESTS)
def _assert_plannable(installation: Installation, body: bytes, *, is_json: bool) -> None:
    """Raises BadInput, which is not remembered."""
    manifest = _examined(body, is_json=is_json).manifest
    if manifest is not None:
        installation.plan(manifest)


def _mode_in(data: Plain) -> str | SomeMode:
    """The mode that a manifest states, though something else may be wrong in it.

    Where none can be read, whoever may check a manifest of some mode is told why.
    """
    mode = data.get("mode") if isinstance(data, dict) else None
    return mode if isinstance(mode, str) and mode in set(Mode) else SOME_MODE

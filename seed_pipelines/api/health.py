"""Whether the API is alive, whether it can serve, and its metrics: for machines that carry no token.

What is told here is names and codes: no address, no version, nothing of a message. The parts are tried at most once in
some seconds, so that nobody wears them out by asking.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from seed_pipelines.api.contract import PROBLEM_JSON, Alive, CheckState, Problem, Ready
from seed_pipelines.api.metrics import text_of
from seed_pipelines.api.problems import answer_of, unexpected
from seed_pipelines.api.service import Service, service_of
from seed_pipelines.control import migrations
from seed_pipelines.errors import ApiRoleNotSafe, MaskKeyUnavailable, NotReady, SeedError
from seed_pipelines.outside.postgres import translated
from seed_pipelines.outside.vault import Vault
from seed_pipelines.settings import DEV
from seed_pipelines.sql import query

router = APIRouter(tags=["operation"])

_KEPT_SECONDS = 5.0


class Readiness:
    """What the parts of one service said last."""

    def __init__(self, service: Service) -> None:
        self._parts: Mapping[str, Callable[[], None]] = {
            "database": lambda: assert_database(service),
            "dagster": service.dagster.assert_answers,
            "vault": lambda: assert_vault(service),
            "worm": lambda: _store_of(service),
        }
        self._turn = threading.Lock()
        self._found: list[CheckState] = []
        self._asked_at = -_KEPT_SECONDS

    def checks(self) -> list[CheckState]:
        """One state for each part, all of them tried at once."""
        with self._turn:
            if time.monotonic() - self._asked_at >= _KEPT_SECONDS:
                with ThreadPoolExecutor(len(self._parts)) as together:
                    self._found = list(together.map(_tried, self._parts, self._parts.values()))
                self._asked_at = time.monotonic()
            return self._found


# Not in a thread: requests that hang may have all of them, and whoever asks would end a process that is alive.
@router.get("/healthz", summary="The process answers")
async def healthz() -> Alive:
    """Nothing else is looked at."""
    return Alive()


@router.get(
    "/readyz",
    summary="Database, Dagster, Vault and the write-once store answer",
    response_model=Ready,
    responses={
        503: {
            "description": "At least one of them does not; `checks` says which.",
            "content": {PROBLEM_JSON: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        }
    },
)
def readyz(request: Request) -> Response:
    """For a load balancer: send requests here, or not now."""
    readiness: Readiness = request.app.state.readiness
    checks = readiness.checks()
    failing = tuple(check.name for check in checks if not check.ok)
    if failing:
        return answer_of(NotReady(failing), request.scope, checks=checks)
    return Response(Ready(checks=checks).model_dump_json(), media_type="application/json")


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Requests of this process, and what the control plane says. Keep it inside of the cluster."""
    return Response(text_of(service_of(request).registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def assert_database(service: Service) -> None:
    """Raises DatabaseUnavailable, MigrationsPending or ApiRoleNotSafe."""
    with service.reading.lent() as connection, translated():
        row = connection.execute(query("api_role")).fetchone()
        if row is None or not row["is_safe"]:
            raise ApiRoleNotSafe(row["role"] if row else "nobody")
        migrations.assert_applied(connection)
    with service.writing.lent() as connection, translated():
        connection.execute(query("database_now"))


def assert_vault(service: Service) -> None:
    """Raises VaultUnavailable or VaultRefused; MaskKeyUnavailable where there has to be a Vault and none is set."""
    settings, vault = service.installation.settings, service.installation.vault()
    if vault is not None:
        with Vault(vault):
            return
    if settings.environment not in (None, DEV) or settings.is_ci:
        raise MaskKeyUnavailable("anything", why="no Vault is set", what_to_do="Set SEED_VAULT_ADDR.")


def _store_of(service: Service) -> None:
    settings = service.installation.settings
    service.installation.report_store(settings.environment or DEV).preflight()


def _tried(name: str, attempt: Callable[[], None]) -> CheckState:
    try:
        attempt()
    except SeedError as error:
        return CheckState(name=name, ok=False, code=error.code)
    except Exception as error:
        # A client library's own failure is one more way of not being ready.
        return CheckState(name=name, ok=False, code=unexpected(error).code)
    return CheckState(name=name, ok=True)

"""What every request uses, built once: connections, access, quotas, Dagster, and who may see what of the database.

A request is told apart in one order: who asks, for which tenant and environment, within which quota, and then what.
What it reads and what it keeps of itself is done by seed_api, whom row-level security shows one tenant; only starting
and cancelling a seed run use the loader's connection, as every other door does.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from fastapi import Request
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ValidationError

from seed_pipelines.api import quota
from seed_pipelines.api.access.decide import AccessControl, Caller
from seed_pipelines.api.contract import ENVIRONMENT_HEADER, SLUG, TENANT_HEADER
from seed_pipelines.api.edge import remember
from seed_pipelines.api.launching import Dagster
from seed_pipelines.api.problems import rejected
from seed_pipelines.api.quota import AddressQuotas, QuotaPolicy
from seed_pipelines.errors import HeaderNotUsable, SeedRunNotFound
from seed_pipelines.outside.connections import ConnectionPool
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.outside.telemetry import Telemetry
from seed_pipelines.seeds import tenant_id_of
from seed_pipelines.session import Installation
from seed_pipelines.sql import query

# The one quota of a caller for whatever is no tenant of theirs. No tenant can have this name.
_NO_TENANT = "-"
Asked = TypeVar("Asked", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The tenant and the environment that a request is about."""

    tenant: str
    environment: str

    @property
    def tenant_id(self) -> UUID:
        return UUID(bytes=tenant_id_of(self.environment, self.tenant))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One running API."""

    installation: Installation
    access: AccessControl
    # As seed_api; for reading, requests by their key, quotas and the record of decisions.
    reading: ConnectionPool
    # As the loader; for what changes a seed run.
    writing: ConnectionPool
    dagster: Dagster
    telemetry: Telemetry
    policy: QuotaPolicy
    addresses: AddressQuotas
    registry: CollectorRegistry
    # Set when the server is asked to end: whoever streams ends too.
    stopping: threading.Event = field(default_factory=threading.Event)

    def admit(self, request: Request, *, tenant: str | None = None) -> tuple[Caller, Whose]:
        """Who asks, and for whom; one request of their quota is used. `tenant`: the header's, where a query has it.

        Raises Unauthenticated, KeysUnavailable, HeaderNotUsable or QuotaExceeded.
        """
        caller = self.access.caller_of(request.headers.get("authorization"))
        try:
            whose = _whose(request, tenant)
        except HeaderNotUsable:
            self._spend(request, caller, _NO_TENANT)
            raise
        self._spend(request, caller, self._quota_of(caller, whose))
        return caller, whose

    @contextmanager
    def view(self, whose: Whose) -> Iterator[Connection]:
        """A transaction that sees one tenant and no other."""
        with self.reading.lent() as connection, transaction(connection):
            show_tenant(connection, whose)
            yield connection

    def _quota_of(self, caller: Caller, whose: Whose) -> str:
        """Whose quota is used: made-up tenants, and those of others, share one, or each would be a quota more."""
        is_theirs = self.access.reaches(caller, tenant=whose.tenant, environment=whose.environment)
        is_known = is_theirs and self.installation.folder.has(f"{whose.environment}/{whose.tenant}.yaml")
        return whose.tenant if is_known else _NO_TENANT

    def _spend(self, request: Request, caller: Caller, tenant: str) -> None:
        with self.reading.lent() as connection:
            left = quota.take(connection, self.policy, caller=caller.digest, tenant=tenant)
        remember(request.scope, left)
        left.assert_taken()


def service_of(request: Request) -> Service:
    """The service of the application that answers."""
    found: Service = request.app.state.service
    return found


def show_tenant(connection: Connection, whose: Whose) -> None:
    """Let the rest of the transaction see this tenant and no other."""
    with translated():
        values = {"tenant_id": str(whose.tenant_id), "environment": whose.environment, "tenant": whose.tenant}
        connection.execute(query("api_tenant"), values)


def run_id_of(text: str) -> UUID:
    """A seed run's id; raises SeedRunNotFound for anything else."""
    try:
        return UUID(text)
    except ValueError:
        raise SeedRunNotFound("of that id") from None


def read_as(kind: type[Asked], body: bytes) -> Asked:
    """A body as the contract has it; raises RequestRejected."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise rejected(error, place="body") from None


def query_as(kind: type[Asked], request: Request) -> Asked:
    """The query as the contract has it; raises RequestRejected."""
    try:
        return kind.model_validate_strings(dict(request.query_params))
    except ValidationError as error:
        raise rejected(error, place="query") from None


def _whose(request: Request, tenant: str | None) -> Whose:
    found = request.headers.get(TENANT_HEADER)
    if tenant is not None and found not in (None, tenant):
        raise HeaderNotUsable(TENANT_HEADER, why="is not the tenant of the query")
    return Whose(
        tenant=_slug(TENANT_HEADER, tenant if found is None else found),
        environment=_slug(ENVIRONMENT_HEADER, request.headers.get(ENVIRONMENT_HEADER)),
    )


def _slug(name: str, text: str | None) -> str:
    if text is None:
        raise HeaderNotUsable(name, why="is missing")
    if not re.fullmatch(SLUG, text, re.ASCII):
        raise HeaderNotUsable(name, why="is no name of lower-case letters, digits and hyphens")
    return text

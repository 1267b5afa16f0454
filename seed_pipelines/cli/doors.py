"""What every command opens: the installation, and a database where there is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from seed_pipelines.control import migrations
from seed_pipelines.errors import PathOutsideManifests, SeedRunNotFound
from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.plan import Plan
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment


def installation_of() -> Installation:
    """The installation that the environment describes."""
    return Installation.of(from_environment())


def with_local_database(installation: Installation) -> Installation:
    """The same installation; without a SEED_DATABASE_URL, on the embedded server, started and migrated."""
    settings = installation.settings
    if settings.database_url is None:
        local = LocalDatabase(settings.home)
        local.start()
        settings = replace(settings, database_url=local.loader_url())
    return Installation.of(settings)


def is_local(installation: Installation) -> bool:
    """Whether the database is the embedded one of the installation's home."""
    local = LocalDatabase(installation.settings.home)
    return local.is_running() and installation.database_url() == local.loader_url()


def manifest_name(installation: Installation, given: str) -> str:
    """`manifests/dev/acme.yaml` or `dev/acme.yaml` → `dev/acme.yaml`; raises PathOutsideManifests."""
    root = installation.settings.manifests
    path = Path(given)
    for inside in (root, Path(root.name)):
        if path.is_relative_to(inside):
            return path.relative_to(inside).as_posix()
    absolute = path.absolute()
    if absolute.is_relative_to(root.absolute()):
        return absolute.relative_to(root.absolute()).as_posix()
    if path.is_absolute():
        raise PathOutsideManifests(given)
    return path.as_posix()


def plan_at(given: str) -> tuple[Plan, datetime]:
    """The plan of a manifest, and the moment at which it is looked at: this machine's, since nothing is decided."""
    installation = installation_of()
    plan = installation.plan(installation.manifest(manifest_name(installation, given)))
    return plan, datetime.now(UTC)


@contextmanager
def with_database() -> Iterator[Connection]:
    """The loader's connection to a database that is there and migrated."""
    with connected(installation_of().database_url(), application="seed-data") as connection:
        migrations.assert_applied(connection)
        yield connection


def run_id_of(text: str) -> UUID:
    """A seed run's id; raises SeedRunNotFound for anything else."""
    try:
        return UUID(text)
    except ValueError:
        raise SeedRunNotFound(text) from None

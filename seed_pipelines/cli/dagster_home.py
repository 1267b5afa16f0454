"""Dagster on this machine: an instance whose storage is the embedded PostgreSQL, as dagster.yaml says."""

import os
import shutil
from pathlib import Path

from seed_pipelines.errors import ProjectFileMissing
from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.session import Installation
from seed_pipelines.settings import Settings

INSTANCE_FILE = "dagster.yaml"
WORKSPACE_FILE = "workspace.yaml"


def has_instance_file() -> bool:
    """Whether the working directory is one of a checkout."""
    return Path(INSTANCE_FILE).is_file()


def use_local_instance(installation: Installation) -> None:
    """Point this process, and those that it starts, at the local instance and database. A door may: it owns them."""
    if os.environ.get("DAGSTER_HOME"):
        return
    if not has_instance_file():
        raise ProjectFileMissing(INSTANCE_FILE)
    home = installation.settings.home.absolute() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(INSTANCE_FILE, home / INSTANCE_FILE)
    local = LocalDatabase(installation.settings.home)
    if not local.is_running():
        # Our own tables may lie elsewhere; Dagster's storage is still the local server's.
        local.start()
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["SEED_DAGSTER_DATABASE_URL"] = local.dagster_url()


def publish_settings(settings: Settings) -> None:
    """The environment in which every worker of this process reads the same settings."""
    os.environ["SEED_HOME"] = str(settings.home.absolute())
    os.environ["SEED_MANIFESTS_DIR"] = str(settings.manifests.absolute())
    if settings.database_url:
        os.environ["SEED_DATABASE_URL"] = settings.database_url

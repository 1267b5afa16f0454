"""What the shell proposes after a Tab: manifests in the folder, and the newest seed runs. It never complains.

Nothing is loaded until then, and a database that does not answer at once proposes nothing.
"""

from collections.abc import Iterator
from typing import Any

_CONNECT_SECONDS = 2
_NEWEST = 20


def manifests(incomplete: str) -> Iterator[str]:
    """Paths of manifests, as the shell's own completion of files would have them."""
    from seed_pipelines.settings import from_environment

    folder = from_environment().manifests
    for path in sorted(folder.glob("*/*.yaml")):
        for name in (path.as_posix(), path.relative_to(folder).as_posix()):
            if name.startswith(incomplete):
                yield name
                break


def seed_runs(incomplete: str) -> Iterator[tuple[str, str]]:
    """Ids of the newest seed runs, each with what it is."""
    for run in _newest():
        if str(run["id"]).startswith(incomplete):
            yield str(run["id"]), f"{run['environment']}/{run['tenant']} {run['mode']}, {run['state']}"


def _newest() -> list[dict[str, Any]]:
    # Not through control/runs.py, which takes seconds to load: who presses Tab waits.
    from seed_pipelines.errors import SeedError
    from seed_pipelines.local_database import LocalDatabase
    from seed_pipelines.outside.postgres import connected, translated
    from seed_pipelines.settings import from_environment
    from seed_pipelines.sql import query

    settings = from_environment()
    local = LocalDatabase(settings.home)
    if settings.database_url is None and not local.is_running():
        return []
    url = settings.database_url or local.loader_url()
    everything = {"environment": None, "tenant": None, "limit": _NEWEST}
    try:
        with (
            connected(url, application="seed-data completion", connect_seconds=_CONNECT_SECONDS) as connection,
            translated(),
        ):
            return connection.execute(query("runs_recent"), everything).fetchall()
    except SeedError:
        return []

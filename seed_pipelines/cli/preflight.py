"""`seed-data preflight`: would a seed run of this manifest be let in now?"""

from typing import Annotated

import typer

from seed_pipelines.cli.runs import AsJson, ManifestPath
from seed_pipelines.errors import Refused

IgnoreWindow = Annotated[bool, typer.Option("--ignore-window", help="Pass over the window, as `run` does in dev.")]


def preflight(manifest: ManifestPath, ignore_window: IgnoreWindow = False, as_json: AsJson = False) -> None:
    """Every check that a seed run has to pass, and what to do about those that fail. No row is written.

    Exit code 3 says that a run would be refused now. Without SEED_DATABASE_URL the embedded PostgreSQL is started.

    Example: seed-data preflight manifests/dev/acme.yaml
    """
    from seed_pipelines.cli import check_table, doors, preflight_parts

    installation = doors.installation_of()
    plan = installation.plan(installation.manifest(doors.manifest_name(installation, manifest)))
    installation = doors.with_local_database(installation)
    results = [
        result
        for result in preflight_parts.examine(installation, plan)
        if not (ignore_window and result.check == preflight_parts.WINDOW.name)
    ]
    check_table.show(results, preflight_parts.CHECKS, as_json=as_json)
    if not all(result.ok for result in results):
        raise typer.Exit(Refused.exit_code)

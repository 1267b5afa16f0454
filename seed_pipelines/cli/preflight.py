"""`seed-data preflight`: would a seed run of this manifest be let in now?"""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from seed_pipelines.cli.runs import AsJson, ManifestPath
from seed_pipelines.errors import Refused

if TYPE_CHECKING:
    from seed_pipelines.load.checks import CheckResult

IgnoreWindow = Annotated[bool, typer.Option("--ignore-window", help="Pass over the window, as `run` does in dev.")]


def preflight(manifest: ManifestPath, ignore_window: IgnoreWindow = False, as_json: AsJson = False) -> None:
    """Every check that a seed run has to pass, and what to do about those that fail. No row is written.

    Exit code 3 says that a run would be refused now. Without SEED_DATABASE_URL the embedded PostgreSQL is started.

    Example: seed-data preflight manifests/dev/acme.yaml
    """
    from seed_pipelines.cli import doors, preflight_parts

    installation = doors.installation_of()
    plan = installation.plan(installation.manifest(doors.manifest_name(installation, manifest)))
    installation = doors.with_local_database(installation)
    results = [
        result
        for result in preflight_parts.examine(installation, plan)
        if not (ignore_window and result.check == preflight_parts.WINDOW.name)
    ]
    remedies = {check.name: check.remedy for check in preflight_parts.CHECKS}
    if as_json:
        _print_object(results, remedies)
    else:
        _print_table(results, remedies)
    if not all(result.ok for result in results):
        raise typer.Exit(Refused.exit_code)


def _print_object(results: list["CheckResult"], remedies: dict[str, str]) -> None:
    checks = [
        {"check": result.check, "ok": result.ok, "detail": result.detail, "remedy": remedies[result.check]}
        for result in results
    ]
    typer.echo(json.dumps({"ok": all(result.ok for result in results), "checks": checks}))


def _print_table(results: list["CheckResult"], remedies: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "", "what was found")
    for result in results:
        verdict = Text("ok", style="green") if result.ok else Text("refused", style="red")
        detail = result.detail if result.ok else f"{result.detail}\n→ {remedies[result.check]}"
        # Text, not markup: a finding may quote a name with brackets in it.
        table.add_row(result.check, verdict, Text(detail))
    Console().print(table)

"""What a row of checks found, for people and for programs: each that failed with what to do about it."""

import json
from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seed_pipelines.load.checks import Check, CheckResult


def show(results: Sequence[CheckResult], checks: Iterable[Check], *, as_json: bool) -> None:
    """One object, or a table."""
    remedies = {check.name: check.remedy for check in checks}
    if as_json:
        _print_object(results, remedies)
    else:
        _print_table(results, remedies)


def _print_object(results: Sequence[CheckResult], remedies: dict[str, str]) -> None:
    checks = [
        {"check": result.check, "ok": result.ok, "detail": result.detail, "remedy": remedies[result.check]}
        for result in results
    ]
    typer.echo(json.dumps({"ok": all(result.ok for result in results), "checks": checks}))


def _print_table(results: Sequence[CheckResult], remedies: dict[str, str]) -> None:
    table = Table("check", "", "what was found")
    for result in results:
        verdict = Text("ok", style="green") if result.ok else Text("refused", style="red")
        detail = result.detail if result.ok else f"{result.detail}\n→ {remedies[result.check]}"
        # Text, not markup: a finding may quote a name with brackets in it.
        table.add_row(result.check, verdict, Text(detail))
    Console().print(table)

"""`seed-data manifest`: write, seal, check, show and compare manifests. No database; no network but for --remote."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seed_pipelines.cli.manifest_files import Checked
    from seed_pipelines.manifest.compare import ManifestChange

app = typer.Typer(no_args_is_help=True)


class ProblemFormat(StrEnum):
    """How `check` reports."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


class ManifestMode(StrEnum):
    """The modes of the manifest contract, without loading it."""

    BASELINE = "baseline"
    CARGA = "carga"
    DR = "dr"
    CANARY = "canary"


ManifestPath = Annotated[Path, typer.Argument(help="A file <environment>/<tenant>.yaml.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]


@app.command("new")
def new(
    environment: Annotated[str, typer.Option(help="The folder that the manifest goes to.")],
    tenant: Annotated[str, typer.Option(help="The tenant; the file is named after it.")],
    mode: Annotated[ManifestMode, typer.Option(help="What the data are for.")],
) -> None:
    """Write a commented, sealed and valid manifest.

    Example: seed-data manifest new --environment dev --tenant acme --mode baseline
    """
    from seed_pipelines.cli.manifest_files import write_new
    from seed_pipelines.manifest.model import Mode

    typer.echo(f"wrote {write_new(environment, tenant, Mode(mode.value))}")


@app.command("seal")
def seal(
    paths: Annotated[list[Path], typer.Argument(help="Files <environment>/<tenant>.yaml.", show_default=False)],
) -> None:
    """Put the hash of each manifest right; every other character stays.

    A manifest with any other problem is not sealed. Example: seed-data manifest seal manifests/dev/acme.yaml
    """
    from seed_pipelines.cli.manifest_files import seal_file

    for path in paths:
        typer.echo(f"{path}: {'sealed' if seal_file(path) else 'was sealed already'}")


@app.command("check")
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; the manifests folder if none is named.")
    ] = None,
    format_: Annotated[ProblemFormat, typer.Option("--format", help="How to report.")] = ProblemFormat.TEXT,
    remote: Annotated[
        str | None, typer.Option(help="Ask the API at this address, with the token of SEED_API_TOKEN. Default: none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Check manifests; every problem is reported with its line and column, and makes the exit code 2.

    With --remote it is the API that decides, by its version, and by the plan that the manifest comes to there.

    Examples: seed-data manifest check manifests/dev --format github;
    seed-data manifest check --remote https://seed.example.com
    """
    if remote is not None:
        from seed_pipelines.cli.remote import check_there

        checked = check_there(remote, tuple(paths or ()))
    else:
        from seed_pipelines.cli.manifest_files import check_files

        checked = check_files(tuple(paths or ()))
    _report(checked, ProblemFormat.JSON if as_json else format_)
    if checked.problems:
        raise typer.Exit(2)


@app.command("show")
def show(path: ManifestPath, as_json: AsJson = False) -> None:
    """Print a valid manifest in its normal form: no comments, fields in the contract's order.

    Example: seed-data manifest show manifests/dev/acme.yaml --json
    """
    from seed_pipelines.cli.manifest_files import read_valid
    from seed_pipelines.manifest import normal_form

    data = read_valid(path).document.data
    typer.echo(normal_form.as_json(data) if as_json else normal_form.as_yaml(data), nl=as_json)


@app.command("diff")
def diff(old: ManifestPath, new: ManifestPath, as_json: AsJson = False) -> None:
    """Say what replacing OLD by NEW means: rows, cost, breaking or not, reseed needed or not.

    Exits with 2 where NEW would be refused as OLD's successor. Example: seed-data manifest diff old.yaml new.yaml
    """
    from seed_pipelines.cli.manifest_files import change_between

    change = change_between(old, new)
    typer.echo(_change_json(change) if as_json else _change_text(change))
    if change.problems:
        raise typer.Exit(2)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of manifests, for an editor or another validator.

    Example: seed-data manifest schema > seed-profile.schema.json
    """
    from seed_pipelines.manifest.schema import schema_text

    typer.echo(schema_text(), nl=False)


def _report(checked: "Checked", format_: ProblemFormat) -> None:
    from seed_pipelines.manifest.problem_formats import FORMATS

    report = FORMATS[format_](checked.problems)
    if report:
        typer.echo(report)
    if format_ is ProblemFormat.TEXT:
        count = f"{len(checked.sources)} manifest{'' if len(checked.sources) == 1 else 's'} checked"
        typer.echo(
            f"{count}: {len(checked.problems) or 'no'} problem{'' if len(checked.problems) == 1 else 's'}", err=True
        )


def _change_json(change: "ManifestChange") -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(change), indent=2, ensure_ascii=False)


def _change_text(change: "ManifestChange") -> str:
    lines = [
        f"breaking: {'yes' if change.breaking else 'no'}",
        f"reseed needed: {'yes' if change.reseed_needed else 'no'}",
        *(f"+ {rows} {entity}" for entity, rows in change.rows_added.items()),
        *(f"- {rows} {entity}" for entity, rows in change.rows_removed.items()),
        f"cost: R$ {_reais(change.cost_before_micro_brl)} -> R$ {_reais(change.cost_after_micro_brl)}",
        *(f"because {reason}" for reason in change.reasons),
        *(f"refused: {problem}" for problem in change.problems),
    ]
    return "\n".join(lines)


def _reais(micro_brl: int | None) -> str:
    return "unknown" if micro_brl is None else f"{micro_brl / 10**6:.2f}"

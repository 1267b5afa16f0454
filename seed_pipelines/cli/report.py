"""`seed-data report`: read a report, and verify it without the database, Vault or a network."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from seed_pipelines.evidence.canonical import Json
    from seed_pipelines.evidence.verify import Verification

app = typer.Typer(help="Read and verify the evidence of seed runs.", no_args_is_help=True)

DOUBT_EXIT_CODE = 4

_HEADLINES = (
    "run_id",
    "outcome",
    "environment",
    "tenant",
    "mode",
    "manifest_path",
    "manifest_version",
    "manifest_hash_sha256",
    "dataset_hash",
    "started_at",
    "finished_at",
    "otel_trace_id",
    "previous_report_hash",
    "statement",
)


@app.command()
def verify(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="Path, file:// or s3://. Several are one chain, oldest first."),
    ],
    public_key: Annotated[
        Path | None, typer.Option(help="PEM of the signing key.", envvar="SEED_REPORT_PUBLIC_KEY")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check that reports are whole, unchanged and signed. Exit code 4 on any doubt.

    Example: seed-data report verify report.json --public-key report-signing.pub.pem
    """
    from seed_pipelines.evidence.verify import verify_chain, verify_envelope
    from seed_pipelines.outside.report_store import read_report

    key = read_report(str(public_key)) if public_key is not None else None
    contents = [read_report(file) for file in files]
    found = [verify_envelope(content, public_key_pem=key) for content in contents]
    names = list(files)
    if len(files) > 1:
        names, found = [*names, "chain"], [*found, verify_chain(contents)]
    _print_verifications(dict(zip(names, found, strict=True)), as_json=as_json)
    if not all(verification.ok for verification in found):
        raise typer.Exit(DOUBT_EXIT_CODE)


@app.command()
def show(
    location: Annotated[str, typer.Argument(metavar="FILE", help="Path, file:// or s3://.")],
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots to this file, which needs nothing else.")
    ] = None,
) -> None:
    """Show a report to a person. This does not verify it.

    Example: seed-data report show report.json --html report.html
    """
    from rich.console import Console

    from seed_pipelines.evidence.verify import payload_of
    from seed_pipelines.outside.report_store import read_report

    payload = payload_of(read_report(location))
    if html is not None:
        from seed_pipelines.cli.report_page import page_of

        html.write_text(page_of(payload, location=location), encoding="utf-8")
        typer.echo(f"written to {html}")
        return
    console = Console()
    console.print(_summary(payload))
    console.print(_rows(payload))
    for error in _objects(payload, "errors"):
        console.print(f"{error.get('title')} {error.get('detail')}", style="red", markup=False)
    console.print(f"Nothing was verified. Verify it with: seed-data report verify {location}", markup=False)


def _print_verifications(found: "Mapping[str, Verification]", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({name: _as_object(verification) for name, verification in found.items()}, indent=2))
        return
    for name, verification in found.items():
        typer.echo(f"{name}: {'verified' if verification.ok else 'NOT VERIFIED'}")
        for check in verification.checks:
            typer.echo(f"  {'ok   ' if check.ok else 'DOUBT'} {check.name}: {check.detail}")


def _as_object(verification: "Verification") -> dict[str, object]:
    checks = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in verification.checks]
    return {"ok": verification.ok, "checks": checks}


def _summary(payload: "Mapping[str, Json]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for name in _HEADLINES:
        value = payload.get(name)
        table.add_row(Text(name, style="bold"), Text("not known" if value is None else str(value)))
    return table


def _rows(payload: "Mapping[str, Json]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("entity", "planned", "actual", "batches", title="Rows")
    planned, actual = _object(payload, "planned_rows"), _object(payload, "actual_rows")
    entities = [batch.get("entity") for batch in _objects(payload, "batches")]
    for entity in planned:
        cells = (entity, planned[entity], actual.get(entity, 0), entities.count(entity))
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _object(payload: "Mapping[str, Json]", name: str) -> "Mapping[str, Json]":
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}


def _objects(payload: "Mapping[str, Json]", name: str) -> "list[Mapping[str, Json]]":
    value = payload.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []

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
    "masking_key",
    "budget_usage",
    "rate_limit_usage",
    "slo",
    "telemetry",
    "flags",
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
    from seed_pipelines.errors import ReportNotFound
    from seed_pipelines.evidence.verify import verify_chain, verify_envelope
    from seed_pipelines.outside.report_store import read_report

    key = read_report(str(public_key)) if public_key is not None else None
    try:
        contents = [read_report(file) for file in files]
    except ReportNotFound as missing:
        if len(files) == 1:
            raise
        # A member of a chain that cannot be read is a gap, and no slip of the keyboard.
        typer.echo(f"chain: NOT VERIFIED\n  DOUBT readable: {missing}")
        raise typer.Exit(DOUBT_EXIT_CODE) from None
    found = [verify_envelope(content, public_key_pem=key) for content in contents]
    names = list(files)
    if len(files) > 1:
        names, found = [*names, "chain"], [*found, verify_chain(contents)]
    _print_verifications(dict(zip(names, found, strict=True)), as_json=as_json)
    if not all(verification.ok for verification in found):
        raise typer.Exit(DOUBT_EXIT_CODE)


@app.command("list")
def list_reports(
    environment: Annotated[str, typer.Option(help="The environment, such as staging.")],
    tenant: Annotated[str, typer.Option(help="The tenant, such as acme.")],
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array, for programs.")] = False,
) -> None:
    """Where a tenant's reports lie, in the order of their chain; those that wait are said on standard error.

    Example: seed-data report verify $(seed-data report list --environment staging --tenant acme)
    """
    from dataclasses import asdict

    from seed_pipelines.cli.doors import with_database
    from seed_pipelines.control.outbox import chain_of

    with with_database() as connection:
        chain = chain_of(connection, environment=environment, tenant=tenant)
    if as_json:
        typer.echo(json.dumps([asdict(report) for report in chain], default=str, indent=2))
        return
    for report in chain:
        if report.uri is None:
            typer.echo(f"waits since {report.queued_at:%Y-%m-%d %H:%M} UTC: {report.seed_run_id}", err=True)
        else:
            typer.echo(report.uri)


@app.command()
def show(
    location: Annotated[
        str, typer.Argument(metavar="FILE", help="Path, file:// or s3://; with --remote a seed run's id.")
    ],
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots to this file, which needs nothing else.")
    ] = None,
    environment: Annotated[str | None, typer.Option(help="With --remote: the seed run's environment.")] = None,
    tenant: Annotated[str | None, typer.Option(help="With --remote: the seed run's tenant.")] = None,
    remote: Annotated[
        str | None, typer.Option(help="Ask the API at this address, with the token of SEED_API_TOKEN. Default: none.")
    ] = None,
) -> None:
    """Show a report to a person. This does not verify it; with --remote the API did, before it gave it.

    Examples: seed-data report show report.json --html report.html;
    seed-data report show 0b9c… --environment dev --tenant acme --remote https://seed.example.com
    """
    from rich.console import Console

    from seed_pipelines.evidence.verify import local_keys_of, payload_of

    payload = payload_of(_content(location, remote=remote, environment=environment, tenant=tenant))
    if html is not None:
        from seed_pipelines.cli.report_page import page_of

        html.write_text(page_of(payload, location=location), encoding="utf-8")
        typer.echo(f"written to {html}")
        return
    console = Console()
    if local := local_keys_of(payload):
        console.print(f"LOCAL DEVELOPMENT KEY for {' and '.join(local)}: this report proves nothing", style="red")
    console.print(_summary(payload))
    console.print(_rows(payload))
    for error in _objects(payload, "errors"):
        console.print(f"{error.get('title')} {error.get('detail')}", style="red", markup=False)
    if remote is not None:
        console.print(f"Verified by the API at {remote}; here nothing was.", markup=False)
        return
    console.print(f"Nothing was verified. Verify it with: seed-data report verify {location}", markup=False)


def _content(location: str, *, remote: str | None, environment: str | None, tenant: str | None) -> bytes:
    """The report's bytes, from where they lie or from the API."""
    if remote is None:
        from seed_pipelines.outside.report_store import read_report

        return read_report(location)
    from seed_pipelines.cli.remote import report_there, whose

    return report_there(remote, location, whose(tenant, environment))


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
        table.add_row(Text(name, style="bold"), Text(_said(value)))
    return table


def _said(value: "Json") -> str:
    """A value for people; of an object its parts, each by its name."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items()) or "none"
    return "not known" if value is None else str(value)


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

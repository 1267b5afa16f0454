"""The commands about published datasets: `seed-data dataset …`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from seed_pipelines.control.purge import ListedDataset
    from seed_pipelines.errors import SeedError
    from seed_pipelines.outside.postgres import Connection

app = typer.Typer(no_args_is_help=True)

Environment = Annotated[str | None, typer.Option(help="Only this environment.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant.")]
Mode = Annotated[str | None, typer.Option(help="Only this mode: baseline, carga, dr or canary.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


@app.command("list")
def list_(environment: Environment = None, tenant: Tenant = None, mode: Mode = None, as_json: AsJson = False) -> None:
    """The published datasets, and when they expire.

    Example: seed-data dataset list --environment dev
    """
    from seed_pipelines.cli.doors import with_database
    from seed_pipelines.control import purge as purging

    with with_database() as connection:
        found = purging.listed(connection, environment=environment, tenant=tenant, mode=mode)
    if as_json:
        typer.echo(json.dumps({"datasets": [_plain(dataset) for dataset in found]}))
    else:
        _table(found)


@app.command()
def purge(
    environment: Environment = None,
    tenant: Tenant = None,
    mode: Mode = None,
    expired: Annotated[bool, typer.Option("--expired", help="Only datasets that expired.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go away, and take nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take published datasets away. Rows of other modes, and rows that the application made, stay.

    A dataset that other rows refer to stays too, and those rows are listed: exit code 3. With --expired alone, or with
    an environment, old checkpoints go as well, and a dataset whose tenant has a seed run at work waits: exit code 0.

    Examples: seed-data dataset purge --expired --yes; seed-data dataset purge --tenant acme --mode dr --dry-run
    """
    from seed_pipelines.cli.doors import with_database
    from seed_pipelines.control import purge as purging
    from seed_pipelines.errors import PurgeWithoutFilter

    if not (environment or tenant or mode or expired):
        raise PurgeWithoutFilter
    with with_database() as connection:
        found = purging.listed(connection, environment=environment, tenant=tenant, mode=mode, only_expired=expired)
        if found and not (dry_run or yes or as_json):
            typer.confirm(f"Purge {', '.join(str(dataset.name) for dataset in found)}?", abort=True)
        if expired and not (tenant or mode or dry_run):
            outcomes, beside = _hourly(connection, environment)
        else:
            beside = {}
            outcomes = [_outcome(connection, dataset, expired=expired, dry_run=dry_run) for dataset in found]
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "datasets": outcomes} | beside))
    else:
        _tell(outcomes, dry_run=dry_run)
        _tell_beside(beside)
    refused = [outcome["exit_code"] for outcome in outcomes if outcome["exit_code"]]
    if refused:
        raise typer.Exit(max(refused))


@app.command()
def profile(
    tenants: Annotated[list[str], typer.Argument(help="Tenants with published datasets, such as acme.")],
    environment: Environment = None,
    mode: Mode = None,
    html: Annotated[Path | None, typer.Option(help="Write one page with tables and plots to this file.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write a plot of each distribution into this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """What loaded datasets look like, beside what docs/reference/distributions.md says that they should.

    Only counts are read. A share may differ by four standard errors and half a point; states may not differ by a row.

    Examples: seed-data dataset profile globex; seed-data dataset profile globex --html profile.html
    """
    from seed_pipelines.cli import profiles

    found = list(profiles.profiles_of(tenants, environment=environment, mode=mode))
    if html is not None:
        profiles.write_page(found, html)
    if png is not None:
        profiles.write_plots(found, png)
    if as_json:
        typer.echo(profiles.as_json(found))
    elif html is None and png is None:
        profiles.show(found)


@app.command("open")
def open_(
    tenant: Annotated[str, typer.Argument(help="The tenant, such as acme.")],
    environment: Annotated[str, typer.Option(help="Only dev: the keys of other environments are not shown.")] = "dev",
    as_sql: Annotated[bool, typer.Option("--sql", help="Statements for a session that is open already.")] = False,
) -> None:
    """The tenant and the keys that open its personal columns, for psql: the output is secret.

    Example: PGOPTIONS="$(seed-data dataset open acme)" psql "$(seed-data db url --role seed_reader)"
    """
    from seed_pipelines.cli import opening

    settings = opening.session_settings(environment, tenant)
    typer.echo(opening.as_statements(settings) if as_sql else opening.as_options(settings))


def _hourly(connection: "Connection", environment: str | None) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What the schedule does every hour: each dataset, and how much went beside them."""
    from seed_pipelines.control.expired import purge_expired

    purged = purge_expired(connection, environment=environment)
    outcomes = [_said(each.dataset.name, each.rows, each.error, waits=each.waits) for each in purged.outcomes]
    return outcomes, {"checkpoints": purged.checkpoints, "seed_runs_ended": purged.ended, "api_rows": purged.api_rows}


def _outcome(connection: "Connection", dataset: "ListedDataset", *, expired: bool, dry_run: bool) -> dict[str, Any]:
    """One dataset: its rows, and why it stays where it does."""
    from seed_pipelines.control import purge as purging
    from seed_pipelines.errors import PurgeRefused, SeedError

    name = dataset.name
    try:
        if not dry_run:
            return _said(name, purging.purge(connection, name, reason="expired" if expired else "asked"))
        preview = purging.preview(connection, name)
        if preview.references:
            raise PurgeRefused(str(name), references=tuple(map(str, preview.references)))
        return _said(name, preview.rows)
    except SeedError as error:
        return _said(name, {}, error)


def _said(name: Any, rows: Any, error: "SeedError | None" = None, *, waits: bool = False) -> dict[str, Any]:
    return {
        "environment": name.environment,
        "tenant": name.tenant,
        "mode": name.mode,
        "rows": {entity: count for entity, count in rows.items() if count},
        "error": {"code": error.code, "message": str(error)} if error else None,
        "exit_code": error.exit_code if error and not waits else 0,
    }


def _tell(outcomes: list[dict[str, Any]], *, dry_run: bool) -> None:
    verb = "would purge" if dry_run else "purged"
    for outcome in outcomes:
        name = f"{outcome['environment']}/{outcome['tenant']} {outcome['mode']}"
        if outcome["error"]:
            typer.secho(f"{outcome['error']['code']}: {outcome['error']['message']}", fg="red", err=True)
        else:
            rows = ", ".join(f"{count:,} {entity}" for entity, count in outcome["rows"].items())
            typer.echo(f"{verb} {name}: {rows}")
    if not outcomes:
        typer.echo("nothing to purge")


def _tell_beside(beside: dict[str, int]) -> None:
    if any(beside.values()):
        typer.echo(f"deleted {beside['checkpoints']:,} old checkpoints and {beside['api_rows']:,} old rows of the API")
    if beside.get("seed_runs_ended"):
        typer.echo(f"ended {beside['seed_runs_ended']:,} seed runs that stopped too long ago")


def _table(found: "list[ListedDataset]") -> None:
    from rich.console import Console
    from rich.table import Table

    if not found:
        typer.echo("no datasets yet: publish one with `seed-data run manifests/dev/acme.yaml`")
        return
    table = Table("dataset", "version", "generation", "published", "expires", "dataset hash")
    for dataset in found:
        expires = f"{dataset.expires_at:%Y-%m-%d %H:%M}" if dataset.expires_at else "never"
        table.add_row(
            str(dataset.name),
            dataset.manifest_version,
            str(dataset.generation),
            f"{dataset.published_at:%Y-%m-%d %H:%M}",
            expires + (" (expired)" if dataset.is_expired else ""),
            dataset.dataset_hash[:12],
        )
    Console().print(table)


def _plain(dataset: "ListedDataset") -> dict[str, Any]:
    return {
        "environment": dataset.name.environment,
        "tenant": dataset.name.tenant,
        "mode": dataset.name.mode,
        "generation": dataset.generation,
        "seed_run_id": str(dataset.seed_run_id),
        "manifest_version": dataset.manifest_version,
        "dataset_hash": dataset.dataset_hash,
        "published_at": dataset.published_at.isoformat(),
        "expires_at": dataset.expires_at.isoformat() if dataset.expires_at else None,
        "is_expired": dataset.is_expired,
    }

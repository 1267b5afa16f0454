"""The commands about seed runs: plan, run, status, cancel."""

import json
from typing import Annotated

import typer

ManifestPath = Annotated[
    str, typer.Argument(help="The manifest, by its path: manifests/dev/acme.yaml, or dev/acme.yaml.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


def plan(manifest: ManifestPath, as_json: AsJson = False) -> None:
    """What a manifest means: rows, shards, batches, cost. Nothing is written.

    Example: seed-data plan manifests/dev/acme.yaml
    """
    from seed_pipelines.cli import show
    from seed_pipelines.cli.doors import installation_of, manifest_name

    installation = installation_of()
    found = installation.plan(installation.manifest(manifest_name(installation, manifest)))
    if as_json:
        typer.echo(json.dumps(show.plan_object(found)))
    else:
        show.plan_table(found)


def run(
    manifest: ManifestPath,
    shard: Annotated[str | None, typer.Option(help="Only this shard, such as 0002. Default: all of them.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key runs once. Default: the manifest's hash.")
    ] = None,
    reseed: Annotated[bool, typer.Option("--reseed", help="A new seed run, though the dataset is there.")] = False,
    wait_for_window: Annotated[
        bool, typer.Option("--wait-for-window", help="Sleep until the manifest's window opens.")
    ] = False,
    ignore_window: Annotated[
        bool, typer.Option("--ignore-window", help="Pass over the window; only in environment dev.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a manifest through its Dagster job, and wait for the end.

    The same command goes on where a stopped run was: nothing is written twice.

    Examples: seed-data run manifests/dev/acme.yaml --ignore-window; seed-data run dev/globex.yaml --shard 0002
    """
    from seed_pipelines.cli.run_command import Wish, run_manifest

    wish = Wish(
        shard=shard,
        idempotency_key=idempotency_key,
        reseed=reseed,
        wait_for_window=wait_for_window,
        ignore_window=ignore_window,
    )
    raise typer.Exit(run_manifest(manifest, wish, as_json=as_json))


def status(
    seed_run: Annotated[str | None, typer.Argument(help="A seed run's id. Default: the newest runs.")] = None,
    environment: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """The newest seed runs, or one of them with its shards and rows.

    Examples: seed-data status --tenant acme; seed-data status 0b9c…
    """
    from seed_pipelines.cli import show
    from seed_pipelines.cli.doors import run_id_of, with_database
    from seed_pipelines.control import checkpoints, runs

    with with_database() as connection:
        if seed_run is None:
            found = runs.recent(connection, environment=environment, tenant=tenant)
            show.runs(found, as_json=as_json)
            return
        one = runs.find(connection, run_id_of(seed_run))
        shards = runs.shards_of(connection, one.id)
        show.one_run(one, shards, checkpoints.progress(connection, one.id), as_json=as_json)


def cancel(
    seed_run: Annotated[str, typer.Argument(help="The seed run's id, from `seed-data status`.")],
    as_json: AsJson = False,
) -> None:
    """Stop a seed run at its next batch; the published dataset stays as it was.

    Example: seed-data cancel 0b9c…
    """
    from seed_pipelines import flow
    from seed_pipelines.cli.doors import run_id_of, with_database

    with with_database() as connection:
        run_after = flow.cancel(connection, run_id_of(seed_run))
    if as_json:
        typer.echo(json.dumps({"seed_run_id": str(run_after.id), "state": run_after.state.value}))
    elif run_after.is_finished:
        typer.echo(f"seed run {run_after.id} is {run_after.state}")
    else:
        typer.echo(f"seed run {run_after.id} stops at its next batch")

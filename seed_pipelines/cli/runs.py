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
    from seed_pipelines.cli.doors import plan_at
    from seed_pipelines.plan_summary import summary_of

    found, now = plan_at(manifest)
    if as_json:
        typer.echo(json.dumps(summary_of(found, now=now)))
    else:
        show.plan_table(found, now=now)


def explain(manifest: ManifestPath) -> None:
    """What a run of this manifest will do, step by step, in words. Nothing is written.

    Example: seed-data explain manifests/dev/acme.yaml
    """
    from seed_pipelines.cli.doors import plan_at
    from seed_pipelines.plan_summary import explanation_of

    found, now = plan_at(manifest)
    for number, paragraph in enumerate(explanation_of(found, now=now), start=1):
        typer.echo(f"{number:2}. {paragraph}")


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
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait up to five minutes where the tenant or the environment is busy.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go through all of it, roll it back, and say what a run would do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a manifest through its Dagster job, and wait for the end.

    The same command goes on where a stopped run was: nothing is written twice. With --dry-run nothing is kept: no seed
    run, no checkpoint, no report, and no key, window or store is asked for.

    Examples: seed-data run manifests/dev/acme.yaml --ignore-window; seed-data run dev/globex.yaml --shard 0002
    """
    if dry_run:
        from seed_pipelines.cli.dry_run import rehearse_manifest

        rehearse_manifest(manifest, as_json=as_json)
        return
    from seed_pipelines.cli.run_command import Wish, run_manifest

    wish = Wish(
        shard=shard,
        idempotency_key=idempotency_key,
        reseed=reseed,
        wait_for_window=wait_for_window,
        ignore_window=ignore_window,
        wait=wait,
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
    from seed_pipelines.control import budget, checkpoints, runs

    with with_database() as connection:
        if seed_run is None:
            found = runs.recent(connection, environment=environment, tenant=tenant)
            show.runs(found, as_json=as_json)
            return
        one = runs.find(connection, run_id_of(seed_run))
        shards = runs.shards_of(connection, one.id)
        spending = budget.spending_of(connection, one)
        show.one_run(one, shards, checkpoints.rows_of(connection, one), spending=spending, as_json=as_json)


def queue(
    environment: Annotated[str | None, typer.Option(help="Only this environment.")] = None, as_json: AsJson = False
) -> None:
    """Who waits for a busy tenant or environment, who waited, how long, and why it ended.

    Example: seed-data queue --environment staging
    """
    from seed_pipelines.cli import show
    from seed_pipelines.cli.doors import with_database
    from seed_pipelines.control import queue as waits

    with with_database() as connection:
        show.waits(waits.recent(connection, environment=environment), as_json=as_json)


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

"""The commands about seed runs: plan, run, status, watch, cancel. Some of them work over HTTP too."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from seed_pipelines.cli import completion
from seed_pipelines.settings import from_environment

if TYPE_CHECKING:
    from seed_pipelines.control.runs import SeedRun

ManifestPath = Annotated[
    str,
    typer.Argument(
        help="The manifest, by its path: manifests/dev/acme.yaml, or dev/acme.yaml.",
        autocompletion=completion.manifests,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
Remote = Annotated[
    str | None,
    typer.Option(help="Ask the API at this address, with the token of SEED_API_TOKEN. Default: SEED_API_URL, if set."),
]
SeedRunId = Annotated[
    str, typer.Argument(help="The seed run's id, from `seed-data status`.", autocompletion=completion.seed_runs)
]
Environment = Annotated[str | None, typer.Option(help="Only this environment.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant.")]
ItsEnvironment = Annotated[str | None, typer.Option("--environment", help="With --remote: the seed run's environment.")]
ItsTenant = Annotated[str | None, typer.Option("--tenant", help="With --remote: the seed run's tenant.")]


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
    workers: Annotated[int, typer.Option(min=1, help="How many shards to run at once, in a process each.")] = 2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go through all of it, roll it back, and say what a run would do.")
    ] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> None:
    """Run a manifest through its Dagster job, and wait for the end.

    The same command goes on where a stopped run was: nothing is written twice. With --dry-run nothing is kept: no seed
    run, no checkpoint, no report, and no key, window or store is asked for.

    With --remote it is the API that launches the job, by the manifest that it has; what comes is as `watch` shows it.

    Examples: seed-data run manifests/dev/acme.yaml --ignore-window; seed-data run dev/globex.yaml --shard 0002;
    seed-data run dev/acme.yaml --remote https://seed.example.com
    """
    url = _remote(remote)
    if dry_run and url is None:
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
        workers=workers,
    )
    if url is not None:
        from seed_pipelines.cli.remote import run_there

        raise typer.Exit(run_there(url, manifest, wish, dry_run=dry_run, as_json=as_json))
    raise typer.Exit(run_manifest(manifest, wish, as_json=as_json))


def status(
    seed_run: Annotated[
        str | None,
        typer.Argument(help="A seed run's id. Default: the newest runs.", autocompletion=completion.seed_runs),
    ] = None,
    environment: Environment = None,
    tenant: Tenant = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> None:
    """The newest seed runs, or one of them with its shards and rows.

    Over HTTP they are those of one tenant and environment, which have to be named.

    Examples: seed-data status --tenant acme; seed-data status 0b9c…;
    seed-data status --remote https://seed.example.com --environment dev --tenant acme
    """
    if (url := _remote(remote)) is not None:
        from seed_pipelines.cli.remote import status_there, whose

        status_there(url, seed_run, whose(tenant, environment), as_json=as_json)
        return
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
        batches = checkpoints.batch_states(connection, one.id)
        whole = show.run_object(one, shards, checkpoints.rows_of(connection, one), spending=spending) | {
            "batches": batches
        }
    show.one_run(whole, as_json=as_json)


def watch(
    seed_run: SeedRunId,
    environment: ItsEnvironment = None,
    tenant: ItsTenant = None,
    remote: Remote = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, for programs.")] = False,
) -> None:
    """Follow a seed run to its end, whoever launched it: rows, rows/s, batches, time left, budget, window.

    The exit code says how it ended: 0 published, 5 cancelled or paused, else that of its error. Ending `watch` with
    Ctrl-C does not stop the seed run.

    Examples: seed-data watch 0b9c…; seed-data watch 0b9c… --json | jq .rows_per_second;
    seed-data watch 0b9c… --remote https://seed.example.com --environment dev --tenant acme
    """
    if (url := _remote(remote)) is not None:
        from seed_pipelines.cli.remote import watch_there, whose

        raise typer.Exit(watch_there(url, seed_run, whose(tenant, environment), as_json=as_json))
    from seed_pipelines.cli.doors import installation_of
    from seed_pipelines.cli.watch import follow, local_sightings

    raise typer.Exit(follow(local_sightings(installation_of(), seed_run), as_json=as_json))


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
    seed_run: SeedRunId,
    environment: ItsEnvironment = None,
    tenant: ItsTenant = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> None:
    """Stop a seed run at its next batch; the published dataset stays as it was.

    Examples: seed-data cancel 0b9c…;
    seed-data cancel 0b9c… --remote https://seed.example.com --environment dev --tenant acme
    """
    from seed_pipelines.api.contract import FINISHED

    if (url := _remote(remote)) is not None:
        from seed_pipelines.cli.remote import cancel_there, whose

        found, state = cancel_there(url, seed_run, whose(tenant, environment))
    else:
        run_after = _cancel_here(seed_run)
        found, state = run_after.id, run_after.state.value
    if as_json:
        typer.echo(json.dumps({"seed_run_id": str(found), "state": state}))
    elif state in FINISHED:
        typer.echo(f"seed run {found} is {state}")
    else:
        typer.echo(f"seed run {found} stops at its next batch")


def _cancel_here(seed_run: str) -> "SeedRun":
    from seed_pipelines import flow
    from seed_pipelines.cli.doors import installation_of, run_id_of, with_database
    from seed_pipelines.control.endings import ending_of
    from seed_pipelines.session import say_ended

    with with_database() as connection:
        run = flow.cancel(connection, run_id_of(seed_run))
        ending = ending_of(connection, run.id) if run.is_finished else None
    if ending is not None:
        # Nobody was at work, so no worker says it.
        say_ended(installation_of(), ending)
    return run


def _remote(given: str | None) -> str | None:
    """The API's address, or None: this installation's own database."""
    return given or from_environment().api_url

"""`seed-data`: the commands, and how their errors become messages and exit codes.

0 done, 2 bad input, 3 refused by a precondition, 4 failed, 5 cancelled or paused.
"""

import gc
import json
import sys
from typing import Annotated

import typer

from seed_pipelines.cli import (
    dataset,
    db,
    dead_letters,
    doctor,
    dr,
    keys,
    lending,
    manifest,
    mapping,
    preflight,
    report,
    runs,
    token,
)
from seed_pipelines.errors import SeedError

app = typer.Typer(
    name="seed-data",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Believable, masked, repeatable data for a multi-tenant lending platform, from versioned manifests.",
)
app.add_typer(manifest.app, name="manifest", help="Write, seal and check manifests.")
app.add_typer(mapping.app, name="mapping", help="Fill an application's own tables: check the mapping, print grants.")
app.add_typer(dataset.app, name="dataset", help="List and purge the published datasets.")
app.add_typer(dead_letters.app, name="dead-letters", help="Batches that were given up: list and retry.")
app.add_typer(dr.app, name="dr", help="Recovery drills: RPO and RTO of a dr dataset.")
app.add_typer(report.app, name="report", help="Show and verify the signed reports.")
app.add_typer(keys.app, name="keys", help="Look at and rotate the keys that mask and sign.")
app.add_typer(lending.app, name="lending", help="The official calculation of loans, as a service.")
app.add_typer(db.app, name="db", help="The database: roles, migrations, the embedded server.")
app.command("plan")(runs.plan)
app.command("explain")(runs.explain)
app.command("preflight")(preflight.preflight)
app.command("run")(runs.run)
app.command("status")(runs.status)
app.command("watch")(runs.watch)
app.command("cancel")(runs.cancel)
app.command("queue")(runs.queue)
app.command("token")(token.token)
app.command("doctor")(doctor.doctor)

Port = Annotated[int, typer.Option(help="Where Dagster's UI listens, on 127.0.0.1.")]


ApiPort = Annotated[int, typer.Option(help="Where the API listens, on 127.0.0.1.")]


@app.command("dev")
def dev(port: Port = 3000, api_port: ApiPort = 8000) -> None:
    """Embedded PostgreSQL, Dagster's UI and its daemon, and the API, until Ctrl-C.

    Example: seed-data dev --port 3000, then open http://127.0.0.1:3000 and launch a job's partitions.
    """
    from seed_pipelines.cli.dev_server import serve

    serve(port=port, api_port=api_port)


@app.command("api")
def api(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
) -> None:
    """The HTTP API, until Ctrl-C; it launches runs by the Dagster that SEED_DAGSTER_URL names.

    Example: seed-data api --port 8000, then open http://127.0.0.1:8000/docs.
    """
    from seed_pipelines.cli.api_server import serve

    serve(host=host, port=port)


# What a command imports stays until it ends: looking for garbage in it, over and over and once more at the end, takes
# as long as a short command does.
_COLLECT_EVERY = 100_000


def main() -> None:
    """Run one command; an error of ours is a message and an exit code, never a traceback."""
    gc.set_threshold(_COLLECT_EVERY)
    try:
        app()
    except SeedError as error:
        _report(error)
        sys.exit(error.exit_code)
    finally:
        gc.freeze()


def _report(error: SeedError) -> None:
    if "--json" in sys.argv:
        typer.echo(json.dumps({"error": {"code": error.code, "message": str(error), "retryable": error.retryable}}))
    else:
        typer.secho(f"{error.code}: {error}", fg="red", err=True)

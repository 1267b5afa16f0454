"""`seed-data dr`: recovery drills, with what they show about RPO and RTO."""

import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from seed_pipelines.cli.runs import AsJson, ManifestPath

if TYPE_CHECKING:
    from seed_pipelines.control.purge import DatasetName
    from seed_pipelines.control.recovery import Recovery
    from seed_pipelines.plan import Plan
    from seed_pipelines.session import Installation

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Recovery drills."""


@app.command()
def rehearse(
    manifest: ManifestPath,
    ignore_window: Annotated[
        bool, typer.Option("--ignore-window", help="Pass over the window; only in environment dev.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the dataset is taken away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a dr dataset away, build it anew, and report RPO and RTO. Exit code 4 where an objective was missed.

    The summary of the run goes to standard error.

    Example: seed-data dr rehearse manifests/staging/acme.yaml --yes
    """
    from seed_pipelines.cli import doors
    from seed_pipelines.cli.run_command import Wish, assert_possible, run_manifest

    asked = doors.installation_of()
    plan = _drill_at(asked, manifest)
    key = _without_dataset(doors.with_local_database(asked), plan, yes=yes or as_json, ignore_window=ignore_window)
    wish = Wish(
        shard=None,
        idempotency_key=key,
        reseed=True,
        wait_for_window=False,
        ignore_window=ignore_window,
        wait=False,
    )
    assert_possible(plan, wish)
    with redirect_stdout(sys.stderr):
        exit_code = run_manifest(manifest, wish, as_json=as_json)
    if exit_code:
        raise typer.Exit(exit_code)
    _report(_measured(doors.with_local_database(asked), plan, key), as_json=as_json)


def _drill_at(installation: "Installation", manifest: str) -> "Plan":
    from seed_pipelines.cli import doors
    from seed_pipelines.errors import NotADrill
    from seed_pipelines.manifest.model import Mode

    path = doors.manifest_name(installation, manifest)
    plan = installation.plan(installation.manifest(path))
    if plan.manifest.mode is not Mode.DR:
        raise NotADrill(path, mode=plan.manifest.mode.value)
    return plan


def _without_dataset(installation: "Installation", plan: "Plan", *, yes: bool, ignore_window: bool) -> str:
    """Purge the dataset where there is one; returns the key of the seed run that puts it back."""
    from uuid import uuid4

    from seed_pipelines.control import purge, recovery, runs
    from seed_pipelines.errors import OutsideWindow
    from seed_pipelines.outside.postgres import connected

    name = _name_of(plan)
    window = plan.manifest.window
    with connected(installation.database_url(), application="seed-data") as connection:
        now = runs.database_now(connection)
        if not (ignore_window or window.is_open(now)):
            # Asked before the dataset is taken away: a run that is refused could not put it back.
            raise OutsideWindow(str(window), now=now, opens=window.next_opening(now))
        if not purge.listed(connection, environment=name.environment, tenant=name.tenant, mode=name.mode):
            return f"rehearsal:{uuid4()}"
        if not yes:
            typer.confirm(f"Take {name} away and build it anew?", abort=True)
        purge.purge(connection, name, reason="asked")
        return recovery.rehearsal_key(connection, name)


def _measured(installation: "Installation", plan: "Plan", key: str) -> "Recovery":
    from seed_pipelines.control import recovery, runs
    from seed_pipelines.errors import SeedRunNotFound
    from seed_pipelines.outside.postgres import connected

    name = _name_of(plan)
    with connected(installation.database_url(), application="seed-data") as connection:
        run = runs.find_by_key(connection, environment=name.environment, tenant=name.tenant, key=key)
        if run is None:
            raise SeedRunNotFound(key)
        return recovery.recovery_of(connection, run)


def _report(measured: "Recovery", *, as_json: bool) -> None:
    from seed_pipelines.control.recovery import RPO_OBJECTIVE_MS, RTO_OBJECTIVE_MS
    from seed_pipelines.errors import RecoveryMissed

    if as_json:
        found = {
            "rpo_ms": measured.rpo_ms,
            "rpo_objective_ms": RPO_OBJECTIVE_MS,
            "rto_ms": measured.rto_ms,
            "rto_objective_ms": RTO_OBJECTIVE_MS,
            "holds": measured.holds,
        }
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"RPO  {measured.rpo_ms / 1000:,.1f} s of {RPO_OBJECTIVE_MS // 1000:,} s")
        typer.echo(f"RTO  {measured.rto_ms / 1000:,.1f} s of {RTO_OBJECTIVE_MS // 1000:,} s")
    if not measured.holds:
        if as_json:
            raise typer.Exit(RecoveryMissed.exit_code)
        raise RecoveryMissed(rpo_ms=measured.rpo_ms, rto_ms=measured.rto_ms)


def _name_of(plan: "Plan") -> "DatasetName":
    from seed_pipelines.control.purge import DatasetName

    metadata = plan.manifest.metadata
    return DatasetName(environment=metadata.environment, tenant=metadata.tenant, mode=plan.manifest.mode.value)

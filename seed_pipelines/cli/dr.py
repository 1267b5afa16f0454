"""`seed-data dr`: recovery drills, with what they show about RPO and RTO."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from seed_pipelines.cli.runs import AsJson, ManifestPath

if TYPE_CHECKING:
    from seed_pipelines.control.purge import DatasetName
    from seed_pipelines.control.recovery import Recovery
    from seed_pipelines.outside.postgres import Connection
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
    wish = Wish(
        shard=None,
        idempotency_key=None,
        reseed=True,
        wait_for_window=False,
        ignore_window=ignore_window,
        # Whoever took the free slot meanwhile is waited for: the dataset is gone by then.
        wait=True,
    )
    assert_possible(plan, wish)
    installation = doors.with_local_database(asked)
    key = _without_dataset(installation, plan, yes=yes or as_json, ignore_window=ignore_window)
    with redirect_stdout(sys.stderr):
        exit_code = run_manifest(manifest, replace(wish, idempotency_key=key), as_json=as_json)
    if exit_code:
        raise typer.Exit(exit_code)
    _report(_measured(installation, plan, key), as_json=as_json)


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
    """Purge the dataset where there is one; returns the key of the seed run that puts it back.

    Whatever would refuse that seed run is asked before: then nothing was taken away.
    """
    from seed_pipelines.control import purge, recovery
    from seed_pipelines.generate.version import GENERATOR_VERSION
    from seed_pipelines.outside.postgres import connected

    name = _name_of(plan)
    with connected(installation.database_url(), application="seed-data") as connection:
        if purge.listed(connection, environment=name.environment, tenant=name.tenant, mode=name.mode):
            if not yes:
                typer.confirm(f"Take {name} away and build it anew?", abort=True)
            _assert_let_in(installation, plan, connection, ignore_window=ignore_window)
            purge.purge(connection, name, reason="asked")
        manifest_hash = plan.manifest.manifest_hash
        return recovery.rehearsal_key(
            connection, name, manifest_hash=manifest_hash, generator_version=GENERATOR_VERSION
        )


def _assert_let_in(
    installation: "Installation", plan: "Plan", connection: "Connection", *, ignore_window: bool
) -> None:
    """Raises what a seed run would be refused with now: its window, its turn, and all of its preflight."""
    from seed_pipelines.cli import preflight_parts
    from seed_pipelines.control import lease, runs
    from seed_pipelines.errors import DrillRefused, OutsideWindow
    from seed_pipelines.session import oracle_of

    name, window, now = _name_of(plan), plan.manifest.window, runs.database_now(connection)
    if not (ignore_window or window.is_open(now)):
        raise OutsideWindow(str(window), now=now, opens=window.next_opening(now))
    lease.assert_room(connection, environment=name.environment, tenant=name.tenant)
    with oracle_of(installation.settings):
        pass
    found = tuple(
        f"{result.check} ({result.detail})"
        for result in preflight_parts.examine(installation, plan)
        # What had to be said about the window was said above.
        if not result.ok and result.check != preflight_parts.WINDOW.name
    )
    if found:
        raise DrillRefused(str(name), found=found)


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
    from seed_pipelines.errors import RecoveryMissed
    from seed_pipelines.objectives import RPO_OBJECTIVE_MS, RTO_OBJECTIVE_MS

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
        rpo = "unknown" if measured.rpo_ms is None else f"{measured.rpo_ms / 1000:,.1f} s"
        typer.echo(f"RPO  {rpo} of {RPO_OBJECTIVE_MS // 1000:,} s")
        typer.echo(f"RTO  {measured.rto_ms / 1000:,.1f} s of {RTO_OBJECTIVE_MS // 1000:,} s")
    if not measured.holds:
        if as_json:
            raise typer.Exit(RecoveryMissed.exit_code)
        raise RecoveryMissed(rpo_ms=measured.rpo_ms, rto_ms=measured.rto_ms)


def _name_of(plan: "Plan") -> "DatasetName":
    from seed_pipelines.control.purge import DatasetName

    metadata = plan.manifest.metadata
    return DatasetName(environment=metadata.environment, tenant=metadata.tenant, mode=plan.manifest.mode.value)

"""How a run ended, on one screen or as one JSON object."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from seed_pipelines.control import checkpoints, outbox, runs
from seed_pipelines.control.runs import RunState, SeedRun
from seed_pipelines.outside.postgres import Connection
from seed_pipelines.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that did not go well."""

    code: str
    message: str
    exit_code: int


def show_failure(ended: Ended, run: SeedRun | None, *, as_json: bool) -> int:
    """Say why, and how to go on; returns the exit code."""
    if as_json:
        found = {"code": ended.code, "message": ended.message}
        print(json.dumps({"seed_run_id": str(run.id) if run else None, "error": found}))  # noqa: T201
    else:
        console = Console(stderr=True)
        console.print(f"[red]{ended.code}[/]: {ended.message}", soft_wrap=True, highlight=False)
        if run is not None and not run.is_finished:
            console.print(f"seed run {run.id} is {run.state}; the same command goes on with it", highlight=False)
    return ended.exit_code


def show(connection: Connection, plan: Plan, run: SeedRun, *, seconds: float | None, as_json: bool) -> None:
    """The end of a run; `seconds` is None where nothing had to be done."""
    actual = checkpoints.rows_of(connection, run)
    place = outbox.place_of(connection, run.id)
    report = place.uri if place else None
    if as_json:
        whole = {
            "seed_run_id": str(run.id),
            "state": run.state.value,
            "nothing_to_do": seconds is None,
            "rows": {entity: {"planned": run.planned_rows[entity], "actual": actual[entity]} for entity in actual},
            "rows_per_second": round(sum(actual.values()) / seconds) if seconds else None,
            "seconds": round(seconds, 3) if seconds else None,
            "dataset_hash": run.dataset_hash,
            "report": report,
        }
        print(json.dumps(whole))  # noqa: T201
        return
    console = Console(highlight=False)
    if seconds is None:
        console.print(f"nothing to do: {run.manifest_path} is published, by seed run {run.id}", soft_wrap=True)
    _table(console, run, actual, seconds)
    if run.state is not RunState.PUBLISHED:
        waiting = run.shards - sum(1 for shard in runs.shards_of(connection, run.id) if shard.state == "done")
        console.print(f"not published yet: {waiting} of {run.shards} shards are not in")
        return
    console.print(f"dataset hash  {run.dataset_hash}", soft_wrap=True)
    console.print(
        f"report        {report or 'waits for the store; `seed-data status` says when it is written'}", soft_wrap=True
    )
    console.print(f"look at it    {_look_of(plan, run)}", soft_wrap=True)


def _table(console: Console, run: SeedRun, actual: dict[str, int], seconds: float | None) -> None:
    table = Table(title=f"{run.environment}/{run.tenant}: {run.mode} {run.manifest_version}")
    for heading in ("entity", "planned", "actual"):
        table.add_column(heading, justify="left" if heading == "entity" else "right")
    for entity, rows in actual.items():
        table.add_row(entity, f"{run.planned_rows[entity]:,}", f"{rows:,}")
    console.print(table)
    total = sum(actual.values())
    if seconds:
        console.print(f"rows          {total:,} in {seconds:.1f} s, {total / seconds:,.0f} rows/s from start to end")


def _look_of(plan: Plan, run: SeedRun) -> str:
    """How to see the rows: where they lie in an application's tables, it is the application's roles that read them."""
    mapping = plan.mapping
    if mapping is None:
        return _psql_line(plan, run)
    value = mapping.tenant_value(run.environment, run.tenant, tenant_id=run.tenant_id)
    table = mapping.entities[mapping.ordered[-1]].table
    return f"as the application: SET {mapping.tenant.setting} = '{value}'; TABLE {mapping.schema_name}.{table} LIMIT 5"


def _psql_line(plan: Plan, run: SeedRun) -> str:
    """The application's view of the data: row-level security shows the tenant's rows and no other."""
    entity = "loans" if "loans" in plan.rows else next(iter(plan.rows))
    program = Path(sys.argv[0])
    command = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    select = shlex.quote(f"TABLE app.{entity} LIMIT 5")
    return f'PGOPTIONS="-c app.tenant_id={run.tenant_id}" psql "$({command} db url)" -c {select}'

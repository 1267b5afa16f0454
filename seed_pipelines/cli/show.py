"""What people and programs see of plans and seed runs: tables in a terminal, one JSON object otherwise."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from seed_pipelines.control.budget import Spending
from seed_pipelines.control.queue import Wait
from seed_pipelines.control.runs import SeedRun, ShardState
from seed_pipelines.plan import Plan
from seed_pipelines.plan_summary import batches_of, estimated_seconds

_WIDE = 110


def plan_table(plan: Plan, *, now: datetime) -> None:
    """The plan for people."""
    metadata, window = plan.manifest.metadata, plan.manifest.window
    table = Table(title=f"{metadata.environment}/{metadata.tenant}: {plan.manifest.mode.value} {metadata.version}")
    table.add_column("entity")
    table.add_column("rows", justify="right")
    table.add_column("batches", justify="right")
    for entity, rows in plan.rows.items():
        table.add_row(entity, f"{rows:,}", f"{batches_of(plan, entity):,}")
    table.add_row("total", f"{plan.total_rows:,}", f"{plan.total_batches:,}", style="bold")
    console = Console(highlight=False)
    console.print(table)
    budget = plan.manifest.budget.cost_cap_micro_brl
    opening = "open now" if window.is_open(now) else f"opens at {window.next_opening(now):%Y-%m-%d %H:%M} UTC"
    console.print(f"shards     {len(plan.shards)}, published by {plan.publisher.value}")
    console.print(f"stored     about {plan.stored_bytes / 2**20:,.1f} MiB")
    console.print(f"time       about {estimated_seconds(plan):,} s with one worker")
    console.print(f"cost       R$ {plan.cost_micro_brl / 10**6:,.6f} of R$ {budget / 10**6:,.2f}")
    console.print(f"window     {window} UTC, {opening}")


def runs(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Seed runs, newest first."""
    if as_json:
        Console(soft_wrap=True).print_json(json.dumps([_plain(row) for row in found]))
        return
    if not found:
        Console().print("no seed runs yet: start one with `seed-data run manifests/dev/acme.yaml`")
        return
    console = Console()
    # The id is shown whole, since other commands ask for it; what else there is room for.
    table = Table(Column("seed run", no_wrap=True, min_width=36), "manifest", "state", "started", box=SIMPLE_HEAD)
    if console.width >= _WIDE:
        table.add_column("mode")
        table.add_column("dataset hash")
    for row in found:
        cells = (
            str(row["id"]),
            f"{row['environment']}/{row['tenant']} {row['manifest_version']}",
            row["state"] + (f" ({row['error_code']})" if row["error_code"] else ""),
            f"{row['started_at']:%m-%d %H:%M}",
            row["mode"],
            (row["dataset_hash"] or "")[:12],
        )
        table.add_row(*cells[: len(table.columns)])
    console.print(table)


def waits(found: Sequence[Wait], *, as_json: bool) -> None:
    """Waits in the queue, newest first."""
    if as_json:
        plain = [
            asdict(wait)
            | {
                "queued_at": wait.queued_at.isoformat(),
                "seed_run_id": str(wait.seed_run_id) if wait.seed_run_id else None,
            }
            for wait in found
        ]
        Console(soft_wrap=True).print_json(json.dumps({"waits": plain}))
        return
    if not found:
        Console().print("nobody waits, and nobody waited")
        return
    table = Table("manifest", "key", "because", "queued", "waited", "outcome")
    for wait in found:
        table.add_row(
            f"{wait.environment}/{wait.tenant}",
            wait.idempotency_key[:24],
            wait.reason,
            f"{wait.queued_at:%Y-%m-%d %H:%M:%S}",
            f"{wait.waited_seconds:.0f} s",
            _outcome_of(wait),
        )
    Console().print(table)


def _outcome_of(wait: Wait) -> str:
    return f"{wait.outcome} ({wait.error_code})" if wait.error_code else wait.outcome or "waits"


def run_object(
    run: SeedRun, shards: Sequence[ShardState], actual: Mapping[str, int], *, spending: Spending
) -> dict[str, Any]:
    """One seed run with its shards and rows, as plain values."""
    return {
        "seed_run_id": str(run.id),
        "environment": run.environment,
        "tenant": run.tenant,
        "mode": run.mode,
        "state": run.state.value,
        "manifest_path": run.manifest_path,
        "manifest_hash": run.manifest_hash,
        "rows": {
            entity: {"planned": planned, "actual": actual[entity]} for entity, planned in run.planned_rows.items()
        },
        "shards": [{"shard": shard.shard, "state": shard.state, "attempt": shard.attempt} for shard in shards],
        "spent_micro_brl": spending.spent_micro_brl,
        "budget_micro_brl": spending.cap_micro_brl,
        "failed_or_slow_batches": spending.faults,
        "dataset_hash": run.dataset_hash,
        "error": {"code": run.error_code, "message": run.error_detail} if run.error_code else None,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
    }


def one_run(run: Mapping[str, Any], *, as_json: bool) -> None:
    """What `run_object` says."""
    if as_json:
        Console(soft_wrap=True).print_json(json.dumps(run))
        return
    title = f"{run['environment']}/{run['tenant']} {run['state']}"
    table = Table("entity", "planned", "actual", title=title)
    for entity, counts in run["rows"].items():
        table.add_row(entity, f"{counts['planned']:,}", f"{counts['actual']:,}")
    console = Console()
    console.print(table)
    # Not in the title, which breaks the id into lines.
    console.print(f"seed run    {run['seed_run_id']}", highlight=False, soft_wrap=True)
    for shard in run["shards"]:
        console.print(f"shard {shard['shard']}  {shard['state']}, attempt {shard['attempt']}")
    if batches := run.get("batches"):
        console.print("batches     " + ", ".join(f"{number:,} {state}" for state, number in batches.items()))
    if run["budget_micro_brl"] is not None:
        spent, cap = run["spent_micro_brl"] / 10**6, run["budget_micro_brl"] / 10**6
        console.print(f"spent       R$ {spent:,.6f} of R$ {cap:,.2f}", highlight=False)
    if run["error"]:
        console.print(f"{run['error']['code']}: {run['error']['message']}", style="red", soft_wrap=True)
    if run["dataset_hash"]:
        console.print(f"dataset hash  {run['dataset_hash']}")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if name == "id" else value
        for name, value in row.items()
    }

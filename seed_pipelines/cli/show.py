"""What people and programs see of plans and seed runs: tables in a terminal, one JSON object otherwise."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from seed_pipelines.control.checkpoints import Progress
from seed_pipelines.control.runs import SeedRun, ShardState
from seed_pipelines.plan import Plan


def plan_object(plan: Plan) -> dict[str, Any]:
    """The plan as plain values; the API returns the same."""
    metadata = plan.manifest.metadata
    return {
        "tenant": metadata.tenant,
        "environment": metadata.environment,
        "mode": plan.manifest.mode.value,
        "manifest_hash": plan.manifest.manifest_hash,
        "rows": dict(plan.rows),
        "state_rows": {entity: dict(states) for entity, states in plan.state_rows.items() if states},
        "total_rows": plan.total_rows,
        "shards": [{"shard": shard.key, "rows": shard.rows} for shard in plan.shards],
        "batches": plan.total_batches,
        "publisher": plan.publisher.value,
        "stored_bytes": plan.stored_bytes,
        "cost_micro_brl": plan.cost_micro_brl,
        "budget_micro_brl": plan.manifest.budget.cost_cap_micro_brl,
        "window": str(plan.manifest.window),
    }


def plan_table(plan: Plan) -> None:
    """The plan for people."""
    metadata = plan.manifest.metadata
    table = Table(title=f"{metadata.environment}/{metadata.tenant}: {plan.manifest.mode.value}")
    table.add_column("entity")
    table.add_column("rows", justify="right")
    table.add_column("batches", justify="right")
    for entity, rows in plan.rows.items():
        batches = sum(1 for key in plan.shard_keys for _ in plan.batches(key, entity))
        table.add_row(entity, f"{rows:,}", f"{batches:,}")
    table.add_row("total", f"{plan.total_rows:,}", f"{plan.total_batches:,}", style="bold")
    console = Console()
    console.print(table)
    budget = plan.manifest.budget.cost_cap_micro_brl
    console.print(f"shards     {len(plan.shards)}, published by {plan.publisher.value}")
    console.print(f"stored     about {plan.stored_bytes / 2**20:,.1f} MiB")
    console.print(f"cost       R$ {plan.cost_micro_brl / 10**6:,.6f} of R$ {budget / 10**6:,.2f}")
    console.print(f"window     {plan.manifest.window} UTC")


def runs(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Seed runs, newest first."""
    if as_json:
        Console(soft_wrap=True).print_json(json.dumps([_plain(row) for row in found]))
        return
    if not found:
        Console().print("no seed runs yet: start one with `seed-data run manifests/dev/acme.yaml`")
        return
    table = Table("seed run", "manifest", "mode", "state", "started", "dataset hash")
    for row in found:
        table.add_row(
            str(row["id"]),
            f"{row['environment']}/{row['tenant']} {row['manifest_version']}",
            row["mode"],
            row["state"] + (f" ({row['error_code']})" if row["error_code"] else ""),
            f"{row['started_at']:%Y-%m-%d %H:%M:%S}",
            (row["dataset_hash"] or "")[:12],
        )
    Console().print(table)


def one_run(run: SeedRun, shards: Sequence[ShardState], progress: Mapping[str, Progress], *, as_json: bool) -> None:
    """One seed run with its shards and rows."""
    rows = {
        entity: {"planned": planned, "actual": progress[entity].rows if entity in progress else 0}
        for entity, planned in run.planned_rows.items()
    }
    if as_json:
        whole = {
            "seed_run_id": str(run.id),
            "environment": run.environment,
            "tenant": run.tenant,
            "mode": run.mode,
            "state": run.state.value,
            "manifest_path": run.manifest_path,
            "manifest_hash": run.manifest_hash,
            "rows": rows,
            "shards": [_plain({"shard": s.shard, "state": s.state, "attempt": s.attempt}) for s in shards],
            "dataset_hash": run.dataset_hash,
            "error": {"code": run.error_code, "message": run.error_detail} if run.error_code else None,
            "started_at": run.started_at.isoformat(),
            "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        }
        Console(soft_wrap=True).print_json(json.dumps(whole))
        return
    table = Table("entity", "planned", "actual", title=f"{run.environment}/{run.tenant} {run.state} ({run.id})")
    for entity, counts in rows.items():
        table.add_row(entity, f"{counts['planned']:,}", f"{counts['actual']:,}")
    console = Console()
    console.print(table)
    for shard in shards:
        console.print(f"shard {shard.shard}  {shard.state}, attempt {shard.attempt}")
    if run.error_code:
        console.print(f"{run.error_code}: {run.error_detail}", style="red", soft_wrap=True)
    if run.dataset_hash:
        console.print(f"dataset hash  {run.dataset_hash}")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if name == "id" else value
        for name, value in row.items()
    }

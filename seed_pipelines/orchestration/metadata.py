"""What people read beside an asset: counts, durations and digests, never a row."""

from collections.abc import Sequence

import dagster as dg

from seed_pipelines.control.runs import SeedRun
from seed_pipelines.flow import EntityLoad, Publication
from seed_pipelines.plan import Plan

Metadata = dict[str, dg.MetadataValue | str | int | float]


def of_plan(plan: Plan) -> Metadata:
    """The plan as a table, and what it costs."""
    header = "| entity | rows |\n|---|---:|\n"
    return {
        "plan": dg.MetadataValue.md(header + "\n".join(f"| {name} | {rows} |" for name, rows in plan.rows.items())),
        "shards": len(plan.shards),
        "batches": plan.total_batches,
        "publisher": plan.publisher.value,
        "cost_micro_brl": plan.cost_micro_brl,
        "manifest_hash": plan.manifest.manifest_hash,
    }


def of_run(run: SeedRun) -> Metadata:
    """Which seed run this is."""
    return {"seed_run_id": str(run.id), "state": run.state.value, "idempotency_key": run.idempotency_key}


def of_load(loaded: EntityLoad, run: SeedRun) -> Metadata:
    """The checkpoints of one entity in one shard."""
    batch_ms = [checkpoint.elapsed_ms for checkpoint in loaded.checkpoints]
    return {
        "seed_run_id": str(run.id),
        "dagster/partition_row_count": loaded.rows,
        "rows": loaded.rows,
        "planned_rows": loaded.planned_rows,
        "batches": len(batch_ms),
        "resumed_batches": loaded.resumed_batches,
        "rows_per_second": round(loaded.rows / loaded.seconds) if loaded.seconds else 0,
        "p95_batch_ms": percentile(batch_ms, 95),
        "p99_batch_ms": percentile(batch_ms, 99),
        "content_hash": loaded.digest.hex(),
        "lease_fence": loaded.fence or "published before",
        "sealed": str(loaded.sealed).lower(),
        "budget_spent_micro_brl": loaded.spending.spent_micro_brl,
        "budget_spent_pct": loaded.spending.percent,
        "failed_or_slow_batches": loaded.spending.faults,
    }


def of_publication(published: Publication | None, run: SeedRun) -> Metadata:
    """What readers see now; before the last shard, nothing new."""
    if published is None:
        return {"seed_run_id": str(run.id), "published": "no: other shards are not in yet"}
    return {
        "seed_run_id": str(run.id),
        "published": "yes",
        "dataset_hash": published.dataset_hash,
        "generation": published.generation or "published before",
        "rows": sum(run.planned_rows.values()),
    }


def percentile(values: Sequence[int], share: int) -> int:
    """The smallest value that `share` percent of the values do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * share // 100) - 1] if ordered else 0

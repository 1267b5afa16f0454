"""What people read beside an asset: counts, durations and digests, never a row."""

from collections.abc import Sequence

import dagster as dg

from seed_pipelines.control.checkpoints import EntityLoad
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.flow import Publication
from seed_pipelines.plan import Plan
from seed_pipelines.profile.distribution import Profile
from seed_pipelines.profile.page import data_uri, percent
from seed_pipelines.profile.plots import sheet_of

_PLAN = dg.TableSchema(
    columns=[
        dg.TableColumn("entity", "string", description="in the order in which they are written"),
        dg.TableColumn("rows", "int", description="in all shards together"),
        dg.TableColumn("rows_a_batch", "int", description="a batch is one transaction"),
    ]
)
Metadata = dict[str, dg.MetadataValue | str | int | float]


def of_plan(plan: Plan) -> Metadata:
    """The plan as a table, and what it costs."""
    records = [
        dg.TableRecord({"entity": entity, "rows": rows, "rows_a_batch": plan.batch_rows[entity]})
        for entity, rows in plan.rows.items()
    ]
    return {
        "plan": dg.MetadataValue.table(records, schema=_PLAN),
        "shards": len(plan.shards),
        "batches": plan.total_batches,
        "publisher": plan.publisher.value,
        "cost_micro_brl": plan.cost_micro_brl,
        "manifest_hash": plan.manifest.manifest_hash,
    }


def of_run(run: SeedRun) -> Metadata:
    """Which seed run this is."""
    return {"seed_run_id": str(run.id), "state": run.state.value, "idempotency_key": run.idempotency_key}


def of_trace(run: SeedRun, trace_url: str | None) -> Metadata:
    """The trace of this seed run, as a link where somebody said where traces are looked at."""
    told: Metadata = {"trace_id": run.trace_id or ""}
    if trace_url and run.trace_id:
        told["trace"] = dg.MetadataValue.url(trace_url.replace("{trace_id}", run.trace_id))
    return told


def of_report(seed_run_id: str, uri: str) -> Metadata:
    """Where the signed report of a seed run lies."""
    return {"seed_run_id": seed_run_id, "report": dg.MetadataValue.url(uri)}


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


def of_profile(profile: Profile) -> Metadata:
    """What the dataset looks like: a table, and plots of some distributions. Well below 100 KiB."""
    differing = ", ".join(found.title for found in profile.differing) or "none"
    lines = [
        f"| {found.title} | {percent(found.largest_difference)} | {found.verdict} |" for found in profile.distributions
    ]
    table = "| distribution | largest difference, points | |\n|---|---:|---|\n" + "\n".join(lines)
    plots = f"![measured and expected distributions]({data_uri(sheet_of(profile))})"
    return {"distributions": dg.MetadataValue.md(f"{plots}\n\n{table}"), "distributions_that_differ": differing}


def percentile(values: Sequence[int], share: int) -> int:
    """The smallest value that `share` percent of the values do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * share // 100) - 1] if ordered else 0

"""A plan told to programs and to people: one object, the same from every door, and the run's steps in words."""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from seed_pipelines.plan import Plan, Publisher
from seed_pipelines.prices import REFERENCE_ROWS_PER_SECOND


def summary_of(plan: Plan, *, now: datetime) -> dict[str, Any]:
    """The plan as plain values; `now` decides when the window opens next."""
    metadata, window = plan.manifest.metadata, plan.manifest.window
    is_open = window.is_open(now)
    return {
        "tenant": metadata.tenant,
        "environment": metadata.environment,
        "mode": plan.manifest.mode.value,
        "manifest_version": metadata.version,
        "manifest_hash": plan.manifest.manifest_hash,
        "entities": [
            {"entity": entity, "rows": rows, "batches": batches_of(plan, entity), "states": dict(_states(plan, entity))}
            for entity, rows in plan.rows.items()
        ],
        "total_rows": plan.total_rows,
        "batches": plan.total_batches,
        "shards": [{"shard": shard.key, "rows": shard.rows} for shard in plan.shards],
        "publisher": plan.publisher.value,
        "stored_bytes": plan.stored_bytes,
        "estimated_seconds": estimated_seconds(plan),
        "cost_micro_brl": plan.cost_micro_brl,
        "budget_micro_brl": plan.manifest.budget.cost_cap_micro_brl,
        "window": {
            "utc": str(window),
            "is_open": is_open,
            "opens": None if is_open else window.next_opening(now).isoformat(),
        },
    }


def batches_of(plan: Plan, entity: str) -> int:
    """How many batches an entity takes, over all shards."""
    return sum(1 for key in plan.shard_keys for _ in plan.batches(key, entity))


def estimated_seconds(plan: Plan) -> int:
    """How long one worker takes, rounded up: its work, or the rate limit where that is slower."""
    rate = plan.manifest.rate_limit
    limited = (plan.total_batches - (rate.burst or rate.limit)) * rate.window_seconds / rate.limit
    return math.ceil(max(plan.total_rows / REFERENCE_ROWS_PER_SECOND, limited, 1))


def explanation_of(plan: Plan, *, now: datetime) -> Iterator[str]:
    """What a run of this plan will do, step by step, a paragraph each."""
    manifest, metadata = plan.manifest, plan.manifest.metadata
    name = f"{metadata.environment}/{metadata.tenant}"
    yield (
        f"validate_profile: reads {name}.yaml {metadata.version} once, checks its seal {manifest.manifest_hash[:12]}, "
        "and refuses to go on unless write-once store, masking key, telemetry and database are as they must be."
    )
    yield (
        f"acquire_tenant_lock: takes the lease of {name} for 60 seconds at a time, and one of the two slots of "
        f"{metadata.environment}. Another seed run of the same tenant is refused meanwhile."
    )
    yield _window_sentence(plan, now)
    for entity, rows in plan.rows.items():
        states = "".join(f", {count:,} of them {state}" for state, count in _states(plan, entity))
        yield f"{entity}: {rows:,} rows in {batches_of(plan, entity):,} batches{states}."
    yield (
        "Each batch is generated, compared with the official calculation, masked and written with its checkpoint in "
        f"one transaction, at most {manifest.rate_limit.limit} in {manifest.rate_limit.window_seconds} s. A batch that "
        f"fails for a passing reason is tried again up to {manifest.backoff.max_retries} times."
    )
    yield _publication_sentence(plan)
    yield (
        f"It costs R$ {plan.cost_micro_brl / 10**6:.6f} of R$ {manifest.budget.cost_cap_micro_brl / 10**6:.2f}, stores "
        f"about {plan.stored_bytes / 2**20:,.1f} MiB, and takes about {estimated_seconds(plan):,} s with one worker."
    )
    yield "At the end a signed report goes into write-once storage, however the run ends."


def _states(plan: Plan, entity: str) -> Iterator[tuple[str, int]]:
    yield from plan.state_rows[entity].items()


def _window_sentence(plan: Plan, now: datetime) -> str:
    window = plan.manifest.window
    if window.is_open(now):
        when = "it is open now"
    else:
        when = f"it opens at {window.next_opening(now):%Y-%m-%d %H:%M} UTC; until then a run is refused"
    return (
        f"Writes only inside the window {window} UTC: {when}. If it closes in between, the run pauses at a batch's end."
    )


def _publication_sentence(plan: Plan) -> str:
    how = (
        "the tenant's own partitions are attached in place of the old ones"
        if plan.publisher is Publisher.ATTACH
        else "the rows are inserted under row-level security in place of the old ones"
    )
    shards = "the only shard is" if len(plan.shards) == 1 else f"all {len(plan.shards)} shards are"
    return (
        f"publish_dataset: when {shards} in, {how}, in one transaction. Readers see the old dataset or the "
        "new one; rows of other modes, and rows that the application made, stay."
    )

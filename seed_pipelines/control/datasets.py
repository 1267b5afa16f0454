"""Datasets: what is published, by tenant, environment and mode."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.plan import Plan
from seed_pipelines.sql import query


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The published rows of one tenant, environment and mode; `generation` grows with every publication."""

    generation: int
    seed_run_id: UUID
    manifest_hash: str
    manifest_version: str
    reference_datetime: datetime
    dataset_hash: str
    published_at: datetime
    expires_at: datetime | None


def published(connection: Connection, *, environment: str, tenant: str, mode: str) -> Dataset | None:
    """The published dataset, or None."""
    values = {"environment": environment, "tenant": tenant, "mode": mode}
    with translated():
        row = connection.execute(query("dataset_of"), values).fetchone()
    return Dataset(**row) if row else None


def ttl_days_of(plan: Plan) -> int:
    """How long the dataset of the plan's mode lives; a canary lives as long as a baseline."""
    ttl = plan.manifest.ttl
    return {"carga": ttl.carga_days, "dr": ttl.dr_days}.get(plan.manifest.mode, ttl.baseline_days)

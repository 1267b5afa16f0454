"""Mappings of seed runs: each run is bound to the one that it began with, and a dataset to the one it lies in.

What is loaded does not depend on a mapping, so a seed run may go on with a newer version of it, never with another
content of the same version: nobody could tell afterwards which of them a report speaks of.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import DatasetElsewhere, MappingChanged
from seed_pipelines.manifest.semver import SemVer
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

_NONE = "no mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedRun:
    """A seed run whose rows go into, or lie in, an application's tables."""

    seed_run_id: UUID
    mapping: SchemaMapping
    tenant_value: str


def bind(connection: Connection, run: SeedRun, mapping: SchemaMapping | None) -> None:
    """Bind an unfinished seed run to a mapping, or to none, in the caller's transaction; raises MappingChanged."""
    bound = of_run(connection, run.id)
    if mapping is None:
        if bound is not None:
            raise MappingChanged(str(run.id), begun_with=_named(bound.mapping), found=_NONE)
        return
    values = _values(run, mapping)
    if bound is None:
        if connection.execute(query("mapping_bind"), values).fetchone() is None:
            raise MappingChanged(str(run.id), begun_with=_NONE, found=_named(mapping))
    elif bound.mapping.mapping_hash != mapping.mapping_hash:
        if SemVer.parse(mapping.version) <= SemVer.parse(bound.mapping.version):
            raise MappingChanged(str(run.id), begun_with=_named(bound.mapping), found=_named(mapping))
        connection.execute(query("mapping_rebind"), values)


def as_flags(mapping: SchemaMapping | None) -> dict[str, str]:
    """What the report says of a mapping, where there is one."""
    return {} if mapping is None else {"mapping": f"{mapping.version} {mapping.mapping_hash}"}


def of_run(connection: Connection, seed_run_id: UUID) -> MappedRun | None:
    """The mapping of a seed run; None where it fills the tables of `app`."""
    with translated():
        row = connection.execute(query("mapping_of"), {"seed_run_id": seed_run_id}).fetchone()
    if row is None:
        return None
    mapping = SchemaMapping.of_data(row["mapping"])
    return MappedRun(seed_run_id=row["seed_run_id"], mapping=mapping, tenant_value=row["tenant_value"])


def of_dataset(connection: Connection, *, environment: str, tenant: str, mode: str) -> MappedRun | None:
    """The seed run whose rows a mapped dataset has; None where there is none, or it lies in `app`."""
    values = {"environment": environment, "tenant": tenant, "mode": mode}
    with translated():
        row = connection.execute(query("mapped_dataset"), values).fetchone()
    return of_run(connection, row["seed_run_id"]) if row is not None and row["mapping"] is not None else None


def assert_same_place(
    connection: Connection, mapping: SchemaMapping | None, *, environment: str, tenant: str, mode: str
) -> None:
    """Raises DatasetElsewhere where the published dataset lies in `app` and the next one would not, or the reverse."""
    values = {"environment": environment, "tenant": tenant, "mode": mode}
    with translated():
        row = connection.execute(query("mapped_dataset"), values).fetchone()
    if row is not None and (row["mapping"] is None) != (mapping is None):
        name = f"{environment}/{tenant} {mode}"
        raise DatasetElsewhere(name, is_mapped=row["mapping"] is not None)


def _named(mapping: SchemaMapping) -> str:
    return f"mapping {mapping.version} ({mapping.mapping_hash[:12]})"


def _values(run: SeedRun, mapping: SchemaMapping) -> dict[str, Any]:
    return {
        "seed_run_id": run.id,
        "mapping_hash": mapping.mapping_hash,
        "mapping": Jsonb(mapping.as_data()),
        "entities": list(mapping.ordered),
        "tenant_setting": mapping.tenant.setting,
        "tenant_value": mapping.tenant_value(run.environment, run.tenant, tenant_id=run.tenant_id),
    }

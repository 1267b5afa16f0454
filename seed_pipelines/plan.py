"""What a manifest means: exact rows, shards, batches and cost.

A plan is a pure function of the manifest: no clock, no database, no chance. Every door shows the same plan, and a
seed run does what its plan says. Caps are hard limits: no entity ever has more rows than its cap.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from seed_pipelines import catalog
from seed_pipelines.errors import BudgetTooSmall, EntityNotGenerated, EntityWithoutParent, TenantOutsideCanary
from seed_pipelines.fanout import Fanout
from seed_pipelines.lending.products import LOANS_PER_CUSTOMER_DECK, TERM_DECK
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.seeds import DataKey, integer_of, tenant_id_of

# Ids carry the mode, so that datasets of several modes share a tenant; ids below the first base belong to the
# application. All stay below 2^53, so JavaScript reads them exactly.
ID_BASE = MappingProxyType(
    {Mode.BASELINE: 10**15, Mode.CARGA: 2 * 10**15, Mode.DR: 3 * 10**15, Mode.CANARY: 4 * 10**15}
)
ID_SPAN = 10**15

# From here on, adding the keys after the load pays for the locks that attaching takes.
ATTACH_FROM_ROWS = 100_000

CUSTOMERS_PER_SHARD = 5_000
SHARDS_BEFORE_THEY_GROW = 4
CUSTOMERS_PER_LARGE_SHARD = 100_000

# Bytes of a row's header and item pointer in a PostgreSQL page.
_ROW_OVERHEAD_BYTES = 28
_STORED_BYTES = MappingProxyType(
    {
        catalog.ColumnType.UUID: 16,
        catalog.ColumnType.BIGINT: 8,
        catalog.ColumnType.INTEGER: 4,
        catalog.ColumnType.SMALLINT: 2,
        catalog.ColumnType.DATE: 4,
        catalog.ColumnType.TIMESTAMP: 8,
        catalog.ColumnType.TEXT: 12,
        catalog.ColumnType.BYTES: 80,
    }
)


class Publisher(StrEnum):
    """How a dataset becomes visible."""

    # The tenant's own partitions, built aside and attached.
    ATTACH = "attach"
    # Rows inserted into the tables by the loader under row-level security.
    INSERT = "insert"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """What a seed run costs, in millionths of a real."""

    million_rows_micro_brl: int = 250_000
    gib_month_micro_brl: int = 650_000
    worker_hour_micro_brl: int = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRange:
    """Rows `first` … `stop` - 1 of one entity."""

    first: int
    rows: int

    @property
    def stop(self) -> int:
        return self.first + self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One write: rows `first_row` … `first_row + rows - 1` of an entity, in one transaction with its checkpoint."""

    entity: str
    shard: str
    number: int
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A range of customers with all their descendants; shard 0000 also makes what belongs to the whole tenant."""

    key: str
    ranges: Mapping[str, RowRange]

    @property
    def rows(self) -> int:
        return sum(rows.rows for rows in self.ranges.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of what one seed run will write; rows by entity are in dependency order."""

    manifest: Manifest
    data_key: DataKey
    tenant_id: bytes
    rows: Mapping[str, int]
    state_rows: Mapping[str, Mapping[str, int]]
    fanouts: Mapping[str, Fanout]
    shards: tuple[Shard, ...]
    batch_rows: Mapping[str, int]
    publisher: Publisher
    stored_bytes: int
    cost_micro_brl: int

    @property
    def total_rows(self) -> int:
        return sum(self.rows.values())

    @property
    def total_batches(self) -> int:
        return sum(1 for shard in self.shards for entity in self.rows for _ in self.batches(shard.key, entity))

    @property
    def first_id(self) -> int:
        """The id of row 0 of every entity."""
        return ID_BASE[self.manifest.mode] + 1

    @property
    def shard_keys(self) -> tuple[str, ...]:
        return tuple(shard.key for shard in self.shards)

    def shard(self, key: str) -> Shard:
        return next(shard for shard in self.shards if shard.key == key)

    def batches(self, shard_key: str, entity: str) -> Iterator[Batch]:
        """The batches of one entity in one shard, in order; none where the shard has no rows of it."""
        rows, size = self.shard(shard_key).ranges[entity], self.batch_rows[entity]
        for number, first in enumerate(range(rows.first, rows.stop, size)):
            yield Batch(
                entity=entity,
                shard=shard_key,
                number=number,
                first_row=first,
                rows=min(size, rows.stop - first),
            )


def plan_of(
    manifest: Manifest,
    *,
    shards: int | None = None,
    batch_rows: int | None = None,
    publisher: Publisher | None = None,
    prices: PriceBook = PriceBook(),
) -> Plan:
    """The plan of a manifest; `shards`, `batch_rows` and `publisher` override what it would choose.

    The overrides change how the rows are written, never which. Raises BadInput where the volumetry cannot be.
    """
    rows = _rows_of(manifest)
    data_key = data_key_of(manifest)
    fanouts = _fanouts_of(rows, data_key)
    stored_bytes = sum(count * _row_bytes(entity) for entity, count in rows.items())
    plan = Plan(
        manifest=manifest,
        data_key=data_key,
        tenant_id=tenant_id_of(manifest.metadata.environment, manifest.metadata.tenant),
        rows=MappingProxyType(rows),
        state_rows=MappingProxyType({entity: _state_rows(manifest, entity, rows[entity]) for entity in rows}),
        fanouts=MappingProxyType(fanouts),
        shards=_shards_of(rows, fanouts, shards or _shard_count(manifest.mode, rows)),
        batch_rows=MappingProxyType({entity: batch_rows or catalog.ENTITIES[entity].batch_rows for entity in rows}),
        publisher=publisher or (Publisher.ATTACH if _is_large(rows) else Publisher.INSERT),
        stored_bytes=stored_bytes,
        cost_micro_brl=_cost(rows, stored_bytes, prices),
    )
    if plan.cost_micro_brl > manifest.budget.cost_cap_micro_brl:
        raise BudgetTooSmall(plan.cost_micro_brl, cap_micro_brl=manifest.budget.cost_cap_micro_brl)
    return plan


def data_key_of(manifest: Manifest) -> DataKey:
    """The four names of the seed formula."""
    metadata = manifest.metadata
    return DataKey(
        tenant=metadata.tenant,
        environment=metadata.environment,
        manifest_version=metadata.version,
        salt_version=metadata.salt_version,
    )


def _rows_of(manifest: Manifest) -> dict[str, int]:
    """Exact rows by entity, in dependency order."""
    unknown = sorted(set(manifest.volumetry) - set(catalog.ENTITIES))
    if unknown:
        raise EntityNotGenerated(tuple(unknown), known=tuple(catalog.ENTITIES))
    rows = {name: _target(manifest, name) for name in catalog.ENTITIES if name in manifest.volumetry}
    for name in rows:
        for parent in catalog.ENTITIES[name].parents:
            if parent.entity not in rows:
                raise EntityWithoutParent(name, parent=parent.entity)
    return rows


def _target(manifest: Manifest, entity: str) -> int:
    """The share of the cap that is to be filled, at least one row; a tenant has one row of itself."""
    volume = manifest.volumetry[entity]
    cap = (manifest.caps_override or {}).get(entity, volume.cap)
    share = Decimal(100) if volume.target_pct is None else volume.target_pct
    if manifest.mode is Mode.CANARY:
        share = share * _canary_percentage(manifest) / 100
    if entity == catalog.TENANTS.name:
        return 1
    return max(1, math.floor(cap * share / 100))


def _canary_percentage(manifest: Manifest) -> Decimal:
    canary, tenant = manifest.canary, manifest.metadata.tenant
    if canary is None or canary.tenants is None:
        return Decimal(100) if canary is None or canary.percentage is None else canary.percentage
    if tenant not in canary.tenants:
        raise TenantOutsideCanary(tenant, tenants=tuple(canary.tenants))
    return Decimal(100)


def _state_rows(manifest: Manifest, entity: str, rows: int) -> Mapping[str, int]:
    """Exact rows of each state other than the happy one, by largest remainder."""
    shares = manifest.volumetry[entity].states or {}
    exact = {state: rows * percent / 100 for state, percent in shares.items()}
    counts = {state: math.floor(count) for state, count in exact.items()}
    left = math.floor(sum(exact.values(), Decimal(0))) - sum(counts.values())
    by_remainder = sorted(exact, key=lambda state: (counts[state] - exact[state], state))
    for state in by_remainder[:left]:
        counts[state] += 1
    return MappingProxyType(counts)


def _fanouts_of(rows: Mapping[str, int], data_key: DataKey) -> dict[str, Fanout]:
    spreads = {
        "loans": ("customers", LOANS_PER_CUSTOMER_DECK, 0, 60),
        "installments": ("loans", TERM_DECK, 1, 120),
    }
    return {
        child: Fanout(
            parents=rows[parent],
            children=rows[child],
            deck=deck,
            least=least,
            most=most,
            key=integer_of(data_key.factory_seed, "fanout", child),
        )
        for child, (parent, deck, least, most) in spreads.items()
        if child in rows
    }


def _shard_count(mode: Mode, rows: Mapping[str, int]) -> int:
    if mode in (Mode.BASELINE, Mode.CANARY):
        return 1
    customers = rows.get("customers", 1)
    small = min(SHARDS_BEFORE_THEY_GROW, math.ceil(customers / CUSTOMERS_PER_SHARD))
    return max(small, math.ceil(customers / CUSTOMERS_PER_LARGE_SHARD))


def _shards_of(rows: Mapping[str, int], fanouts: Mapping[str, Fanout], count: int) -> tuple[Shard, ...]:
    edges = [_edges_at(rows, fanouts, index, count) for index in range(count + 1)]
    return tuple(
        Shard(
            key=f"{index:04d}",
            ranges=MappingProxyType(
                {
                    entity: RowRange(first=first, rows=edges[index + 1][entity] - first)
                    for entity, first in edges[index].items()
                }
            ),
        )
        for index in range(count)
    )


def _edges_at(rows: Mapping[str, int], fanouts: Mapping[str, Fanout], index: int, count: int) -> dict[str, int]:
    """The first row of every entity at the edge before shard `index`."""
    edges: dict[str, int] = {}
    for entity, total in rows.items():
        parent = catalog.ENTITIES[entity].scales_with
        if entity == catalog.CUSTOMERS.name:
            edges[entity] = index * total // count
        elif parent is None:
            edges[entity] = total if index else 0
        else:
            edges[entity] = fanouts[entity].first_child(edges[parent])
    return edges


def _is_large(rows: Mapping[str, int]) -> bool:
    return sum(rows.values()) >= ATTACH_FROM_ROWS


def _row_bytes(entity: str) -> int:
    columns = catalog.ENTITIES[entity].stored_columns
    return _ROW_OVERHEAD_BYTES + sum(_STORED_BYTES[column.type] for column in columns)


def _cost(rows: Mapping[str, int], stored_bytes: int, prices: PriceBook) -> int:
    """Millionths of a real, rounded up: rows written and one month of storage."""
    writing = sum(rows.values()) * prices.million_rows_micro_brl
    storing = stored_bytes * prices.gib_month_micro_brl
    return math.ceil(writing / 10**6) + math.ceil(storing / 2**30)

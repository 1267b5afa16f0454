"""What a manifest means: exact rows, shards, batches and cost.

A plan is a pure function of the manifest: no clock, no database, no chance. Every door shows the same plan, and a
seed run does what its plan says. Caps are hard limits: no entity ever has more rows than its cap. How an entity's rows
follow from its parent's is the catalogue's to say; where they follow from the parent's values, the generator counts
them, and a cap below that number is refused.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from seed_pipelines import catalog
from seed_pipelines.drill_limits import assert_checkpoints_in_time
from seed_pipelines.errors import (
    BudgetTooSmall,
    CapTooSmall,
    EntityNotGenerated,
    EntityWithoutParent,
    TenantOutsideCanary,
)
from seed_pipelines.fanout import Counted, Fanout, Int64s, OneEach, Relation
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.prices import STANDARD_PRICES, PriceBook, stored_bytes_of
from seed_pipelines.quotas import quotas_of
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


class Publisher(StrEnum):
    """How a dataset becomes visible."""

    # The tenant's own partitions, built aside and attached.
    ATTACH = "attach"
    # Rows inserted into the tables by the loader under row-level security.
    INSERT = "insert"


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
    # Of every entity that scales with another.
    relations: Mapping[str, Relation]
    shards: tuple[Shard, ...]
    batch_rows: Mapping[str, int]
    publisher: Publisher
    stored_bytes: int
    cost_micro_brl: int
    prices: PriceBook
    mapping: SchemaMapping | None = None
    # The installation's rule: not wider than a canary of its version that was published.
    canary_required: bool = False

    @property
    def fanouts(self) -> Mapping[str, Fanout]:
        """The relations that a deck decides."""
        return {entity: found for entity, found in self.relations.items() if isinstance(found, Fanout)}

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


# How many rows each row of the parent has, in a plan that has the parent; the generators know (generate/rows.py).
Counter = Callable[[Plan, RowRange], Int64s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a caller wants otherwise than the plan would choose; changes how the rows are written, never which."""

    shards: int | None = None
    batch_rows: int | None = None
    publisher: Publisher | None = None


def plan_of(
    manifest: Manifest,
    *,
    counters: Mapping[str, Counter],
    overrides: Overrides = Overrides(),
    prices: PriceBook = STANDARD_PRICES,
) -> Plan:
    """The plan of a manifest, with the counters of `generate.rows`; raises BadInput where the volumetry cannot be."""
    plan = _assembled(manifest, _volumes_of(manifest), overrides, prices)
    for entity in _planned(manifest):
        if entity.is_counted:
            volumes = _counted(plan, entity, counters[entity.name])
            plan = _assembled(manifest, volumes, overrides, prices)
    if plan.cost_micro_brl > manifest.budget.cost_cap_micro_brl:
        raise BudgetTooSmall(plan.cost_micro_brl, cap_micro_brl=manifest.budget.cost_cap_micro_brl)
    assert_checkpoints_in_time(manifest, shards=len(plan.shards))
    return plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a manifest shows of its plan before anything is counted, which takes a second for some millions of rows.

    `rows` lacks the counted entities, whose rows follow from the values of others.
    """

    manifest: Manifest
    entities: tuple[str, ...]
    rows: Mapping[str, int]
    shard_keys: tuple[str, ...]


def outline_of(manifest: Manifest) -> Outline:
    """The outline of the plan that `plan_of` makes; raises BadInput where the volumetry cannot be."""
    rows = _volumes_of(manifest).rows
    return Outline(
        manifest=manifest,
        entities=tuple(entity.name for entity in _planned(manifest)),
        rows=MappingProxyType(dict(rows)),
        shard_keys=tuple(_shard_key(index) for index in range(_shard_count(manifest.mode, rows))),
    )


def data_key_of(manifest: Manifest) -> DataKey:
    """The four names of the seed formula."""
    metadata = manifest.metadata
    return DataKey(
        tenant=metadata.tenant,
        environment=metadata.environment,
        manifest_version=metadata.version,
        salt_version=metadata.salt_version,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volumes:
    """Exact rows and relations by entity, in dependency order."""

    rows: Mapping[str, int]
    relations: Mapping[str, Relation]


def _planned(manifest: Manifest) -> Iterator[catalog.Entity]:
    """The manifest's entities in dependency order; raises EntityNotGenerated or EntityWithoutParent."""
    unknown = sorted(set(manifest.volumetry) - set(catalog.ENTITIES))
    if unknown:
        raise EntityNotGenerated(tuple(unknown), known=tuple(catalog.ENTITIES))
    for name, entity in catalog.ENTITIES.items():
        if name in manifest.volumetry:
            for parent in entity.parents:
                if parent.required and parent.entity not in manifest.volumetry:
                    raise EntityWithoutParent(name, parent=parent.entity)
            yield entity


def _volumes_of(manifest: Manifest) -> _Volumes:
    """Of all entities but the counted ones."""
    rows: dict[str, int] = {}
    relations: dict[str, Relation] = {}
    seed = data_key_of(manifest).factory_seed
    for entity in _planned(manifest):
        name, spread, parent = entity.name, entity.spread, entity.scales_with
        if spread is None or parent is None:
            if not entity.is_counted:
                rows[name] = 1 if entity.is_single else _target(manifest, name)
        elif spread == catalog.ONE_EACH:
            rows[name] = _allowed(manifest, entity, rows[parent])
            relations[name] = OneEach(parents=rows[parent])
        else:
            rows[name] = _target(manifest, name)
            relations[name] = Fanout(
                entity=name,
                parent=parent,
                parents=rows[parent],
                children=rows[name],
                deck=spread.deck,
                least=spread.least,
                most=spread.most,
                key=integer_of(seed, "fanout", name),
            )
    return _Volumes(rows=rows, relations=relations)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counting:
    """One count over all parents, told from others by the manifest, which decides every value."""

    manifest: str
    entity: str
    parent: str
    plan: Plan = field(compare=False)
    counter: Counter = field(compare=False)

    def __call__(self, first_parent: int, parents: int) -> Int64s:
        return self.counter(self.plan, RowRange(first=first_parent, rows=parents))


# Every step of a run makes the plan anew, and a count takes a second for some millions of parents.
@lru_cache(maxsize=8)
def _counted_once(counting: _Counting) -> Counted:
    return Counted.of(counting.plan.rows[counting.parent], count=counting)


def _counted(plan: Plan, entity: catalog.Entity, counter: Counter) -> _Volumes:
    """The plan's volumes and those of one more entity."""
    parent = entity.scales_with or ""
    text = plan.manifest.model_dump_json()
    relation = _counted_once(_Counting(manifest=text, entity=entity.name, parent=parent, plan=plan, counter=counter))
    rows = {**plan.rows, entity.name: _allowed(plan.manifest, entity, relation.children)}
    return _Volumes(
        rows={name: rows[name] for name in catalog.ENTITIES if name in rows},
        relations={**plan.relations, entity.name: relation},
    )


def _assembled(manifest: Manifest, volumes: _Volumes, overrides: Overrides, prices: PriceBook) -> Plan:
    rows, relations, total = volumes.rows, volumes.relations, sum(volumes.rows.values())
    stored_bytes = stored_bytes_of(rows)
    sizes = {entity: overrides.batch_rows or catalog.ENTITIES[entity].batch_rows for entity in rows}
    return Plan(
        manifest=manifest,
        data_key=data_key_of(manifest),
        tenant_id=tenant_id_of(manifest.metadata.environment, manifest.metadata.tenant),
        rows=MappingProxyType(dict(rows)),
        state_rows=MappingProxyType(
            {entity: quotas_of(manifest.volumetry[entity].states or {}, rows[entity]) for entity in rows}
        ),
        relations=MappingProxyType(dict(relations)),
        shards=_shards_of(rows, relations, overrides.shards or _shard_count(manifest.mode, rows)),
        batch_rows=MappingProxyType(sizes),
        publisher=overrides.publisher or (Publisher.ATTACH if total >= ATTACH_FROM_ROWS else Publisher.INSERT),
        stored_bytes=stored_bytes,
        cost_micro_brl=prices.cost_micro_brl(total, stored_bytes=stored_bytes),
        prices=prices,
    )


def _cap(manifest: Manifest, entity: str) -> int:
    return (manifest.caps_override or {}).get(entity, manifest.volumetry[entity].cap)


def _target(manifest: Manifest, entity: str) -> int:
    """The share of the cap that is to be filled, at least one row."""
    share = _share(manifest, entity)
    if manifest.mode is Mode.CANARY:
        share = share * _canary_percentage(manifest) / 100
    return max(1, math.floor(_cap(manifest, entity) * share / 100))


def _share(manifest: Manifest, entity: str) -> Decimal:
    """The target percentage; all of the cap where the manifest has none."""
    share = manifest.volumetry[entity].target_pct
    return Decimal(100) if share is None else share


def _allowed(manifest: Manifest, entity: catalog.Entity, rows: int) -> int:
    """The rows that follow from other rows; raises CapTooSmall where they are too many."""
    allowed = math.floor(_cap(manifest, entity.name) * _share(manifest, entity.name) / 100)
    if rows > allowed:
        raise CapTooSmall(entity.name, rows=rows, parent=entity.scales_with or "", allowed=allowed)
    return rows


def _canary_percentage(manifest: Manifest) -> Decimal:
    canary, tenant = manifest.canary, manifest.metadata.tenant
    if canary is None or canary.tenants is None:
        return Decimal(100) if canary is None or canary.percentage is None else canary.percentage
    if tenant not in canary.tenants:
        raise TenantOutsideCanary(tenant, tenants=tuple(canary.tenants))
    return Decimal(100)


def _shard_count(mode: Mode, rows: Mapping[str, int]) -> int:
    if mode in (Mode.BASELINE, Mode.CANARY):
        return 1
    customers = max([rows[entity] for entity in rows if catalog.ENTITIES[entity].cuts_shards], default=1)
    small = min(SHARDS_BEFORE_THEY_GROW, math.ceil(customers / CUSTOMERS_PER_SHARD))
    return max(small, math.ceil(customers / CUSTOMERS_PER_LARGE_SHARD))


def _shard_key(index: int) -> str:
    return f"{index:04d}"


def _shards_of(rows: Mapping[str, int], relations: Mapping[str, Relation], count: int) -> tuple[Shard, ...]:
    edges = [_edges_at(rows, relations, index, count) for index in range(count + 1)]
    return tuple(
        Shard(
            key=_shard_key(index),
            ranges=MappingProxyType(
                {
                    entity: RowRange(first=first, rows=edges[index + 1][entity] - first)
                    for entity, first in edges[index].items()
                }
            ),
        )
        for index in range(count)
    )


def _edges_at(rows: Mapping[str, int], relations: Mapping[str, Relation], index: int, count: int) -> dict[str, int]:
    """The first row of every entity at the edge before shard `index`."""
    edges: dict[str, int] = {}
    for entity, total in rows.items():
        parent = catalog.ENTITIES[entity].scales_with
        if parent is not None:
            edges[entity] = relations[entity].first_child(edges[parent])
        elif catalog.ENTITIES[entity].cuts_shards:
            edges[entity] = index * total // count
        else:
            edges[entity] = total if index else 0
    return edges

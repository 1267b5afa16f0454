"""The ops that every manifest's graph is made of: one set for each environment, since a pool belongs to an op, thin,
and told by the run which manifest they work on.

validate_profile and acquire_tenant_lock show their part in the UI; each entity op does what they do again, because a
retry from the failed step, or a single asset, skips them.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import MappingProxyType

import dagster as dg

from seed_pipelines import catalog, flow
from seed_pipelines.control import runs
from seed_pipelines.control.checkpoints import EntityLoad
from seed_pipelines.control.recovery import recovery_of
from seed_pipelines.errors import OracleDisagrees
from seed_pipelines.flow import Publication
from seed_pipelines.load.isolation import isolation_of
from seed_pipelines.manifest.model import Mode
from seed_pipelines.objectives import RPO_OBJECTIVE_MS, RTO_OBJECTIVE_MS
from seed_pipelines.orchestration import metadata
from seed_pipelines.orchestration.hold import HOLD, Hold
from seed_pipelines.orchestration.names import DATASET
from seed_pipelines.orchestration.worker import Step, step
from seed_pipelines.outside.postgres import connected, dsn_of
from seed_pipelines.profile.measured import profile_of
from seed_pipelines.profile.plots import load_drawing

START = "start"
RESULT = "result"
VALIDATE = "validate_profile"
LOCK = "acquire_tenant_lock"
PUBLISH = "publish_dataset"
ROWS_CHECK = "rows_as_planned"
ORACLE_CHECK = "equal_to_oracle"
ISOLATION_CHECK = "tenant_isolated"
HASH_CHECK = "hash_as_before"
RECOVERY_CHECK = "recovery_objectives"
# What a person reads beside the result of a check.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        ROWS_CHECK: "As many rows of the shard are in as the plan says.",
        ORACLE_CHECK: "Schedules, charges, CET and payments of a sample equal the official calculation, to the cent.",
        ISOLATION_CHECK: "A reader of the tenant sees all its rows, and one of another tenant none.",
        HASH_CHECK: "The dataset is, byte for byte, the one that the same manifest gave before.",
        RECOVERY_CHECK: "The rehearsed recovery lost no more and took no longer than the objectives allow.",
    }
)
# Entities with money that an independent calculation can check.
CHECKED_BY_ORACLE = ("loans", "installments", "financial_transactions", "contracts")

Results = Iterator[dg.Output[None] | dg.AssetCheckResult]


def checks_of(asset: str, mode: Mode) -> tuple[str, ...]:
    """The asset checks that the op of this asset yields for a manifest of this mode; mode dr has all of them."""
    if asset == DATASET:
        return (ISOLATION_CHECK, HASH_CHECK, *([RECOVERY_CHECK] if mode is Mode.DR else []))
    return (ROWS_CHECK, ORACLE_CHECK) if asset in CHECKED_BY_ORACLE else (ROWS_CHECK,)


def validate_profile(context: dg.OpExecutionContext) -> Results:
    """The manifest, its plan and the database: everything that has to hold before the first row."""
    with step(context) as work:
        context.log.info(
            f"{work.plan.total_rows} rows in {len(work.plan.shards)} shards, window {work.plan.manifest.window}"
        )
    yield dg.Output(None, RESULT, metadata=metadata.of_plan(work.plan))


def acquire_tenant_lock(context: dg.OpExecutionContext) -> Results:
    """The lease of this tenant and environment, shared by all shards of one seed run."""
    with step(context) as work:
        context.log.info(f"seed run {work.run.id} works on {work.launch.name.path}")
    yield dg.Output(None, RESULT, metadata=metadata.of_run(work.run) | metadata.of_trace(work.run, work.trace_url))


def _loading(entity: str) -> Callable[[dg.OpExecutionContext], Results]:
    def load(context: dg.OpExecutionContext) -> Results:
        with step(context) as work:
            loaded = yield from _loaded(work, entity, shard=context.partition_key)
        if loaded.spending.is_alerted:
            context.log.warning(f"{loaded.spending.percent} % of the seed run's budget is spent")
        told = metadata.of_load(loaded, work.run) | metadata.of_trace(work.run, work.trace_url)
        yield dg.Output(None, RESULT, metadata=told)
        yield from _entity_checks(work, loaded)

    load.__doc__ = f"The rows of {entity} in this shard, batch by batch; a retry goes on at the first missing batch."
    return load


def _loaded(work: Step, entity: str, *, shard: str) -> Generator[dg.AssetCheckResult, None, EntityLoad]:
    """The entity loaded; where the official calculation disagrees, its check says so before the step fails."""
    try:
        return flow.load_entity(work.session, work.plan, work.run, shard=shard, entity=entity)
    except OracleDisagrees as error:
        if entity in CHECKED_BY_ORACLE:
            yield dg.AssetCheckResult(
                asset_key=work.launch.name.key(entity),
                check_name=ORACLE_CHECK,
                passed=False,
                metadata={"loans that differ": len(error.indexes)},
            )
        raise


def _entity_checks(work: Step, loaded: EntityLoad) -> Iterator[dg.AssetCheckResult]:
    key = work.launch.name.key(loaded.entity)
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=ROWS_CHECK,
        passed=loaded.rows == loaded.planned_rows,
        metadata={"planned": loaded.planned_rows, "actual": loaded.rows},
    )
    if loaded.entity in CHECKED_BY_ORACLE:
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=ORACLE_CHECK,
            # Nothing compared is no proof, but where there is nothing.
            passed=loaded.oracle_loans > 0 or not loaded.planned_rows,
            metadata={"loans compared": loaded.oracle_loans},
        )


def publish_dataset(context: dg.OpExecutionContext) -> Results:
    """Closes the shard; the last one publishes the whole dataset in one transaction."""
    with step(context) as work:
        published = flow.publish(work.session, work.plan, work.run, shard=context.partition_key)
        checks, looks = _examined(work, published) if published else ([], {})
    told = metadata.of_publication(published, work.run) | metadata.of_trace(work.run, work.trace_url)
    # The shard is in: from here on there is nothing to give back.
    hold: Hold = getattr(context.resources, HOLD)
    hold.seed_run_id = None
    yield dg.Output(None, RESULT, metadata=told | looks)
    yield from checks


def _examined(work: Step, published: Publication) -> tuple[list[dg.AssetCheckResult], metadata.Metadata]:
    """Checks and looks of the dataset; both read all of it, and do so at the same time."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="seed-looks") as beside:
        beside.submit(load_drawing)
        looks = beside.submit(_looks_of, work, published)
        return list(_dataset_checks(work, published)), looks.result()


def _looks_of(work: Step, published: Publication) -> metadata.Metadata:
    with connected(dsn_of(work.session.connection)) as connection:
        profile = profile_of(connection, published.run, plan=work.plan, is_quick=True)
    return metadata.of_profile(profile) if profile else {}


def _dataset_checks(work: Step, published: Publication) -> Iterator[dg.AssetCheckResult]:
    key = work.launch.name.key(DATASET)
    isolation = isolation_of(work.session.connection, published.run)
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=ISOLATION_CHECK,
        passed=isolation.holds,
        metadata={"rows seen by the tenant": isolation.own_rows, "by another": isolation.foreign_rows},
    )
    before = runs.hash_before(work.session.connection, published.run)
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=HASH_CHECK,
        passed=before in (None, published.dataset_hash),
        metadata={"hash": published.dataset_hash, "before": before or "never published before"},
    )
    if work.plan.manifest.mode is Mode.DR:
        yield _recovery_check(work, published)


def _recovery_check(work: Step, published: Publication) -> dg.AssetCheckResult:
    measured = recovery_of(work.session.connection, published.run)
    return dg.AssetCheckResult(
        asset_key=work.launch.name.key(DATASET),
        check_name=RECOVERY_CHECK,
        passed=measured.holds,
        metadata={
            "RPO in ms": "unknown" if measured.rpo_ms is None else measured.rpo_ms,
            "RPO at most": RPO_OBJECTIVE_MS,
            "RTO in ms": measured.rto_ms,
            "RTO at most": RTO_OBJECTIVE_MS,
        },
    )


@cache
def ops_of(pool: str) -> Mapping[str, dg.OpDefinition]:
    """Every op of an environment's graphs, by the name that its step has in the UI, in the order of the flow."""
    steps: dict[str, Callable[[dg.OpExecutionContext], Results]] = {
        VALIDATE: validate_profile,
        LOCK: acquire_tenant_lock,
        **{entity: _loading(entity) for entity in catalog.ENTITIES},
        PUBLISH: publish_dataset,
    }
    return MappingProxyType({name: _op(name, pool, compute) for name, compute in steps.items()})


def _op(name: str, pool: str, compute: Callable[[dg.OpExecutionContext], Results]) -> dg.OpDefinition:
    asset = DATASET if name == PUBLISH else name
    checks = checks_of(asset, Mode.DR) if asset in (*catalog.ENTITIES, DATASET) else ()
    outs = {RESULT: dg.Out(dg.Nothing)} | {check: dg.Out(dg.Nothing, is_required=False) for check in checks}
    ins = {} if name == VALIDATE else {START: dg.In(dg.Nothing)}
    # A definition's name is unique in a code location, graphs included; the graph gives it the step's name back.
    make = dg.op(
        name=f"op__{pool}__{name}",
        description=compute.__doc__,
        ins=ins,
        out=outs,
        pool=pool,
        required_resource_keys={HOLD},
    )
    return make(compute)

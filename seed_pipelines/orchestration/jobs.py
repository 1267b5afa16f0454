"""One manifest is one graph-backed group of assets and one job; its shards are the partitions."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

# Dagster exports no name for what define_asset_job returns.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from seed_pipelines import catalog
from seed_pipelines.orchestration import ops
from seed_pipelines.orchestration.names import DATASET, MANIFEST_HASH_TAG, ManifestName
from seed_pipelines.plan import Plan


def seed_assets(name: ManifestName, plan: Plan) -> dg.AssetsDefinition:
    """The assets of one manifest: its entities in dependency order, then the dataset. They run as a whole."""
    assets = [*plan.rows, DATASET]
    return dg.AssetsDefinition.from_graph(
        _graph(name, plan),
        keys_by_output_name={asset: name.key(asset) for asset in assets},
        internal_asset_deps={asset: {name.key(parent) for parent in _parents(asset, plan)} for asset in assets},
        partitions_def=dg.StaticPartitionsDefinition(list(plan.shard_keys)),
        group_name=name.group,
        check_specs=_check_specs(name, assets),
        descriptions_by_output_name={asset: _description(asset, plan) for asset in assets},
        metadata_by_output_name={asset: {"manifest": name.path, "mode": plan.manifest.mode.value} for asset in assets},
        tags_by_output_name={asset: {"seed/mode": plan.manifest.mode.value} for asset in assets},
        code_versions_by_output_name={asset: plan.manifest.manifest_hash[:16] for asset in assets},
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        can_subset=False,
    )


def seed_job(name: ManifestName, plan: Plan, assets: dg.AssetsDefinition) -> UnresolvedAssetJobDefinition:
    """The job of one manifest. The executor runs all its steps in one process: a worker is a shard."""
    return dg.define_asset_job(
        name.job,
        selection=dg.AssetSelection.assets(assets),
        description=f"{plan.manifest.mode.value} of {name.path}: {plan.total_rows} rows in {len(plan.shards)} shards",
        executor_def=dg.in_process_executor,
        tags=name.tags | {MANIFEST_HASH_TAG: plan.manifest.manifest_hash},
    )


def _graph(name: ManifestName, plan: Plan) -> dg.GraphDefinition:
    definitions = ops.ops_of(name.pool)
    chain = [ops.VALIDATE, ops.LOCK, *plan.rows, ops.PUBLISH]
    dependencies: dict[dg.NodeInvocation, Mapping[str, Any]] = {
        dg.NodeInvocation(definitions[step].name, alias=step): (
            {} if earlier is None else {ops.START: dg.DependencyDefinition(earlier, ops.RESULT)}
        )
        for earlier, step in zip([None, *chain], chain, strict=False)
    }
    return dg.GraphDefinition(
        name=name.job,
        node_defs=[definitions[step] for step in chain],
        dependencies=dependencies,
        output_mappings=[mapping for asset in (*plan.rows, DATASET) for mapping in _outputs(name, asset)],
        # A run that is launched from an asset carries none of the job's tags, but it keeps the graph's.
        tags={MANIFEST_HASH_TAG: plan.manifest.manifest_hash},
    )


def _outputs(name: ManifestName, asset: str) -> list[dg.OutputMapping]:
    step = ops.PUBLISH if asset == DATASET else asset
    checks = [
        dg.OutputMapping(_check_spec(name, asset, check).get_python_identifier(), step, check)
        for check in ops.checks_of(asset)
    ]
    return [dg.OutputMapping(asset, step, ops.RESULT), *checks]


def _check_specs(name: ManifestName, assets: list[str]) -> list[dg.AssetCheckSpec]:
    return [_check_spec(name, asset, check) for asset in assets for check in ops.checks_of(asset)]


def _check_spec(name: ManifestName, asset: str, check: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(check, asset=name.key(asset))


def _parents(asset: str, plan: Plan) -> set[str]:
    if asset == DATASET:
        return set(plan.rows)
    parents = {parent.entity for parent in catalog.ENTITIES[asset].parents}
    return parents or ({"tenants"} - {asset})


def _description(asset: str, plan: Plan) -> str:
    if asset == DATASET:
        return (
            f"The published dataset: {plan.total_rows} rows, made visible in one transaction ({plan.publisher.value})."
        )
    return f"{plan.rows[asset]} rows of {asset}; their checkpoints are the metadata of each partition."

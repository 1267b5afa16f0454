"""One manifest is one graph-backed group of assets and one job; its shards are the partitions."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

# Dagster exports no name for the assets that a job is resolved among.
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from seed_pipelines import catalog
from seed_pipelines.orchestration import ops
from seed_pipelines.orchestration.hold import RESOURCES
from seed_pipelines.orchestration.names import DATASET, MANIFEST_HASH_TAG, ManifestName
from seed_pipelines.orchestration.run_resources import KUBERNETES_TAG, PodResources
from seed_pipelines.plan import Outline

# A kind is a tag without a value; the UI draws it on the asset.
_KINDS = {"dagster/kind/postgres": "", "dagster/kind/table": ""}


def seed_assets(name: ManifestName, outline: Outline) -> dg.AssetsDefinition:
    """The assets of one manifest: its entities in dependency order, then the dataset. They run as a whole."""
    assets, mode = [*outline.entities, DATASET], outline.manifest.mode.value
    return dg.AssetsDefinition.from_graph(
        _graph(name, outline),
        keys_by_output_name={asset: name.key(asset) for asset in assets},
        internal_asset_deps={asset: {name.key(parent) for parent in _parents(asset, outline)} for asset in assets},
        partitions_def=dg.StaticPartitionsDefinition(list(outline.shard_keys)),
        group_name=name.group,
        check_specs=_check_specs(name, outline, assets),
        descriptions_by_output_name={asset: _description(asset, outline) for asset in assets},
        metadata_by_output_name={asset: {"manifest": name.path, "mode": mode} for asset in assets},
        tags_by_output_name={asset: name.tags | {"seed/mode": mode} | _KINDS for asset in assets},
        owners_by_output_name={asset: [name.owner] for asset in assets},
        code_versions_by_output_name={asset: outline.manifest.manifest_hash[:16] for asset in assets},
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        can_subset=False,
    )


def seed_job(
    name: ManifestName, outline: Outline, assets: dg.AssetsDefinition, *, resources: PodResources
) -> dg.JobDefinition:
    """The job of one manifest. The executor runs all its steps in one process: a worker is a shard."""
    job = dg.define_asset_job(
        name.job,
        selection=dg.AssetSelection.assets(assets),
        description=f"{outline.manifest.mode.value} of {name.path}, shards: {len(outline.shard_keys)}",
        executor_def=dg.in_process_executor,
        tags=name.tags | {MANIFEST_HASH_TAG: outline.manifest.manifest_hash, KUBERNETES_TAG: resources.tag()},
    )
    # Among its own assets only: Dagster would go through the assets of every manifest for the job of each.
    return job.resolve(AssetGraph.from_assets([assets]), resource_defs=RESOURCES)


def _graph(name: ManifestName, outline: Outline) -> dg.GraphDefinition:
    definitions = ops.ops_of(name.pool)
    chain = [ops.VALIDATE, ops.LOCK, *outline.entities, ops.PUBLISH]
    dependencies: dict[dg.NodeInvocation, Mapping[str, Any]] = {
        dg.NodeInvocation(definitions[step].name, alias=step): (
            {} if earlier is None else {ops.START: dg.DependencyDefinition(earlier, ops.RESULT)}
        )
        for earlier, step in zip([None, *chain], chain, strict=False)
    }
    return dg.GraphDefinition(
        name=name.graph,
        node_defs=[definitions[step] for step in chain],
        dependencies=dependencies,
        output_mappings=[
            mapping for asset in (*outline.entities, DATASET) for mapping in _outputs(name, outline, asset)
        ],
        # A run that is launched from an asset carries none of the job's tags, but it keeps the graph's.
        tags={MANIFEST_HASH_TAG: outline.manifest.manifest_hash},
    )


def _outputs(name: ManifestName, outline: Outline, asset: str) -> list[dg.OutputMapping]:
    step = ops.PUBLISH if asset == DATASET else asset
    checks = [
        dg.OutputMapping(_check_spec(name, asset, check).get_python_identifier(), step, check)
        for check in ops.checks_of(asset, outline.manifest.mode)
    ]
    return [dg.OutputMapping(asset, step, ops.RESULT), *checks]


def _check_specs(name: ManifestName, outline: Outline, assets: list[str]) -> list[dg.AssetCheckSpec]:
    return [
        _check_spec(name, asset, check) for asset in assets for check in ops.checks_of(asset, outline.manifest.mode)
    ]


def _check_spec(name: ManifestName, asset: str, check: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(check, asset=name.key(asset), description=ops.CHECKS[check])


def _parents(asset: str, outline: Outline) -> set[str]:
    if asset == DATASET:
        return set(outline.entities)
    referred_to = {parent.entity for parent in catalog.ENTITIES[asset].parents}
    # A tree's rows refer to rows of their own, and not every manifest has an entity that may be left out.
    parents = referred_to & (set(outline.entities) - {asset})
    return parents or ({"tenants"} - {asset})


def _description(asset: str, outline: Outline) -> str:
    if asset == DATASET:
        return "The published dataset: all entities, made visible to readers in one transaction by the last shard."
    rows = f"{outline.rows[asset]} rows" if asset in outline.rows else "The rows"
    return f"{rows} of {asset}; their checkpoints are the metadata of each partition."

"""A manifest that cannot be loaded: a job of its name that says why, beside the jobs of all the others."""

import dagster as dg

# Dagster exports no name for what define_asset_job returns.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.names import ManifestName


def broken_manifest(name: ManifestName, error: SeedError) -> dg.AssetsDefinition:
    """An asset in the manifest's group whose description, and failure, is what is wrong with the file."""

    @dg.asset(
        key=name.key("manifest"),
        group_name=name.group,
        description=f"{name.path} cannot be loaded.\n\n```\n{error}\n```",
        metadata={"manifest": name.path, "code": error.code},
        tags={"seed/broken": "true"},
    )
    def broken() -> None:
        raise dg.Failure(description=str(error), metadata={"code": error.code}, allow_retries=False)

    return broken


def broken_job(name: ManifestName, assets: dg.AssetsDefinition) -> UnresolvedAssetJobDefinition:
    """The job that stands where the manifest's own would."""
    return dg.define_asset_job(
        f"broken__{name.group}",
        selection=dg.AssetSelection.assets(assets),
        description=f"{name.path} cannot be loaded: run this job, or read its asset, to see why.",
        executor_def=dg.in_process_executor,
    )

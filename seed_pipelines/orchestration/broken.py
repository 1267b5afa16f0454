"""A manifest that cannot be loaded: a job of its name that says why, beside the jobs of all the others.

Its file may be called anything, so its names here are made to fit Dagster and to be another for each path.
"""

import hashlib
import re
from dataclasses import dataclass

import dagster as dg

# Dagster exports no name for what define_asset_job returns.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.names import ManifestName

_WELL_NAMED = re.compile(r"[a-z][a-z0-9-]{0,62}/[a-z][a-z0-9-]{0,62}\.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenManifest:
    """A file that cannot be loaded, with the reason."""

    path: str
    error: SeedError

    @property
    def group(self) -> str:
        """The group that the manifest would have, where its path says one."""
        if _WELL_NAMED.fullmatch(self.path):
            return ManifestName.of_path(self.path).group
        plain = re.sub(r"[^A-Za-z0-9]+", "_", self.path).strip("_")
        return f"{plain[:60]}_{hashlib.sha256(self.path.encode()).hexdigest()[:8]}"

    @property
    def job(self) -> str:
        return f"broken__{self.group}"


def broken_manifest(manifest: BrokenManifest) -> dg.AssetsDefinition:
    """An asset in the manifest's group whose description, and failure, is what is wrong with the file."""
    error = manifest.error

    @dg.asset(
        key=dg.AssetKey([manifest.job, "manifest"]),
        group_name=manifest.group,
        description=f"{manifest.path} cannot be loaded.\n\n```\n{error}\n```",
        metadata={"manifest": manifest.path, "code": error.code},
        tags={"seed/broken": "true"},
    )
    def broken() -> None:
        raise dg.Failure(description=str(error), metadata={"code": error.code}, allow_retries=False)

    return broken


def broken_job(manifest: BrokenManifest, assets: dg.AssetsDefinition) -> UnresolvedAssetJobDefinition:
    """The job that stands where the manifest's own would."""
    return dg.define_asset_job(
        manifest.job,
        selection=dg.AssetSelection.assets(assets),
        description=f"{manifest.path} cannot be loaded.\n\n```\n{manifest.error}\n```",
        executor_def=dg.in_process_executor,
    )

"""The code location: every manifest of the folder, loaded or broken, with its job, schedule and sensors."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.broken import broken_job, broken_manifest
from seed_pipelines.orchestration.jobs import seed_assets, seed_job
from seed_pipelines.orchestration.manifest_sensor import LoadedManifest, manifest_sensor
from seed_pipelines.orchestration.names import JOB_PREFIX, ManifestName
from seed_pipelines.orchestration.report_sensor import report_sensor
from seed_pipelines.orchestration.schedules import off_peak_schedule
from seed_pipelines.session import Installation

# Kubernetes run pods are told which job they run.
_JOB_OF_THIS_PROCESS = "DAGSTER_RUN_JOB_NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenManifest:
    """A file that cannot be loaded, with the reason."""

    name: ManifestName
    error: SeedError


def definitions_of(installation: Installation, *, job: str | None = None) -> dg.Definitions:
    """Everything that Dagster shows. With `job`, only the manifest of that job: a worker starts faster so.

    A broken manifest never raises here: it becomes a job that says what is wrong, and the others load.
    """
    loaded, broken = _load(installation, job or os.environ.get(_JOB_OF_THIS_PROCESS))
    failing = [(manifest.name, broken_manifest(manifest.name, manifest.error)) for manifest in broken]
    return dg.Definitions(
        assets=[*(manifest.assets for manifest in loaded), *(asset for _, asset in failing)],
        jobs=[*(manifest.job for manifest in loaded), *(broken_job(name, asset) for name, asset in failing)],
        schedules=[off_peak_schedule(manifest.name, manifest.plan) for manifest in loaded],
        sensors=_sensors(installation, loaded),
        # Runs that are launched from an asset take this one, not the job's.
        executor=dg.in_process_executor,
    )


def _sensors(installation: Installation, loaded: Sequence[LoadedManifest]) -> list[dg.SensorDefinition]:
    reports = [report_sensor(installation)]
    return [manifest_sensor(loaded, commit=installation.folder.git_commit()), *reports] if loaded else reports


def _load(installation: Installation, job: str | None) -> tuple[list[LoadedManifest], list[BrokenManifest]]:
    loaded: list[LoadedManifest] = []
    broken: list[BrokenManifest] = []
    for path in installation.folder.paths():
        name = ManifestName.of_path(path)
        if not _is_wanted(name, installation, job):
            continue
        try:
            plan = installation.plan(installation.manifest(path))
        except SeedError as error:
            broken.append(BrokenManifest(name=name, error=error))
        else:
            assets = seed_assets(name, plan)
            loaded.append(LoadedManifest(name=name, plan=plan, assets=assets, job=seed_job(name, plan, assets)))
    return loaded, broken


def _is_wanted(name: ManifestName, installation: Installation, job: str | None) -> bool:
    if installation.settings.environment not in (None, name.environment):
        return False
    # A run of assets names Dagster's own implicit job, which may hold any of them.
    return job is None or not job.startswith(JOB_PREFIX) or job == name.job

"""The code location: every manifest of the folder, loaded or broken, with its job, schedule and sensors."""

import os
from collections.abc import Mapping

import dagster as dg

from seed_pipelines.manifest.model import Mode
from seed_pipelines.orchestration.broken import BrokenManifest, broken_job, broken_manifest
from seed_pipelines.orchestration.hold import RESOURCES
from seed_pipelines.orchestration.jobs import seed_assets, seed_job
from seed_pipelines.orchestration.manifest_sensor import LoadedManifest, manifest_sensor
from seed_pipelines.orchestration.names import JOB_PREFIX, ManifestName
from seed_pipelines.orchestration.purge import purge_job, purge_schedule
from seed_pipelines.orchestration.reconciler import abandoned_sensor
from seed_pipelines.orchestration.report_sensor import report_sensor
from seed_pipelines.orchestration.run_resources import PodResources, resources_by_mode
from seed_pipelines.orchestration.schedules import off_peak_schedule
from seed_pipelines.plan import outline_of
from seed_pipelines.redaction import shown
from seed_pipelines.session import Installation

# Kubernetes run pods are told which job they run.
_JOB_OF_THIS_PROCESS = "DAGSTER_RUN_JOB_NAME"


def definitions_of(installation: Installation, *, job: str | None = None) -> dg.Definitions:
    """Everything that Dagster shows. With `job`, only the manifest of that job: a worker starts faster so.

    A broken manifest never raises here: it becomes a job that says what is wrong, and the others load. A setting that
    is wrong for all of them does: SettingNotUsable.
    """
    loaded, broken = _load(installation, job or os.environ.get(_JOB_OF_THIS_PROCESS))
    failing = [(manifest, broken_manifest(manifest)) for manifest in broken]
    commits = manifest_sensor(
        loaded, broken=[manifest.path for manifest in broken], commit=installation.folder.git_commit()
    )
    purging = purge_job(installation)
    return dg.Definitions(
        assets=[*(manifest.assets for manifest in loaded), *(asset for _, asset in failing)],
        jobs=[
            *(manifest.job for manifest in loaded),
            *(broken_job(manifest, asset) for manifest, asset in failing),
            purging,
        ],
        schedules=[
            *(off_peak_schedule(manifest.name, manifest.outline) for manifest in loaded),
            purge_schedule(installation, purging),
        ],
        sensors=[commits, report_sensor(installation), abandoned_sensor(installation, loaded)],
        resources=RESOURCES,
        # Runs that are launched from an asset take this one, not the job's.
        executor=dg.in_process_executor,
    )


def _load(installation: Installation, job: str | None) -> tuple[list[LoadedManifest], list[BrokenManifest]]:
    loaded: list[LoadedManifest] = []
    broken: list[BrokenManifest] = []
    resources = resources_by_mode(installation.settings.run_resources)
    for path in installation.folder.paths():
        if not _is_wanted(ManifestName.of_path(path), installation, job):
            continue
        try:
            loaded.append(_loaded(installation, path, resources=resources))
        # A bug that one manifest finds must not take the others down either.
        except Exception as error:
            broken.append(BrokenManifest(path=path, error=shown(error)))
    return loaded, broken


def _loaded(installation: Installation, path: str, *, resources: Mapping[Mode, PodResources]) -> LoadedManifest:
    name = ManifestName.of_path(path)
    outline = outline_of(installation.manifest(path))
    assets = seed_assets(name, outline)
    job = seed_job(name, outline, assets, resources=resources[outline.manifest.mode])
    return LoadedManifest(name=name, outline=outline, assets=assets, job=job)


def _is_wanted(name: ManifestName, installation: Installation, job: str | None) -> bool:
    if installation.settings.environment not in (None, name.environment):
        return False
    # A run of assets names Dagster's own implicit job, which may hold any of them.
    return job is None or not job.startswith(JOB_PREFIX) or job == name.job

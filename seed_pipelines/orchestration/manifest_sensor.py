"""The manifest sensor: a commit that changes a manifest gets its job run, once.

It compares the manifests that this code location has loaded, not the files: a change counts from the reload on. The
cursor remembers what was seen. A key made of hash and commit lets a revert run again, and a restart not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

# Dagster exports no name for what define_asset_job returns.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from seed_pipelines.orchestration.names import (
    IDEMPOTENCY_KEY_TAG,
    MANIFEST_HASH_TAG,
    TRIGGER_TAG,
    ManifestName,
)
from seed_pipelines.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedManifest:
    """A manifest as this code location has loaded it."""

    name: ManifestName
    plan: Plan
    assets: dg.AssetsDefinition
    job: UnresolvedAssetJobDefinition

    @property
    def hash(self) -> str:
        return self.plan.manifest.manifest_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a tick found: to run now, waiting for its window, and what is gone or new in the folder."""

    due: tuple[LoadedManifest, ...]
    waiting: tuple[str, ...]
    removed: tuple[str, ...]
    seen: Mapping[str, str]


def changes_since(seen: Mapping[str, str] | None, loaded: Sequence[LoadedManifest], *, now: datetime) -> Changes:
    """Compare what was seen with what is loaded. The first look only takes note."""
    hashes = {manifest.name.path: manifest.hash for manifest in loaded}
    if seen is None:
        return Changes(due=(), waiting=(), removed=(), seen=hashes)
    changed = [manifest for manifest in loaded if seen.get(manifest.name.path) != manifest.hash]
    due = tuple(manifest for manifest in changed if manifest.plan.manifest.window.is_open(now))
    waiting = tuple(manifest.name.path for manifest in changed if manifest not in due)
    # What waits stays unseen, and is found again at the next tick.
    kept = {path: seen.get(path, "") for path in waiting}
    return Changes(due=due, waiting=waiting, removed=tuple(sorted(set(seen) - set(hashes))), seen=hashes | kept)


def manifest_sensor(loaded: Sequence[LoadedManifest], *, commit: str | None) -> dg.SensorDefinition:
    """The sensor over all the jobs of this code location."""

    @dg.sensor(
        name="manifest_commits",
        jobs=[manifest.job for manifest in loaded],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs the job of each manifest that a commit changed, when its window is open.",
    )
    def manifest_commits(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = json.loads(context.cursor) if context.cursor else None
        found = changes_since(seen, loaded, now=datetime.now(UTC))
        for path in found.removed:
            context.log.warning(f"{path} was removed: its datasets stay until they expire or are purged")
        for path in found.waiting:
            context.log.info(f"{path} changed: it runs when its window opens")
        requests = [request for manifest in found.due for request in requests_of(manifest, commit=commit)]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("no manifest to run"),
            cursor=json.dumps(found.seen, sort_keys=True),
        )

    return manifest_commits


def requests_of(manifest: LoadedManifest, *, commit: str | None) -> list[dg.RunRequest]:
    """One run for each shard; hash and commit are their common key."""
    key = f"manifest:{manifest.hash}:{commit or 'no-commit'}"
    tags = manifest.name.tags | {
        IDEMPOTENCY_KEY_TAG: key,
        TRIGGER_TAG: "manifest",
        MANIFEST_HASH_TAG: manifest.hash,
    }
    return [
        dg.RunRequest(
            job_name=manifest.name.job, run_key=f"{manifest.name.path}:{key}:{shard}", partition_key=shard, tags=tags
        )
        for shard in manifest.plan.shard_keys
    ]

"""The manifest sensor: a commit that changes a manifest gets its job run, once.

It compares the manifests that this code location has loaded, not the files: a change counts from the reload on. The
cursor remembers what was seen. A key made of hash and commit lets a revert run again, and a restart not; a folder that
is no checkout has no commit, and its changes are counted instead.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import dagster as dg

from seed_pipelines.orchestration.names import (
    IDEMPOTENCY_KEY_TAG,
    MANIFEST_HASH_TAG,
    TRIGGER_TAG,
    ManifestName,
)
from seed_pipelines.plan import Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedManifest:
    """A manifest as this code location has loaded it."""

    name: ManifestName
    outline: Outline
    assets: dg.AssetsDefinition
    job: dg.JobDefinition

    @property
    def hash(self) -> str:
        return self.outline.manifest.manifest_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What earlier ticks have seen: a hash for each manifest, and how often one of them changed."""

    hashes: Mapping[str, str] = field(default_factory=dict)
    changes: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps({"hashes": self.hashes, "changes": self.changes}, sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a tick found: to run now, waiting for its window, and gone from the folder."""

    due: tuple[LoadedManifest, ...] = ()
    waiting: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    cursor: Cursor


def changes_since(
    seen: Cursor | None, loaded: Sequence[LoadedManifest], *, broken: Collection[str], now: datetime
) -> Changes:
    """Compare what was seen with what is loaded. The first look only takes note."""
    hashes = {manifest.name.path: manifest.hash for manifest in loaded}
    if seen is None:
        return Changes(cursor=Cursor(hashes=hashes))
    changed = [manifest for manifest in loaded if seen.hashes.get(manifest.name.path) != manifest.hash]
    due = tuple(manifest for manifest in changed if manifest.outline.manifest.window.is_open(now))
    waiting = tuple(manifest.name.path for manifest in changed if manifest not in due)
    # What waits, and what cannot be loaded at the moment, is compared with the same hash at the next tick.
    kept = {path: seen.hashes.get(path, "") for path in (*waiting, *broken)}
    return Changes(
        due=due,
        waiting=waiting,
        removed=tuple(sorted(set(seen.hashes) - set(hashes) - set(broken))),
        cursor=Cursor(hashes=hashes | kept, changes=seen.changes + len(due)),
    )


def manifest_sensor(
    loaded: Sequence[LoadedManifest], *, broken: Collection[str], commit: str | None
) -> dg.SensorDefinition:
    """The sensor over all the jobs of this code location."""

    @dg.sensor(
        name="manifest_commits",
        jobs=[manifest.job for manifest in loaded] or None,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs the job of each manifest that a commit changed, when its window is open.",
    )
    def manifest_commits(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = Cursor.parse(context.cursor) if context.cursor else None
        found = changes_since(seen, loaded, broken=broken, now=datetime.now(UTC))
        for path in found.removed:
            context.log.warning(f"{path} was removed: its datasets stay until they expire or are purged")
        for path in found.waiting:
            context.log.info(f"{path} changed: it runs when its window opens")
        change = commit or f"change-{found.cursor.changes}"
        requests = [request for manifest in found.due for request in requests_of(manifest, change=change)]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("no manifest to run"),
            cursor=str(found.cursor),
        )

    return manifest_commits


def requests_of(manifest: LoadedManifest, *, change: str) -> list[dg.RunRequest]:
    """One run for each shard; their common key is the hash and the change that brought it."""
    key = f"manifest:{manifest.hash}:{change}"
    tags = manifest.name.tags | {
        IDEMPOTENCY_KEY_TAG: key,
        TRIGGER_TAG: "manifest",
        MANIFEST_HASH_TAG: manifest.hash,
    }
    return [
        dg.RunRequest(
            job_name=manifest.name.job, run_key=f"{manifest.name.path}:{key}:{shard}", partition_key=shard, tags=tags
        )
        for shard in manifest.outline.shard_keys
    ]

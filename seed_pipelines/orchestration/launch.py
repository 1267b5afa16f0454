"""What a Dagster run was launched for: which manifest, which hash, by which idempotency key.

The key of a run that nobody gave one is its backfill's id, or the id of the run that it retries, or its own: all
shards of a backfill, and all retries of a run, are one seed run.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from uuid import uuid4

import dagster as dg

from seed_pipelines.control.runs import RunRequest
from seed_pipelines.errors import DefinitionsStale, ShardNotNamed, ShardUnknown, WindowNotIgnorable
from seed_pipelines.flow import IGNORE_WINDOW
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.orchestration import names
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.outside.telemetry import is_traceparent
from seed_pipelines.plan import Plan
from seed_pipelines.seeds import seed_of
from seed_pipelines.settings import DEV

_BACKFILL_TAG = "dagster/backfill"
_WAITING_TRIGGERS = ("schedule", "manifest", "abandoned")
_PARTITION_TAG = "dagster/partition"
_RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One Dagster run, as the seed run sees it."""

    name: ManifestName
    shard: str
    manifest_hash: str
    idempotency_key: str
    # A key that a person or a program gave is taken at its word; any other may join an idle seed run.
    may_join: bool
    ignore_window: bool
    # Whether it waits where its tenant or its environment is busy; nobody watches a schedule or a commit.
    waits: bool
    trigger: str
    traceparent: str
    dagster_run_id: str

    def assert_fresh(self, manifest: Manifest) -> None:
        """Raises DefinitionsStale where the manifest on disk is not the one of the launch."""
        if manifest.manifest_hash != self.manifest_hash:
            raise DefinitionsStale(self.name.path, launched=self.manifest_hash, found=manifest.manifest_hash)

    def assert_planned(self, plan: Plan) -> None:
        """Raises ShardUnknown where the plan has no such shard: Dagster takes any partition that a program names."""
        if self.shard not in plan.shard_keys:
            raise ShardUnknown(self.shard, known=plan.shard_keys)

    def request(self, keys: FieldKeys) -> RunRequest:
        """The seed run that this Dagster run asks for."""
        if self.ignore_window and self.name.environment != DEV:
            raise WindowNotIgnorable(self.name.environment)
        return RunRequest(
            seed_run_id=uuid4(),
            idempotency_key=self.idempotency_key,
            manifest_path=self.name.path,
            generator_version=GENERATOR_VERSION,
            vocabulary_sha256=vocabulary().sha256,
            key_check=keys.key_check,
            mask_key=asdict(keys.origin),
            flags={IGNORE_WINDOW: self.ignore_window, "trigger": self.trigger},
            may_join=self.may_join,
            traceparent=self.traceparent,
        )


def launch_of(context: dg.OpExecutionContext) -> Launch:
    """Read the run's tags; a run that was launched from an asset has none of the job's, but its snapshot does."""
    tags = context.run.tags
    name = ManifestName.of_key(next(iter(context.assets_def.keys)))
    given, given_trace = tags.get(names.IDEMPOTENCY_KEY_TAG), tags.get(names.TRACEPARENT_TAG, "")
    backfill = tags.get(_BACKFILL_TAG)
    trigger = tags.get(names.TRIGGER_TAG) or ("backfill" if backfill else "person")
    key = given or (f"backfill:{backfill}" if backfill else f"run:{context.run.root_run_id or context.run_id}")
    return Launch(
        name=name,
        shard=_shard_of(tags, name),
        manifest_hash=tags.get(names.MANIFEST_HASH_TAG) or _hash_in_snapshot(context, name),
        idempotency_key=key,
        may_join=given is None or tags.get(names.TRIGGER_TAG) == "schedule",
        ignore_window=tags.get(names.IGNORE_WINDOW_TAG) == "true",
        waits=tags.get(names.WAIT_TAG) == "true" or trigger in _WAITING_TRIGGERS,
        trigger=trigger,
        traceparent=given_trace if is_traceparent(given_trace) else _traceparent_of(name, key),
        dagster_run_id=context.run_id,
    )


def _shard_of(tags: Mapping[str, str], name: ManifestName) -> str:
    """The run's one partition; a backfill of assets writes it as a range from itself to itself."""
    first, last = (tags.get(tag, tags.get(_PARTITION_TAG)) for tag in _RANGE_TAGS)
    if first is None or first != last:
        raise ShardNotNamed(name.path)
    return first


def _traceparent_of(name: ManifestName, key: str) -> str:
    """The shards of one seed run belong to one trace, though nobody handed them one: it follows from their key."""
    seed = seed_of("trace", name.environment, name.tenant, key).hex()
    return f"00-{seed[:32]}-{seed[32:48]}-01"


def _hash_in_snapshot(context: dg.OpExecutionContext, name: ManifestName) -> str:
    """The hash that the graph of this manifest had when the run was launched; empty where there is no snapshot."""
    snapshot_id = context.run.job_snapshot_id
    if snapshot_id is None:
        return ""
    graphs = context.instance.get_job_snapshot(snapshot_id).node_defs_snapshot.graph_def_snaps
    return next((graph.tags.get(names.MANIFEST_HASH_TAG, "") for graph in graphs if graph.name == name.graph), "")

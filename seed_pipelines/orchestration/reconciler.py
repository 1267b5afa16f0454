"""The reconciler: seed runs whose workers died are marked, and asked for again where nobody would notice.

It reads the control plane's tables and not Dagster's events, which get lost. A person who launched a run sees that it
failed and launches it again; a schedule, a commit, a backfill or a request to the API has nobody who looks, so each of
its shards that is not in yet is requested once more, under the same idempotency key: it goes on from the last
checkpoint. What is requested is read anew at every tick: a tick that dies after it has marked a run loses nothing, and
Dagster launches one run for one key. The key counts how often the shard was begun: a second death is a second request.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from seed_pipelines.control import abandoned
from seed_pipelines.control.abandoned import AbandonedRun
from seed_pipelines.control.endings import ending_of
from seed_pipelines.errors import SeedError
from seed_pipelines.flow import IGNORE_WINDOW
from seed_pipelines.orchestration.manifest_sensor import LoadedManifest
from seed_pipelines.orchestration.names import (
    IDEMPOTENCY_KEY_TAG,
    IGNORE_WINDOW_TAG,
    MANIFEST_HASH_TAG,
    TRIGGER_TAG,
)
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.redaction import shown
from seed_pipelines.session import Installation, say_ended

_UNWATCHED_TRIGGERS = ("schedule", "manifest", "backfill", "api", abandoned.CODE)


def abandoned_sensor(installation: Installation, loaded: Sequence[LoadedManifest]) -> dg.SensorDefinition:
    """The sensor over all the jobs of this code location."""
    by_path = {manifest.name.path: manifest for manifest in loaded}

    @dg.sensor(
        name="abandoned_runs",
        jobs=[manifest.job for manifest in loaded] or None,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks seed runs whose workers died, and requests those again that nobody watches.",
    )
    def abandoned_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            with connected(installation.database_url()) as connection:
                for run, error in marked(connection, installation):
                    told = (
                        "was abandoned by its workers"
                        if error is None
                        else f"was not marked, or not measured: {error.code}"
                    )
                    context.log.warning(f"seed run {run.id} of {run.manifest_path} {told}")
                waiting = abandoned.to_request(connection, environment=installation.settings.environment)
        except Exception as error:
            ours = shown(error)
            raise dg.Failure(description=str(ours), metadata={"code": ours.code}) from None
        requests = [request for run in waiting for request in requests_of(run, by_path)]
        skip = None if requests else dg.SkipReason(f"{len(waiting)} abandoned seed runs, none to request again")
        return dg.SensorResult(run_requests=requests, skip_reason=skip)

    return abandoned_runs


def marked(connection: Connection, installation: Installation) -> Iterator[tuple[AbandonedRun, SeedError | None]]:
    """Each abandoned seed run after it has been marked, or with what kept it from that: the others are marked still."""
    for run in abandoned.found(connection, environment=installation.settings.environment):
        try:
            if not abandoned.mark(connection, run.id):
                continue
            say_ended(installation, ending_of(connection, run.id))
        except SeedError as error:
            yield run, error
        else:
            yield run, None


def requests_of(run: AbandonedRun, by_path: Mapping[str, LoadedManifest]) -> list[dg.RunRequest]:
    """One request for each shard that is not in, once; none where a person watches, or the manifest has changed."""
    manifest, trigger = by_path.get(run.manifest_path), run.flags.get("trigger")
    if manifest is None or manifest.hash != run.manifest_hash or trigger not in _UNWATCHED_TRIGGERS:
        return []
    tags = manifest.name.tags | {
        IDEMPOTENCY_KEY_TAG: run.idempotency_key,
        TRIGGER_TAG: abandoned.CODE,
        MANIFEST_HASH_TAG: run.manifest_hash,
    }
    if run.flags.get(IGNORE_WINDOW):
        tags[IGNORE_WINDOW_TAG] = "true"
    return [
        dg.RunRequest(
            job_name=manifest.name.job,
            run_key=f"abandoned:{run.id}:{shard}:{run.attempts.get(shard, 0)}",
            partition_key=shard,
            tags=tags,
        )
        for shard in manifest.outline.shard_keys
        if shard not in run.done_shards
    ]

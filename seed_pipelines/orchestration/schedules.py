"""One schedule a manifest, at the opening of its window, in UTC: a nightly reseed puts back what testers changed."""

import dagster as dg

from seed_pipelines.orchestration.names import (
    IDEMPOTENCY_KEY_TAG,
    MANIFEST_HASH_TAG,
    TRIGGER_TAG,
    ManifestName,
)
from seed_pipelines.plan import Outline
from seed_pipelines.settings import DEV


def off_peak_schedule(name: ManifestName, outline: Outline) -> dg.ScheduleDefinition:
    """One run for each shard, all with the scheduled time as their key. On in every environment but dev."""
    opens = outline.manifest.window.start
    status = dg.DefaultScheduleStatus.STOPPED if name.environment == DEV else dg.DefaultScheduleStatus.RUNNING

    @dg.schedule(
        name=f"off_peak__{name.group}",
        job_name=name.job,
        cron_schedule=f"{opens.minute} {opens.hour} * * *",
        execution_timezone="UTC",
        default_status=status,
        description=f"Reseeds {name.path} when its window {outline.manifest.window} UTC opens.",
    )
    def off_peak(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        when = context.scheduled_execution_time.strftime("%Y-%m-%dT%H:%MZ")
        tags = name.tags | {
            IDEMPOTENCY_KEY_TAG: f"schedule:{when}",
            TRIGGER_TAG: "schedule",
            MANIFEST_HASH_TAG: outline.manifest.manifest_hash,
        }
        return [dg.RunRequest(run_key=f"{when}:{key}", partition_key=key, tags=tags) for key in outline.shard_keys]

    return off_peak

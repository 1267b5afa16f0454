"""The purge in Dagster: every hour, what `control/expired.py` purges.

A dataset that other rows refer to fails the run, so that people see it; one that waits for a seed run does not.
"""

import dagster as dg

from seed_pipelines.control import expired, migrations
from seed_pipelines.control.expired import Outcome
from seed_pipelines.errors import SeedError
from seed_pipelines.outside.postgres import connected
from seed_pipelines.redaction import shown
from seed_pipelines.session import Installation
from seed_pipelines.settings import DEV

PURGE = "purge_expired"


def purge_job(installation: Installation) -> dg.JobDefinition:
    """The job of the schedule; it can be launched by hand too."""

    @dg.op(name=f"{PURGE}_datasets", description="Takes away what expired; rows that others refer to stay.")
    def purge_datasets(context: dg.OpExecutionContext) -> None:
        try:
            with connected(installation.database_url()) as connection:
                migrations.assert_applied(connection)
                purged = expired.purge_expired(connection, environment=installation.settings.environment)
        except Exception as error:
            raise _failure([shown(error)]) from None
        for outcome in purged.outcomes:
            context.log.info(_line(outcome))
        context.log.info(
            f"{purged.checkpoints} checkpoints and {purged.api_rows} old rows of the API deleted, "
            f"{purged.ended} seed runs ended that stopped too long ago"
        )
        if purged.refused:
            raise _failure(purged.refused)

    @dg.job(name=PURGE, description="Purges expired datasets and old checkpoints.", executor_def=dg.in_process_executor)
    def purge_expired() -> None:
        purge_datasets()

    return purge_expired


def purge_schedule(installation: Installation, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every hour; off where dev is served, so that nothing vanishes from a laptop unasked."""
    served = installation.settings.environment
    return dg.ScheduleDefinition(
        name=f"hourly__{PURGE}",
        job=job,
        cron_schedule="7 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED if served in (None, DEV) else dg.DefaultScheduleStatus.RUNNING,
        description="Purges datasets that expired, and checkpoints that nobody needs any more.",
    )


def _line(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"{outcome.dataset.name} stays: {outcome.error}"
    return f"{outcome.dataset.name} is gone: {sum(outcome.rows.values())} rows"


def _failure(errors: list[SeedError]) -> dg.Failure:
    return dg.Failure(
        description="; ".join(str(error) for error in errors), metadata={"code": errors[0].code}, allow_retries=False
    )

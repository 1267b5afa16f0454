"""The purge: every hour, datasets that expired go away, and checkpoints that nobody needs any more.

Each dataset is a transaction of its own: one that cannot go yet keeps no other. A tenant with a seed run at work is
left for the next hour; a dataset that other rows refer to fails the run, so that people see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from seed_pipelines.control import migrations, purge
from seed_pipelines.control.purge import ListedDataset
from seed_pipelines.errors import DatasetNotFound, LeaseHeldElsewhere, SeedError
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.redaction import shown
from seed_pipelines.session import Installation
from seed_pipelines.settings import DEV

PURGE = "purge_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one expired dataset; `error` is None where it is gone."""

    dataset: ListedDataset
    rows: Mapping[str, int]
    error: SeedError | None

    @property
    def waits(self) -> bool:
        """Whether the next hour may do better without anybody's help."""
        return self.error is not None and (self.error.retryable or isinstance(self.error, LeaseHeldElsewhere))


def purge_job(installation: Installation) -> dg.JobDefinition:
    """The job of the schedule; it can be launched by hand too."""

    @dg.op(name=f"{PURGE}_datasets", description="Takes away what expired; rows that others refer to stay.")
    def purge_datasets(context: dg.OpExecutionContext) -> None:
        try:
            with connected(installation.database_url()) as connection:
                migrations.assert_applied(connection)
                outcomes = purge_datasets_of(connection, environment=installation.settings.environment)
                checkpoints = purge.purge_checkpoints(connection)
        except Exception as error:
            raise _failure([shown(error)]) from None
        for outcome in outcomes:
            context.log.info(_line(outcome))
        context.log.info(f"{checkpoints} checkpoints of ended seed runs deleted")
        refused = [outcome.error for outcome in outcomes if outcome.error and not outcome.waits]
        if refused:
            raise _failure(refused)

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


def purge_datasets_of(connection: Connection, *, environment: str | None) -> list[Outcome]:
    """Purge every expired dataset of an environment, or of all; whatever becomes of one, the others are tried."""
    outcomes = []
    for dataset in purge.listed(connection, environment=environment, only_expired=True):
        try:
            rows = purge.purge(connection, dataset.name, reason="expired")
            outcomes.append(Outcome(dataset=dataset, rows=rows, error=None))
        except DatasetNotFound:
            # Published anew, or purged by somebody else, since it was listed.
            continue
        except SeedError as error:
            outcomes.append(Outcome(dataset=dataset, rows={}, error=error))
    return outcomes


def _line(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"{outcome.dataset.name} stays: {outcome.error}"
    return f"{outcome.dataset.name} is gone: {sum(outcome.rows.values())} rows"


def _failure(errors: list[SeedError]) -> dg.Failure:
    return dg.Failure(
        description="; ".join(str(error) for error in errors), metadata={"code": errors[0].code}, allow_retries=False
    )

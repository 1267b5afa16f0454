"""The report sensor: an outbox over the control plane, at least once.

Not a run status sensor: those lose events when their function fails. This one asks the database which seed runs ended
without a report, whoever ran them, and asks again at the next tick what it could not write.
"""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from seed_pipelines.control import outbox
from seed_pipelines.control.outbox import OverdueReport
from seed_pipelines.errors import SeedError
from seed_pipelines.evidence.deliver import Delivery, deliver_waiting
from seed_pipelines.orchestration import metadata
from seed_pipelines.orchestration.names import DATASET, ManifestName
from seed_pipelines.outside.postgres import connected
from seed_pipelines.redaction import shown
from seed_pipelines.session import Installation, say_overdue, say_report_errors


def report_sensor(installation: Installation) -> dg.SensorDefinition:
    """The one report sensor of a code location."""

    @dg.sensor(
        name="seed_reports",
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes the signed report of every seed run that ended into write-once storage.",
    )
    def seed_reports(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            with connected(installation.database_url()) as connection:
                # First of all: what comes after may take so long that Dagster ends the tick.
                _alert(context, installation, outbox.overdue(connection))
                delivered = deliver_waiting(
                    connection, store_of=installation.report_store, signer_of=installation.signer
                )
                left = outbox.count_waiting(connection)
        except Exception as error:
            raise _failure(shown(error)) from None
        for delivery in delivered:
            if delivery.error is None:
                context.log.info(f"report of seed run {delivery.seed_run_id}: {delivery.uri}")
                _show(context, delivery)
            else:
                context.log.error(f"report of seed run {delivery.seed_run_id} waits: {delivery.error}")
        failed = [(delivery.environment, delivery.error) for delivery in delivered if delivery.error is not None]
        say_report_errors(installation, failed)
        summary = f"{len(delivered) - len(failed)} reports written, {left} waiting"
        if failed:
            # The others are written and marked: a tick that fails loses nothing, and people see it.
            raise _failure(failed[0][1], summary=summary)
        return dg.SkipReason(summary)

    return seed_reports


def _show(context: dg.SensorEvaluationContext, delivery: Delivery) -> None:
    """An observation of the dataset that links its report: the asset's own page shows it."""
    if delivery.uri is None:
        return
    name = ManifestName(environment=delivery.environment, tenant=delivery.tenant)
    context.instance.report_runless_asset_event(
        dg.AssetObservation(
            asset_key=name.key(DATASET),
            description="The signed report was written.",
            metadata=metadata.of_report(str(delivery.seed_run_id), delivery.uri),
        )
    )


def _alert(context: dg.SensorEvaluationContext, installation: Installation, late: Sequence[OverdueReport]) -> None:
    """What alerts are made of, at every tick until the report is written: a line of one form, and a metric."""
    for report in late:
        why = ": it failed then, and has one once it is gone on with or cancelled" if report.has_failed else ""
        context.log.error(
            f"REPORT OVERDUE: seed run {report.seed_run_id} of {report.environment}/{report.tenant} is without its "
            f"verified report since {report.queued_at:%Y-%m-%d %H:%M:%S} UTC{why}"
        )
    for environment, reports in Counter(report.environment for report in late).items():
        say_overdue(installation, environment=environment, reports=reports)


def _failure(error: SeedError, *, summary: str = "no report written") -> dg.Failure:
    return dg.Failure(description=f"{summary}: {error}", metadata={"code": error.code})

"""The report sensor: an outbox over the control plane, at least once.

Not a run status sensor: those lose events when their function fails. This one asks the database which seed runs ended
without a report, whoever ran them, and asks again at the next tick what it could not write.
"""

import dagster as dg

from seed_pipelines.errors import SeedError
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.outside.postgres import connected
from seed_pipelines.session import Installation


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
                delivered = deliver_waiting(
                    connection,
                    store_of=installation.report_store,
                    signer_of=installation.signer,
                    vocabulary_sha256=vocabulary().sha256,
                )
        except SeedError as error:
            raise dg.Failure(description=str(error), metadata={"code": error.code}) from None
        for delivery in delivered:
            if delivery.error is None:
                context.log.info(f"report of seed run {delivery.seed_run_id}: {delivery.uri}")
            else:
                context.log.error(f"report of seed run {delivery.seed_run_id} waits: {delivery.error}")
        written = sum(1 for delivery in delivered if delivery.error is None)
        return dg.SkipReason(f"{written} reports written, {len(delivered) - written} waiting")

    return seed_reports

"""From the outbox into the store: every seed run that ended gets its report, once, however often this is called.

A report is marked as written only after the store has it and it was read back and verified. A crash in between finds
the same report in the store at the next call. Two callers at once write one report: the second finds it there. One
report that cannot be written, for whatever reason, a fault of our own included, does not keep the others from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from seed_pipelines.control import outbox
from seed_pipelines.control.outbox import WaitingReport
from seed_pipelines.errors import SeedError
from seed_pipelines.evidence.collect import evidence_of
from seed_pipelines.evidence.signature import Signer
from seed_pipelines.evidence.worm import preserve
from seed_pipelines.outside.postgres import Connection
from seed_pipelines.outside.report_store import ReportStore
from seed_pipelines.redaction import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one waiting report: where it lies, or why it still waits."""

    seed_run_id: UUID
    environment: str
    tenant: str | None = None
    uri: str | None = None
    error: SeedError | None = None


def deliver_waiting(
    connection: Connection,
    *,
    store_of: Callable[[str], ReportStore],
    signer_of: Callable[[str], Signer],
    vocabulary_sha256: str,
    limit: int = 100,
) -> list[Delivery]:
    """Write the reports that wait, oldest first. One that cannot be written waits on, and so do those after it in its
    tenant's chain; the others go ahead."""
    return [
        _deliver(connection, report, store_of=store_of, signer_of=signer_of, vocabulary_sha256=vocabulary_sha256)
        for report in outbox.waiting(connection, limit=limit)
    ]


def _deliver(
    connection: Connection,
    waiting: WaitingReport,
    *,
    store_of: Callable[[str], ReportStore],
    signer_of: Callable[[str], Signer],
    vocabulary_sha256: str,
) -> Delivery:
    seed_run_id, environment = waiting.seed_run_id, waiting.environment
    try:
        evidence = evidence_of(connection, seed_run_id, vocabulary_sha256=vocabulary_sha256)
        signer = signer_of(environment)
        stored = preserve(
            evidence,
            store=store_of(environment),
            signer=signer,
            public_key_pem=signer.public_key_pem,
        )
        outbox.mark_written(connection, seed_run_id, uri=stored.uri, sha256=stored.sha256)
    except Exception as error:
        return Delivery(seed_run_id=seed_run_id, environment=environment, error=shown(error))
    return Delivery(seed_run_id=seed_run_id, environment=environment, tenant=evidence.tenant, uri=stored.uri)

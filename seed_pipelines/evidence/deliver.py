"""From the outbox into the store: every seed run that ended gets its report, once, however often this is called.

A report is marked as written only after the store has it and it was read back and verified. A crash in between finds
the same report in the store at the next call. Two callers at once write one report: the second finds it there. One
report that cannot be written, for whatever reason, a fault of our own included, keeps only those after it in its own
tenant's chain. A store or a Vault that gives no answer is left alone for the rest of the call, and no report is begun
once the call's time is over: the next call goes on.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from seed_pipelines.control import outbox
from seed_pipelines.control.outbox import WaitingReport
from seed_pipelines.errors import ReportNotStored, ReportStoreUnreachable, SeedError, VaultUnavailable
from seed_pipelines.evidence.collect import evidence_of
from seed_pipelines.evidence.signature import Signer
from seed_pipelines.evidence.worm import preserve
from seed_pipelines.outside.postgres import Connection
from seed_pipelines.outside.report_store import ReportStore
from seed_pipelines.redaction import shown

# A tick of the sensor has 60 s: a report that is begun last may still need 20 s to find that its store is silent.
TIME_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one waiting report: where it lies, or why it still waits."""

    seed_run_id: UUID
    environment: str
    tenant: str
    uri: str | None = None
    error: SeedError | None = None


def deliver_waiting(
    connection: Connection,
    *,
    store_of: Callable[[str], ReportStore],
    signer_of: Callable[[str], Signer],
    seconds: float = TIME_SECONDS,
    limit: int = 1000,
) -> list[Delivery]:
    """Write the reports that wait, `limit` at most, one of each tenant in turn, oldest first.

    One that cannot be written waits on, and so do those after it in its tenant's chain; the others go ahead.
    """
    ends, deliveries, silent = time.monotonic() + seconds, list[Delivery](), set[str]()
    for waiting in _in_turn(connection, deliveries):
        if time.monotonic() >= ends or len(deliveries) >= limit:
            break
        if waiting.environment not in silent:
            deliveries.append(_deliver(connection, waiting, store_of=store_of, signer_of=signer_of))
            silent |= {waiting.environment} if _is_silence(deliveries[-1].error) else set()
    return deliveries


def _in_turn(connection: Connection, deliveries: list[Delivery]) -> Iterator[WaitingReport]:
    """The heads of all chains, and again as long as any was written; a chain whose head was not stays where it is."""
    written = -1
    while written < (written := sum(1 for delivery in deliveries if delivery.error is None)):
        stuck = {(each.environment, each.tenant) for each in deliveries if each.error is not None}
        for waiting in outbox.waiting(connection):
            if (waiting.environment, waiting.tenant) not in stuck:
                yield waiting


def _deliver(
    connection: Connection,
    waiting: WaitingReport,
    *,
    store_of: Callable[[str], ReportStore],
    signer_of: Callable[[str], Signer],
) -> Delivery:
    seed_run_id, environment, tenant = waiting.seed_run_id, waiting.environment, waiting.tenant
    try:
        evidence = evidence_of(connection, seed_run_id)
        signer = signer_of(environment)
        stored = preserve(
            evidence,
            store=store_of(environment),
            signer=signer,
            public_key_pem=signer.public_key_pem,
        )
        outbox.mark_written(connection, seed_run_id, uri=stored.uri, sha256=stored.sha256)
    except Exception as error:
        return Delivery(seed_run_id=seed_run_id, environment=environment, tenant=tenant, error=shown(error))
    return Delivery(seed_run_id=seed_run_id, environment=environment, tenant=tenant, uri=stored.uri)


def _is_silence(error: SeedError | None) -> bool:
    """Whether it would cost the next report of the environment as much time to hear nothing, too."""
    if isinstance(error, ReportNotStored):
        return error.is_silent
    return isinstance(error, ReportStoreUnreachable | VaultUnavailable)

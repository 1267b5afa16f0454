"""A seed run begun in its turn: at once where that is possible, else after a wait in the queue, if it may wait."""

from seed_pipelines import flow
from seed_pipelines.control import queue
from seed_pipelines.control.runs import RunRequest, SeedRun
from seed_pipelines.errors import EnvironmentFull, LeaseHeldElsewhere, QueuedBehind
from seed_pipelines.flow import Session
from seed_pipelines.plan import Plan

# What passes by itself when another seed run ends.
_PASSING = (EnvironmentFull, LeaseHeldElsewhere, QueuedBehind)


def begin_in_turn(
    session: Session, plan: Plan, request: RunRequest, *, waits: bool, ttl_seconds: float = queue.TTL_SECONDS
) -> SeedRun:
    """`flow.begin`, waiting for the tenant's lease and a slot of its environment where `waits`. Raises QueueExpired."""
    try:
        return flow.begin(session, plan, request)
    except _PASSING as refused:
        if not waits:
            raise
        reason = refused.code
    metadata = plan.manifest.metadata
    whose = {
        "environment": metadata.environment,
        "tenant": metadata.tenant,
        "idempotency_key": request.idempotency_key,
        "waiter": session.worker,
    }
    with queue.waiting(session.connection, whose, reason=reason, ttl_seconds=ttl_seconds) as place:
        return _begun(session, plan, request, place)


def _begun(session: Session, plan: Plan, request: RunRequest, place: queue.Place) -> SeedRun:
    while True:
        if queue.is_turn(session.connection, place):
            try:
                run = flow.begin(session, plan, request)
            except _PASSING:
                # Somebody else was quicker: the place in the queue is kept.
                pass
            else:
                queue.started(session.connection, place, run.id)
                return run
        session.sleep(queue.POLL_SECONDS)

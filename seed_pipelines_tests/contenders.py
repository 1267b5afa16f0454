"""Eight processes against one thing, all let go at the same moment; what each of them does."""

import time
from contextlib import suppress

from seed_runs import all_batches, begun, claimed, cost_of, lean_plan, load_all, publish_all
from seeded import open_one_session
from torture.worker import processes

from seed_pipelines.control import budget, lease, rate_limit, runs
from seed_pipelines.errors import BudgetExhausted, DatabaseUnavailable, EnvironmentFull, LeaseHeldElsewhere
from seed_pipelines.manifest.model import RateLimit

WORKERS = 8
_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.02


def contend(work, seeded, home, **task):
    """What `work` gave in each of eight processes; raises where one of them failed."""
    context = processes()
    together, started = context.Barrier(WORKERS), []
    for number in range(WORKERS):
        ours, theirs = context.Pipe(duplex=False)
        given = (work, seeded.loader_url, home, number, task, together, theirs)
        process = context.Process(target=_contend, args=given, daemon=True)
        process.start()
        theirs.close()
        started.append((process, ours))
    try:
        return [_answer(pipe) for _, pipe in started]
    finally:
        for process, _ in started:
            process.kill()
            process.join()


def _answer(pipe):
    assert pipe.poll(_PATIENCE_SECONDS), "one of the processes does not answer"
    answer, error = pipe.recv()
    assert error is None, error
    return answer


def _contend(work, url, home, number, task, together, pipe):
    try:
        pipe.send((work(url, home, number, together, **task), None))
    except BaseException as error:
        pipe.send((None, f"{type(error).__name__}: {error}"))
        raise


def take_a_slot(url, home, number, together, *, hold_seconds):
    """The seed run of a tenant of its own; from when to when it held a slot, on the clock that all processes share."""
    tenant = f"tenant-{number}"
    with open_one_session(url, home, tenant=tenant) as session:
        run = claimed(session, lean_plan(customers=4, tenant=tenant))
        together.wait()
        _insist(lambda: lease.ensure(session.connection, run), on=EnvironmentFull)
        taken = time.monotonic()
        time.sleep(hold_seconds)
        given_back = time.monotonic()
        lease.release(session.connection, run)
        return taken, given_back


def run_one_tenant(url, home, number, together, *, wishes):
    """A whole seed run of the one tenant, by a key of its own, as soon as it may."""
    plan = lean_plan(**wishes)
    with open_one_session(url, home) as session:
        together.wait()
        run = _insist(lambda: begun(session, plan, key=f"worker {number}"), on=LeaseHeldElsewhere)
        load_all(session, plan, run)
        # Readers are nobody's affair here, but two publications may want the same locks.
        return str(_insist(lambda: publish_all(session, plan, run), on=DatabaseUnavailable).run.id)


def write_at_the_rate(url, home, number, together, *, run_id, limit, burst, seconds):
    """When each write was allowed, on the clock that all processes share; the first moment is the beginning."""
    rate = RateLimit(limit=limit, window_seconds=1, burst=burst)
    with open_one_session(url, home) as session:
        run = runs.find(session.connection, run_id)
        together.wait()
        moments = [time.monotonic()]
        while moments[-1] - moments[0] < seconds:
            time.sleep(rate_limit.reserve(session.connection, run, rate))
            moments.append(time.monotonic())
        return moments


def spend(url, home, number, together, *, run_id, wishes):
    """Pays for its share of the batches; each batch is begun by two workers, as after a kill."""
    plan = lean_plan(**wishes)
    with open_one_session(url, home) as session:
        run = runs.find(session.connection, run_id)
        batches = [batch for batch in all_batches(plan) if cost_of(plan, batch)]
        together.wait()
        for batch in batches[number // 2 :: WORKERS // 2]:
            with suppress(BudgetExhausted):
                budget.reserve(session.connection, run, plan, batch)


def claim_one_key(url, home, number, together, *, wishes):
    """The seed run that one key leads to."""
    plan = lean_plan(**wishes)
    with open_one_session(url, home) as session:
        together.wait()
        return str(begun(session, plan, key="the one").id)


def _insist(act, *, on):
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return act()
        except on:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)

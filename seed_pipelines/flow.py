"""The seed run on one page; every door calls these four functions, in this order.

    begin          preflight, window, claim by idempotency key, lease          (nothing written before all hold)
    load_entity    per batch: budget? rate? flag? lease? cancelled? window? COPY and checkpoint in one transaction
    publish        when every shard is in: seal, then one transaction
    leave          whatever happened: the shard is given back, the run is failed, paused or cancelled

All of them may be repeated. What is committed stays, and whoever comes next goes on from there.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from uuid import UUID

from seed_pipelines.control import (
    budget,
    checkpoints,
    endings,
    lease,
    mappings,
    rate_limit,
    recovery,
    resume_tokens,
    runs,
    waiting,
)
from seed_pipelines.control.admission import assert_admitted
from seed_pipelines.control.checkpoints import Checkpoint, EntityLoad, hash_of
from seed_pipelines.control.datasets import ttl_days_of
from seed_pipelines.control.endings import Ending
from seed_pipelines.control.lease import Lease
from seed_pipelines.control.runs import RunRequest, RunState, SeedRun
from seed_pipelines.control.waiting import Waiter
from seed_pipelines.errors import (
    CheckpointsGone,
    DatabaseSaysNo,
    GeneratorChanged,
    LeaseLost,
    ManifestGoesBackwards,
    OutsideWindow,
    SeedError,
    SeedRunCancelled,
    SeedRunEnded,
    WrongState,
)
from seed_pipelines.generate.oracle import OURS, Oracle
from seed_pipelines.load import copy, preflight
from seed_pipelines.load import publish as publishing
from seed_pipelines.load.checks import CheckResult
from seed_pipelines.load.preflight import Preflight
from seed_pipelines.load.prepare import Prepared, one_ahead, prepare
from seed_pipelines.load.sealer import Sealer
from seed_pipelines.manifest.window import Window
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside import logs
from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.outside.telemetry import Telemetry, require_complete
from seed_pipelines.plan import Batch, Plan

IGNORE_WINDOW = "ignore_window"

# So a worker is told that its seed run is not running any more.
_OVERTAKEN = (DatabaseSaysNo, LeaseLost, SeedRunEnded, WrongState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a worker holds while it works: opened by a door, closed by the same door."""

    connection: Connection
    keys: FieldKeys
    telemetry: Telemetry
    # Unique for each process: a new worker of a shard supersedes the old one.
    worker: str
    lease_seconds: float = lease.TTL_SECONDS
    sleep: Callable[[float], None] = time.sleep
    # Both of this session alone, or of the worker that opens one for each of its steps.
    preflight: Preflight = field(default_factory=Preflight)
    sealer: Sealer = field(default_factory=Sealer)
    # Raises where a feature flag stops the seed run; asked before every batch.
    assert_enabled: Callable[[], object] = lambda: None
    oracle: Oracle = OURS
    # What the door tried before it opened the session, and what feature flags said then; the report says both.
    proven: tuple[CheckResult, ...] = ()
    flags: Mapping[str, bool | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """One worker's attempt at one shard of one seed run."""

    run: SeedRun
    plan: Plan
    shard: str
    lease: Lease
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A dataset that readers see; `generation` is None where an earlier call had published it."""

    run: SeedRun
    dataset_hash: str
    generation: int | None


def begin(session: Session, plan: Plan, request: RunRequest) -> SeedRun:
    """Claim the seed run and its lease; a run that is published already comes back as it is, without a lease."""
    request = _admitted(session, plan, request)
    with (
        session.telemetry.span("seed.run.begin"),
        checkpoints.expired_end(session.connection),
        transaction(session.connection),
    ):
        run = _claimed(session, plan, request)
        if run.state is not RunState.PUBLISHED:
            lease.ensure(session.connection, run, ttl_seconds=session.lease_seconds)
            detail = f"seed run {run.id} took its place"
            for ended in runs.abort_left_behind(session.connection, run, code="superseded", detail=detail):
                endings.measure(session.telemetry.metrics, endings.ending_of(session.connection, ended))
    return run


def ask(session: Session, plan: Plan, request: RunRequest) -> SeedRun:
    """Claim the seed run for a worker that comes later and begins it: nothing is missing but the lease.

    Raises LeaseHeldElsewhere where another seed run of the tenant is at work; then nothing was claimed.
    """
    request = _admitted(session, plan, request)
    with (
        session.telemetry.span("seed.run.ask"),
        checkpoints.expired_end(session.connection),
        transaction(session.connection),
    ):
        run = _claimed(session, plan, request)
        if run.state is not RunState.PUBLISHED:
            lease.assert_free(session.connection, run)
    return run


def load_entity(session: Session, plan: Plan, run: SeedRun, *, shard: str, entity: str) -> EntityLoad:
    """Write the batches of one entity that are not in yet; seal the entity if its last row is in."""
    started = time.perf_counter()
    done = checkpoints.of_shard(session.connection, run.id, entity=entity, shard=shard)
    if run.state is RunState.PUBLISHED and not done and plan.shard(shard).ranges[entity].rows:
        raise CheckpointsGone(str(run.id), path=run.manifest_path)
    fence, sealed = None, True
    if run.state is not RunState.PUBLISHED:
        try:
            fence, sealed = _write_missing(session, plan, run, done, entity=entity, shard=shard)
        except _OVERTAKEN as error:
            runs.published_instead(session.connection, run, error)
    loaded = checkpoints.of_shard(session.connection, run.id, entity=entity, shard=shard)
    return EntityLoad(
        entity=entity,
        planned_rows=plan.shard(shard).ranges[entity].rows,
        checkpoints=tuple(loaded),
        resumed_batches=len(done),
        seconds=time.perf_counter() - started,
        fence=fence,
        sealed=sealed,
        spending=budget.spending_of(session.connection, run),
    )


def publish(session: Session, plan: Plan, run: SeedRun, *, shard: str) -> Publication | None:
    """Close the shard; publish the dataset if it was the last one, else return None."""
    connection = session.connection
    run = runs.find(connection, run.id)
    if run.state is RunState.PUBLISHED:
        return Publication(run=run, dataset_hash=hash_of(connection, run), generation=None)
    try:
        return _close_and_publish(session, plan, run, shard)
    except SeedError as error:
        return _done_by_another(connection, run, error)


def leave(connection: Connection, seed_run_id: UUID, *, worker: str, error: BaseException) -> Ending | None:
    """A worker stops without having finished: a cancelled run ends, and so does one that used up a budget; any other
    can be gone on with. Returns how the seed run came to a stop; None where others go on, or it had ended."""
    return endings.stop(connection, seed_run_id, worker=worker, error=error)


def conclude(session: Session, run: SeedRun, *, step: str) -> None:
    """End the step's telemetry; raises TelemetryIncomplete where a span did not arrive.

    A step that lost spans keeps the seed run from being published until it has been repeated without a loss.
    """
    state = session.telemetry.finish()
    runs.add_telemetry(session.connection, run.id, state, step=step)
    require_complete(state)


def cancel(connection: Connection, seed_run_id: UUID) -> SeedRun:
    """Ask for a stop; a seed run that nobody works on is ended at once. Repeating it is harmless."""
    run = runs.find(connection, seed_run_id)
    if run.is_finished:
        raise SeedRunEnded(str(run.id), state=run.state)
    runs.request_cancel(connection, seed_run_id)
    at_work = any(shard.state == "active" for shard in runs.shards_of(connection, run.id))
    if not at_work or lease.holder_of(connection, run) != run.id:
        reason = SeedRunCancelled(str(run.id))
        runs.end(connection, seed_run_id, RunState.CANCELLED, code=reason.code, detail=str(reason))
    return runs.find(connection, seed_run_id)


def _admitted(session: Session, plan: Plan, request: RunRequest) -> RunRequest:
    """The request with what its seed run's report will say of preflight and flags; raises what speaks against it."""
    with session.telemetry.span("seed.manifest.validate", manifest_hash=plan.manifest.manifest_hash):
        held = session.preflight.assert_safe(session.connection, tuple(plan.rows), mapping=plan.mapping)
        _assert_admitted(session, plan)
    return replace(
        request,
        preflight=tuple(asdict(result) for result in (*session.proven, *held)),
        flags={**request.flags, **session.flags, **mappings.as_flags(plan.mapping)},
    )


def _claimed(session: Session, plan: Plan, request: RunRequest) -> SeedRun:
    """The seed run of the request's key, in the caller's transaction: published, or running and inside its window."""
    run = runs.claim(session.connection, plan, request)
    session.telemetry.about(seed_run_id=str(run.id))
    if run.state is RunState.PUBLISHED:
        return run
    if run.is_finished:
        raise SeedRunEnded(str(run.id), state=run.state)
    checkpoints.assert_fresh(session.connection, run)
    session.keys.assert_same(run.key_check, data_key_check=run.mask_key.get("data_key_check"))
    if run.generator_version != request.generator_version:
        raise GeneratorChanged(run.manifest_path, expected=run.generator_version, found=request.generator_version)
    try:
        run = runs.resume(session.connection, run, flags=request.flags)
    except SeedRunEnded as error:
        return runs.published_instead(session.connection, run, error)
    mappings.bind(session.connection, run, plan.mapping)
    _assert_window(session, plan, run)
    return run


def _hold(session: Session, plan: Plan, run: SeedRun, shard: str) -> ShardWork:
    """The right to write one shard, taken or renewed. Every step takes it: a retry may skip the steps before."""
    connection = session.connection
    # The shard is at work first: a worker that leaves from now on sees it, and one that just left is made good.
    attempt = runs.begin_shard(connection, run, shard, worker=session.worker)
    with transaction(connection):
        runs.resume(connection, run, flags={})
        held = lease.ensure(connection, run, ttl_seconds=session.lease_seconds)
    return ShardWork(run=run, plan=plan, shard=shard, lease=held, attempt=attempt)


def _write_missing(
    session: Session, plan: Plan, run: SeedRun, done: Sequence[Checkpoint], *, entity: str, shard: str
) -> tuple[int, bool]:
    """The batches that are not in yet, and the seal; under which fence, and whether it is sealed."""
    work = _hold(session, plan, run, shard)
    table = publishing.open_build(session.connection, work.lease, entity)
    _say_resumed(session, done, shard=shard, entity=entity)
    resume_tokens.assert_bound(session.keys, run, done, entity=entity, shard=shard)
    todo = checkpoints.missing(plan.batches(shard, entity), done, path=run.manifest_path)
    with budget.faults_recorded(session.connection, run, attempt=work.attempt):
        for batch, prepared in one_ahead(todo, lambda batch: _prepared(session, plan, batch)):
            _pay(session, work, batch)
            with budget.blamed(batch):
                _write(session, work, batch, prepared, table=table)
    sealed = session.sealer.seal(session.connection, work.lease, entity, ttl_seconds=session.lease_seconds)
    session.telemetry.metrics.rate_limit_left(rate_limit.remaining(session.connection, run, plan.manifest.rate_limit))
    session.telemetry.metrics.budget_left(budget.spending_of(session.connection, run).left_micro_brl)
    return work.lease.fence, sealed


def _close_and_publish(session: Session, plan: Plan, run: SeedRun, shard: str) -> Publication | None:
    connection = session.connection
    session.sealer.wait()
    work = _hold(session, plan, run, shard)
    # Nobody sees a row before it is known that what made it was seen.
    session.telemetry.require_delivered()
    runs.finish_shard(connection, run, shard, attempt=work.attempt)
    shards = runs.shards_of(connection, run.id)
    if sum(1 for state in shards if state.state == "done") < run.shards:
        return None
    runs.assert_observed(connection, run)
    budget.assert_few_faults(connection, run, plan)
    found = hash_of(connection, run)
    with lease.kept(connection, work.lease, ttl_seconds=session.lease_seconds):
        publishing.seal_the_rest(connection, work.lease)
        generation = publishing.publish(
            connection, run, work.lease, dataset_hash=found, ttl_days=ttl_days_of(plan), keys=session.keys
        )
    published = runs.find(connection, run.id)
    _measure_publication(session, published)
    return Publication(run=published, dataset_hash=found, generation=generation)


def _measure_publication(session: Session, run: SeedRun) -> None:
    for entity, rows in run.planned_rows.items():
        session.telemetry.metrics.rows_published(rows, entity=entity)
    endings.measure(session.telemetry.metrics, endings.ending_of(session.connection, run.id))


def _done_by_another(connection: Connection, run: SeedRun, error: SeedError) -> Publication:
    """Two last shards at once: one of them publishes, and the other finds it done. Else the error stands."""
    if runs.find(connection, run.id).state is RunState.CANCELLED:
        raise SeedRunCancelled(str(run.id)) from None
    now = runs.published_instead(connection, run, error)
    return Publication(run=now, dataset_hash=hash_of(connection, now), generation=None)


def _say_resumed(session: Session, done: Iterable[Checkpoint], *, shard: str, entity: str) -> None:
    """A span for each batch that an earlier attempt committed: that attempt may have died with its spans."""
    for checkpoint in done:
        with session.telemetry.span(
            "seed.batch.resumed", shard=shard, entity=entity, batch=checkpoint.number, rows=checkpoint.rows
        ):
            pass


def _prepared(session: Session, plan: Plan, batch: Batch) -> Prepared:
    with budget.blamed(batch):
        return prepare(plan, batch, session.keys, oracle=session.oracle)


def _pay(session: Session, work: ShardWork, batch: Batch) -> None:
    """Reserve what the batch costs; the first to see four fifths spent says so."""
    if budget.reserve(session.connection, work.run, work.plan, batch):
        spending = budget.spending_of(session.connection, work.run)
        session.telemetry.metrics.budget_spent(spending.percent)
        logs.event("budget almost spent", entity=batch.entity, shard=batch.shard, budget_pct=spending.percent)


def _write(session: Session, work: ShardWork, batch: Batch, prepared: Prepared, *, table: str) -> None:
    """One batch and its checkpoint in one transaction, guarded first and renewed last."""
    connection, plan = session.connection, work.plan
    _await_turn(session, work)
    session.assert_enabled()
    started = time.perf_counter()
    span = session.telemetry.span("seed.batch", shard=batch.shard, entity=batch.entity, batch=batch.number)
    with span, transaction(connection):
        now = lease.guard(connection, work.lease, shard=work.shard, attempt=work.attempt)
        preflight.assert_still_safe(
            connection,
            tuple(plan.rows),
            build_table=table,
            tenant_id=work.run.tenant_id,
            mapping=plan.mapping,
        )
        waiting.assert_open(_window_of(plan, work.run), now=now)
        copy.copy_rows(connection, table, prepared.rows)
        elapsed_ms = round((time.perf_counter() - started + prepared.seconds) * 1000)
        recovery.assert_in_time(plan.manifest.mode, batch, elapsed_ms=elapsed_ms)
        digest = prepared.digest.hex()
        checkpoints.record(
            connection,
            work.lease,
            batch,
            attempt=work.attempt,
            digest=digest,
            elapsed_ms=elapsed_ms,
            oracle_loans=prepared.oracle.loans,
            token=resume_tokens.token_of(session.keys, work.run, work.lease, batch, digest=digest),
        )
        if elapsed_ms > plan.manifest.slo.p99_target_ms:
            budget.record_slow(connection, work.run, batch, attempt=work.attempt, elapsed_ms=elapsed_ms)
        lease.renew(connection, work.lease, ttl_seconds=session.lease_seconds)
    session.telemetry.metrics.batch_took(elapsed_ms, entity=batch.entity)


def _await_turn(session: Session, work: ShardWork) -> None:
    """Wait as long as the rate limit says; the lease lives on, and whatever stops a seed run is noticed."""
    seconds = rate_limit.reserve(session.connection, work.run, work.plan.manifest.rate_limit)
    waiter = Waiter(
        lease=work.lease,
        shard=work.shard,
        attempt=work.attempt,
        lease_seconds=session.lease_seconds,
        sleep=session.sleep,
        assert_enabled=session.assert_enabled,
        window=_window_of(work.plan, work.run),
    )
    waiting.wait_out(session.connection, waiter, seconds=seconds)


def _window_of(plan: Plan, run: SeedRun) -> Window | None:
    """None where the seed run passes over it."""
    return None if run.flags.get(IGNORE_WINDOW) else plan.manifest.window


def _assert_window(session: Session, plan: Plan, run: SeedRun) -> None:
    window, now = _window_of(plan, run), runs.database_now(session.connection)
    if window is not None and not window.is_open(now):
        raise OutsideWindow(str(window), now=now, opens=window.next_opening(now))


def _assert_admitted(session: Session, plan: Plan) -> None:
    try:
        assert_admitted(session.connection, plan)
    except ManifestGoesBackwards as error:
        session.telemetry.metrics.manifest_rejected(error_code=error.code)
        raise

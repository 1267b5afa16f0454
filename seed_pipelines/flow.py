"""The seed run on one page; every door calls these four functions, in this order.

    begin          preflight, window, claim by idempotency key, lease          (nothing written before all hold)
    load_entity    per batch: window? cancelled? lease? rate? generate, mask, COPY and checkpoint in one transaction
    publish        when every shard is in: seal, then one transaction
    leave          whatever happened: the shard is given back, the run is failed, paused or cancelled

All of them may be repeated. What is committed stays, and whoever comes next goes on from there.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.control import checkpoints, datasets, lease, rate_limit, runs
from seed_pipelines.control.checkpoints import Checkpoint
from seed_pipelines.control.lease import Lease
from seed_pipelines.control.runs import RunRequest, RunState, SeedRun
from seed_pipelines.errors import (
    MaskKeyDiverged,
    OracleDisagrees,
    OutsideWindow,
    SeedError,
    SeedRunCancelled,
    SeedRunEnded,
    Stopped,
    WindowClosed,
)
from seed_pipelines.generate.digest import ContentDigest, dataset_hash, digest_of
from seed_pipelines.generate.oracle import OracleSample, compare_with_oracle
from seed_pipelines.generate.rows import generate
from seed_pipelines.load import copy, preflight
from seed_pipelines.load import publish as publishing
from seed_pipelines.manifest.compare import refuse_regression
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.policy import mask_batch
from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.outside.telemetry import Telemetry, require_complete
from seed_pipelines.plan import Batch, Plan

IGNORE_WINDOW = "ignore_window"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """One worker's attempt at one shard of one seed run."""

    run: SeedRun
    plan: Plan
    shard: str
    lease: Lease
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityLoad:
    """What became of one entity in one shard."""

    entity: str
    planned_rows: int
    checkpoints: tuple[Checkpoint, ...]
    resumed_batches: int
    seconds: float
    oracle: OracleSample
    # None where the seed run was published before.
    fence: int | None
    sealed: bool

    @property
    def rows(self) -> int:
        return sum(checkpoint.rows for checkpoint in self.checkpoints)

    @property
    def digest(self) -> ContentDigest:
        return sum_of(checkpoint.content_digest for checkpoint in self.checkpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A dataset that readers see; `generation` is None where an earlier call had published it."""

    run: SeedRun
    dataset_hash: str
    generation: int | None


def begin(session: Session, plan: Plan, request: RunRequest) -> SeedRun:
    """Claim the seed run and its lease; a run that is published already comes back as it is, without a lease."""
    connection = session.connection
    preflight.assert_safe(connection, tuple(plan.rows))
    _refuse_regression(connection, plan)
    with session.telemetry.span("seed.run.begin"), transaction(connection):
        run = runs.claim(connection, plan, request)
        if run.state is RunState.PUBLISHED:
            return run
        if run.is_finished:
            raise SeedRunEnded(str(run.id), state=run.state)
        if run.key_check != session.keys.key_check:
            raise MaskKeyDiverged(expected=run.key_check, found=session.keys.key_check)
        run = runs.resume(connection, run, flags=request.flags)
        _assert_window(session, plan, run)
        lease.ensure(connection, run, ttl_seconds=session.lease_seconds)
        runs.abort_left_behind(connection, run, code="superseded", detail=f"seed run {run.id} took its place")
    return run


def load_entity(session: Session, plan: Plan, run: SeedRun, *, shard: str, entity: str) -> EntityLoad:
    """Write the batches of one entity that are not in yet; seal the entity if its last row is in."""
    started = time.perf_counter()
    done = checkpoints.of_shard(session.connection, run.id, entity=entity, shard=shard)
    oracle, fence, sealed = OracleSample(loans=0), None, True
    if run.state is not RunState.PUBLISHED:
        work = _hold(session, plan, run, shard)
        fence = work.lease.fence
        table = publishing.open_build(session.connection, work.lease, entity)
        todo = checkpoints.missing(plan.batches(shard, entity), done)
        for batch, prepared in _one_ahead(todo, lambda batch: _prepared(session, plan, batch)):
            _write(session, work, batch, prepared, table=table)
            oracle += prepared.oracle
        sealed = publishing.seal(session.connection, work.lease, entity)
    loaded = checkpoints.of_shard(session.connection, run.id, entity=entity, shard=shard)
    return EntityLoad(
        entity=entity,
        planned_rows=plan.shard(shard).ranges[entity].rows,
        checkpoints=tuple(loaded),
        resumed_batches=len(done),
        seconds=time.perf_counter() - started,
        oracle=oracle,
        fence=fence,
        sealed=sealed,
    )


def publish(session: Session, plan: Plan, run: SeedRun, *, shard: str) -> Publication | None:
    """Close the shard; publish the dataset if it was the last one, else return None."""
    connection = session.connection
    found = hash_of(connection, run)
    if run.state is RunState.PUBLISHED:
        return Publication(run=run, dataset_hash=found, generation=None)
    work = _hold(session, plan, run, shard)
    runs.finish_shard(connection, run, shard, attempt=work.attempt)
    shards = runs.shards_of(connection, run.id)
    if sum(1 for state in shards if state.state == "done") < run.shards:
        return None
    found = hash_of(connection, run)
    try:
        generation = publishing.publish(connection, run, work.lease, dataset_hash=found, ttl_days=ttl_days_of(plan))
    except SeedError:
        # Two last shards at once: the other one has published.
        if runs.find(connection, run.id).state is not RunState.PUBLISHED:
            raise
        generation = None
    return Publication(run=runs.find(connection, run.id), dataset_hash=found, generation=generation)


def leave(connection: Connection, seed_run_id: UUID, *, worker: str, error: BaseException) -> None:
    """A worker stops without having finished: a cancelled run ends, any other can be gone on with."""
    if isinstance(error, SeedRunCancelled):
        runs.end(connection, seed_run_id, RunState.CANCELLED, code=error.code, detail=str(error))
        return
    code = error.code if isinstance(error, SeedError) else "interrupted"
    detail = str(error) if isinstance(error, SeedError) else f"the worker was stopped by {type(error).__name__}"
    state = RunState.PAUSED if isinstance(error, Stopped) else RunState.FAILED
    runs.leave_shard(connection, seed_run_id, worker=worker, state=state, code=code, detail=detail)


def conclude(session: Session, run: SeedRun) -> None:
    """End the step's telemetry; raises TelemetryIncomplete where a span did not arrive."""
    state = session.telemetry.finish()
    runs.add_telemetry(session.connection, run.id, state)
    require_complete(state)


def cancel(connection: Connection, seed_run_id: UUID) -> SeedRun:
    """Ask for a stop; a seed run that nobody works on is ended at once. Repeating it is harmless."""
    run = runs.find(connection, seed_run_id)
    if run.is_finished:
        raise SeedRunEnded(str(run.id), state=run.state)
    runs.request_cancel(connection, seed_run_id)
    if lease.holder_of(connection, run) != run.id:
        reason = SeedRunCancelled(str(run.id))
        runs.end(connection, seed_run_id, RunState.CANCELLED, code=reason.code, detail=str(reason))
    return runs.find(connection, seed_run_id)


def hash_of(connection: Connection, run: SeedRun) -> str:
    """The dataset's hash, out of the checkpoints: whatever the shards and batches were, the same rows give it."""
    rows: dict[str, int] = dict.fromkeys(run.planned_rows, 0)
    digests: dict[str, list[str]] = {entity: [] for entity in run.planned_rows}
    for checkpoint in checkpoints.of_run(connection, run.id):
        rows[checkpoint.entity] += checkpoint.rows
        digests[checkpoint.entity].append(checkpoint.content_digest)
    return dataset_hash({entity: (rows[entity], sum_of(digests[entity])) for entity in rows})


def sum_of(digests: Iterable[str]) -> ContentDigest:
    """The digest of all the rows that these digests stand for."""
    total = ContentDigest.zero()
    for digest in digests:
        total = total.combine(ContentDigest.parse(digest))
    return total


def ttl_days_of(plan: Plan) -> int:
    """How long the dataset of the plan's mode lives; a canary lives as long as a baseline."""
    ttl = plan.manifest.ttl
    return {"carga": ttl.carga_days, "dr": ttl.dr_days}.get(plan.manifest.mode, ttl.baseline_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A batch ready to be written."""

    rows: pa.RecordBatch
    digest: ContentDigest
    oracle: OracleSample
    seconds: float


def _hold(session: Session, plan: Plan, run: SeedRun, shard: str) -> ShardWork:
    """The right to write one shard, taken or renewed. Every step takes it: a retry may skip the steps before."""
    held = lease.ensure(session.connection, run, ttl_seconds=session.lease_seconds)
    attempt = runs.begin_shard(session.connection, run, shard, worker=session.worker)
    return ShardWork(run=run, plan=plan, shard=shard, lease=held, attempt=attempt)


def _prepared(session: Session, plan: Plan, batch: Batch) -> _Prepared:
    """Generate, check and mask one batch: no database, no clock, the same bytes whoever does it."""
    started = time.perf_counter()
    rows = generate(plan, batch.entity, first_row=batch.first_row, rows=batch.rows)
    oracle = compare_with_oracle(plan, batch.entity, first_row=batch.first_row, rows=rows)
    if oracle.differing:
        raise OracleDisagrees(batch.entity, indexes=oracle.differing)
    masked = mask_batch(catalog.ENTITIES[batch.entity], rows, session.keys)
    digest = digest_of(rows, first_row=batch.first_row)
    return _Prepared(rows=masked, digest=digest, oracle=oracle, seconds=time.perf_counter() - started)


def _one_ahead(batches: Iterable[Batch], prepare: Callable[[Batch], _Prepared]) -> Iterator[tuple[Batch, _Prepared]]:
    """Each batch with its rows; the next one is made while the server takes this one in."""
    with ThreadPoolExecutor(max_workers=1) as background:
        waiting = None
        for batch in batches:
            ready, waiting = waiting, (batch, background.submit(prepare, batch))
            if ready is not None:
                yield ready[0], ready[1].result()
        if waiting is not None:
            yield waiting[0], waiting[1].result()


def _write(session: Session, work: ShardWork, batch: Batch, prepared: _Prepared, *, table: str) -> None:
    """One batch and its checkpoint in one transaction, guarded first and renewed last."""
    connection, plan = session.connection, work.plan
    session.sleep(rate_limit.reserve(connection, work.run, plan.manifest.rate_limit))
    started = time.perf_counter()
    span = session.telemetry.span("seed.batch", shard=batch.shard, entity=batch.entity, batch=batch.number)
    with span, transaction(connection):
        now = lease.guard(connection, work.lease, shard=work.shard, attempt=work.attempt)
        if not (work.run.flags.get(IGNORE_WINDOW) or plan.manifest.window.is_open(now)):
            raise WindowClosed(now=now, opens=plan.manifest.window.next_opening(now))
        copy.copy_rows(connection, table, prepared.rows)
        elapsed_ms = round((time.perf_counter() - started + prepared.seconds) * 1000)
        checkpoints.record(
            connection,
            work.lease,
            batch,
            attempt=work.attempt,
            digest=prepared.digest.hex(),
            elapsed_ms=elapsed_ms,
        )
        lease.renew(connection, work.lease, ttl_seconds=session.lease_seconds)


def _assert_window(session: Session, plan: Plan, run: SeedRun) -> None:
    window, now = plan.manifest.window, runs.database_now(session.connection)
    if not (run.flags.get(IGNORE_WINDOW) or window.is_open(now)):
        raise OutsideWindow(str(window), now=now, opens=window.next_opening(now))


def _refuse_regression(connection: Connection, plan: Plan) -> None:
    metadata = plan.manifest.metadata
    dataset = datasets.published(
        connection, environment=metadata.environment, tenant=metadata.tenant, mode=plan.manifest.mode
    )
    if dataset is not None:
        refuse_regression(dataset.manifest_version, dataset.reference_datetime, plan.manifest)

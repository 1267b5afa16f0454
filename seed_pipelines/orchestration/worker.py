"""One step of one Dagster run: opens what the flow needs, and turns what happens into Dagster's words.

A retryable error becomes a retry with the manifest's own backoff; that is the only layer that retries. Any other
becomes a failure whose description is our message, never the text of a database or of a bug.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn

import dagster as dg

from seed_pipelines import flow
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import ManifestRejected, SeedError, Stopped
from seed_pipelines.flow import Session
from seed_pipelines.manifest.model import Backoff, Manifest
from seed_pipelines.orchestration.hold import HOLD, Hold
from seed_pipelines.orchestration.launch import Launch, launch_of
from seed_pipelines.orchestration.turn import begin_in_turn
from seed_pipelines.outside import logs
from seed_pipelines.outside.postgres import translated
from seed_pipelines.outside.telemetry import current_traceparent
from seed_pipelines.plan import Plan
from seed_pipelines.redaction import shown
from seed_pipelines.session import Installation, opened, say_rejected
from seed_pipelines.settings import from_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an op holds while it works."""

    session: Session
    plan: Plan
    run: SeedRun
    launch: Launch
    # As Settings has it.
    trace_url: str | None = None


@contextmanager
def step(context: dg.OpExecutionContext) -> Iterator[Step]:
    """The seed run of this Dagster run, begun or gone on with; left behind properly whatever happens."""
    installation = Installation.of(from_environment())
    if installation.settings.json_logs:
        logs.configure_logs()
    hold: Hold = getattr(context.resources, HOLD)
    backoffs: list[Backoff] = []
    try:
        # A connection lost where nobody below translates it is a reason to try again, not a bug.
        with translated():
            yield from _work(context, installation, hold, backoffs)
    # Everything, termination included: whoever stops must give back what he holds.
    except BaseException as stop:
        error = shown(stop) if isinstance(stop, Exception) else stop
        again = _retry_of(context, error, backoffs)
        logs.event("step failed", error=error, attempt=context.retry_number)
        if again is None:
            hold.leave(error)
        else:
            hold.wait(again.seconds_to_wait or 0)
        if isinstance(error, SeedError):
            _raise_for_dagster(context, error, again)
        raise


def _work(
    context: dg.OpExecutionContext, installation: Installation, hold: Hold, backoffs: list[Backoff]
) -> Iterator[Step]:
    launch = launch_of(context)
    manifest = _manifest(installation, launch)
    launch.assert_fresh(manifest)
    backoffs.append(manifest.backoff)
    plan = installation.plan(manifest)
    launch.assert_planned(plan)
    with opened(installation, manifest, worker=hold.worker) as found:
        session = replace(found, preflight=hold.preflight, sealer=hold.sealer)
        with session.telemetry.span("seed.run", traceparent=launch.traceparent, shard=launch.shard) as span:
            # The trace of a seed run is that of the step which claimed it: its report names a span that there is.
            request = replace(launch.request(session.keys), traceparent=current_traceparent() or launch.traceparent)
            run = begin_in_turn(session, plan, request, waits=launch.waits)
            hold.work_on(run.id)
            span.set(seed_run_id=str(run.id))
            logs.bind(tenant_id=run.tenant, environment=run.environment, seed_run_id=str(run.id), shard=launch.shard)
            logs.event("step began", attempt=context.retry_number)
            yield Step(session=session, plan=plan, run=run, launch=launch, trace_url=installation.settings.trace_url)
        flow.conclude(session, run, step=f"{launch.shard}/{context.op_handle.name}")
        logs.event("step ended")


def _manifest(installation: Installation, launch: Launch) -> Manifest:
    try:
        return installation.manifest(launch.name.path)
    except ManifestRejected as error:
        say_rejected(installation, environment=launch.name.environment, tenant=launch.name.tenant, error=error)
        raise


def _retry_of(
    context: dg.OpExecutionContext, error: BaseException, backoffs: Sequence[Backoff]
) -> dg.RetryRequested | None:
    """The retry, if the error may pass and the manifest, where it was read, allows another one."""
    if not (isinstance(error, SeedError) and error.retryable and backoffs):
        return None
    backoff = backoffs[-1]
    if context.retry_number >= backoff.max_retries:
        return None
    chance = random.random()  # noqa: S311 (spreads retries; nothing is kept secret by it)
    return dg.RetryRequested(
        max_retries=backoff.max_retries,
        seconds_to_wait=wait_seconds(backoff, attempt=context.retry_number, chance=chance),
    )


def _raise_for_dagster(context: dg.OpExecutionContext, error: SeedError, again: dg.RetryRequested | None) -> NoReturn:
    if again is not None:
        context.log.warning(f"{error.code}: {error}")
        raise again from None
    outcome = "stopped" if isinstance(error, Stopped) else "refused" if error.exit_code in (2, 3) else "failed"
    raise dg.Failure(
        description=str(error),
        metadata={"code": error.code, "outcome": outcome, "retryable": error.retryable},
        allow_retries=False,
    ) from None


def wait_seconds(backoff: Backoff, *, attempt: int, chance: float) -> float:
    """min(max_interval, base · 2^attempt) · random(1 - jitter, 1 + jitter); `chance` in [0, 1)."""
    longest = min(float(backoff.max_interval_seconds), float(backoff.base_seconds) * 2.0**attempt)
    jitter = float(backoff.jitter_factor)
    return longest * (1 - jitter + 2 * jitter * chance)

"""One step of one Dagster run: opens what the flow needs, and turns what happens into Dagster's words.

A retryable error becomes a retry with the manifest's own backoff; that is the only layer that retries. Any other
becomes a failure whose description is our message, never a database's text.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

import dagster as dg

from seed_pipelines import flow
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import SeedError, Stopped
from seed_pipelines.flow import Session
from seed_pipelines.manifest.model import Backoff
from seed_pipelines.orchestration.launch import Launch, launch_of
from seed_pipelines.outside.postgres import connected
from seed_pipelines.plan import Plan
from seed_pipelines.session import Installation, opened
from seed_pipelines.settings import from_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an op holds while it works."""

    session: Session
    plan: Plan
    run: SeedRun
    launch: Launch


@contextmanager
def step(context: dg.OpExecutionContext) -> Iterator[Step]:
    """The seed run of this Dagster run, begun or gone on with; left behind properly whatever happens."""
    installation = Installation.of(from_environment())
    seed_run_id: UUID | None = None
    backoff: Backoff | None = None
    try:
        launch = launch_of(context)
        manifest = installation.manifest(launch.name.path)
        launch.assert_fresh(manifest)
        backoff = manifest.backoff
        plan = installation.plan(manifest)
        with opened(installation, manifest, worker=_worker(launch)) as session:
            with session.telemetry.span("seed.run", traceparent=launch.traceparent, shard=launch.shard):
                run = flow.begin(session, plan, launch.request(session.keys))
                seed_run_id = run.id
                yield Step(session=session, plan=plan, run=run, launch=launch)
            flow.conclude(session, run)
    # Everything, termination included: whoever stops must give back what he holds.
    except BaseException as error:
        final = not _will_retry(context, error, backoff)
        if seed_run_id is not None and final:
            _leave(installation, seed_run_id, _worker(launch_of(context)), error)
        if isinstance(error, SeedError):
            _raise_for_dagster(context, error, backoff)
        raise


def _worker(launch: Launch) -> str:
    """One process of one Dagster run: a restarted one is another worker, and supersedes it."""
    return f"{launch.dagster_run_id}:{os.getpid()}"


def _will_retry(context: dg.OpExecutionContext, error: BaseException, backoff: Backoff | None) -> bool:
    return (
        isinstance(error, SeedError)
        and error.retryable
        and backoff is not None
        and context.retry_number < backoff.max_retries
    )


def _leave(installation: Installation, seed_run_id: UUID, worker: str, error: BaseException) -> None:
    """On a connection of its own: the step's may be in the middle of something, or gone."""
    try:
        with connected(installation.database_url()) as connection:
            flow.leave(connection, seed_run_id, worker=worker, error=error)
    except SeedError:
        # The database is away: the lease runs out by itself, and the first error is the one to report.
        return


def _raise_for_dagster(context: dg.OpExecutionContext, error: SeedError, backoff: Backoff | None) -> NoReturn:
    if _will_retry(context, error, backoff) and backoff is not None:
        context.log.warning(f"{error.code}: {error}")
        raise dg.RetryRequested(
            max_retries=backoff.max_retries,
            seconds_to_wait=wait_seconds(backoff, attempt=context.retry_number, chance=random.random()),  # noqa: S311 (spread, no secret)
        ) from None
    label = "stopped" if isinstance(error, Stopped) else "refused" if error.exit_code in (2, 3) else "failed"
    raise dg.Failure(
        description=str(error),
        metadata={"code": error.code, "outcome": label, "retryable": error.retryable},
        allow_retries=False,
    ) from None


def wait_seconds(backoff: Backoff, *, attempt: int, chance: float) -> float:
    """min(max_interval, base · 2^attempt) · random(1 - jitter, 1 + jitter); `chance` in [0, 1)."""
    longest = min(float(backoff.max_interval_seconds), float(backoff.base_seconds) * 2.0**attempt)
    jitter = float(backoff.jitter_factor)
    return longest * (1 - jitter + 2 * jitter * chance)

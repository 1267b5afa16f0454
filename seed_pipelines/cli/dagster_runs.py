"""Dagster runs in this process: one shard's run of one manifest's job, and how it ended."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import psycopg2
import psycopg2.extensions
import sqlalchemy.event
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import Pool

from seed_pipelines.cli import doors
from seed_pipelines.cli.dagster_home import has_instance_file, use_local_instance
from seed_pipelines.cli.run_summary import Ended
from seed_pipelines.errors import DatabaseUnavailable, error_class_of
from seed_pipelines.orchestration import names
from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.session import Installation

# Of Dagster's storage: a statement of a run's events ends soon, and the runs of one command are few.
_STATEMENT_TIMEOUT_MS, _RECYCLE_SECONDS, _MORE_CONNECTIONS = 60_000, 3_600, 4
# The console would show every event of Dagster's; ours is the progress bar and the end.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
INTERRUPTED = Ended(
    code="interrupted", message="stopped by a signal: the same command goes on from the last checkpoint.", exit_code=5
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What the Dagster runs of one command have in common."""

    path: str
    key: str
    ignore_window: bool
    wait: bool
    traceparent: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        wishes = {names.IGNORE_WINDOW_TAG: self.ignore_window, names.WAIT_TAG: self.wait}
        wished = {tag: "true" for tag, is_wished in wishes.items() if is_wished}
        # Whoever called the command, such as a CI job, sees the seed run in his own trace.
        trace = {names.TRACEPARENT_TAG: self.traceparent} if self.traceparent else {}
        return {names.IDEMPOTENCY_KEY_TAG: self.key, names.TRIGGER_TAG: "command"} | wished | trace


def settle_instance(installation: Installation) -> None:
    """In a checkout, point this process, and those that it starts, at the local instance."""
    if has_instance_file() and doors.is_local(installation):
        use_local_instance(installation)


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, else one that is gone after the command."""
    if not os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    with dg.DagsterInstance.get() as instance:
        _keep_connections(instance)
        yield instance


def make_storage() -> None:
    """Dagster makes its tables when an instance is opened first, and of two processes that do so at once one fails."""
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get():
            pass


def run_shard(
    installation: Installation, instance: dg.DagsterInstance, launched: Launched, *, shard: str
) -> Ended | None:
    """One Dagster run; None where it went well."""
    name = ManifestName.of_path(launched.path)
    job = definitions_of(installation, job=name.job).resolve_job_def(name.job)
    try:
        result = job.execute_in_process(
            instance=instance, partition_key=shard, tags=launched.tags, run_config=_QUIET, raise_on_error=False
        )
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        return INTERRUPTED
    except (DagsterPostgresException, DBAPIError):
        # Dagster's own storage is in the same server, and it cannot write down that the server is gone.
        raise DatabaseUnavailable("") from None
    return None if result.success else _ended(result)


def _keep_connections(instance: dg.DagsterInstance) -> None:
    """Dagster opens a connection for each of a run's hundreds of statements, unless it is told to keep them."""
    instance.optimize_for_webserver(
        statement_timeout=_STATEMENT_TIMEOUT_MS, pool_recycle=_RECYCLE_SECONDS, max_overflow=_MORE_CONNECTIONS
    )
    sqlalchemy.event.listen(Pool, "checkout", _assert_alive)


def _assert_alive(connection: Any, _record: object, _proxy: object) -> None:
    """A kept connection may have outlived its server: it is tried before it is used, and opened anew."""
    # An instance may also keep its runs in SQLite files.
    if not isinstance(connection, psycopg2.extensions.connection):
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error:
        raise DisconnectionError from None


def _ended(result: dg.ExecuteInProcessResult) -> Ended:
    """Why the run failed: our own message where it was ours, else the class of what happened and no more."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data is not None and "code" in failure.user_failure_data.metadata:
            code = str(failure.user_failure_data.metadata["code"].value)
            kind = error_class_of(code)
            message = failure.user_failure_data.description or ""
            return Ended(code=code, message=message, exit_code=kind.exit_code if kind else 4)
        error = failure.error
        name = (error.cls_name or "") if error else ""
        if name == "DagsterExecutionInterruptedError":
            return INTERRUPTED
        return Ended(code="unexpected", message=f"step {event.step_key} failed with {name}", exit_code=4)
    return Ended(code="unexpected", message="the run failed before its first step", exit_code=4)

"""Dagster runs in this process: one shard's run of one manifest's job, and how it ended."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import DBAPIError

from seed_pipelines.cli import doors
from seed_pipelines.cli.dagster_home import has_instance_file, use_local_instance
from seed_pipelines.cli.run_summary import Ended
from seed_pipelines.errors import DatabaseUnavailable, error_class_of
from seed_pipelines.orchestration import names
from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.session import Installation

# The console would show every event of Dagster's; ours is the progress bar and the end.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_INTERRUPTED = Ended(
    code="interrupted", message="stopped by a signal: the same command goes on from the last checkpoint.", exit_code=5
)


@contextmanager
def dagster_instance(installation: Installation) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME; in a checkout the local one; else one that is gone after the command."""
    if not (has_instance_file() and doors.is_local(installation)) and not os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    use_local_instance(installation)
    with dg.DagsterInstance.get() as instance:
        yield instance


def run_shard(
    installation: Installation,
    instance: dg.DagsterInstance,
    path: str,
    shard: str,
    *,
    key: str,
    ignore_window: bool,
    wait: bool,
) -> Ended | None:
    """One Dagster run; None where it went well."""
    name = ManifestName.of_path(path)
    job = definitions_of(installation, job=name.job).resolve_job_def(name.job)
    tags = {names.IDEMPOTENCY_KEY_TAG: key, names.TRIGGER_TAG: "command"}
    if ignore_window:
        tags[names.IGNORE_WINDOW_TAG] = "true"
    if wait:
        tags[names.WAIT_TAG] = "true"
    try:
        result = job.execute_in_process(
            instance=instance, partition_key=shard, tags=tags, run_config=_QUIET, raise_on_error=False
        )
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        return _INTERRUPTED
    except (DagsterPostgresException, DBAPIError):
        # Dagster's own storage is in the same server, and it cannot write down that the server is gone.
        raise DatabaseUnavailable("") from None
    return None if result.success else _ended(result)


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
            return _INTERRUPTED
        return Ended(code="unexpected", message=f"step {event.step_key} failed with {name}", exit_code=4)
    return Ended(code="unexpected", message="the run failed before its first step", exit_code=4)

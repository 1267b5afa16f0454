"""`seed-data run`: a manifest through its Dagster job, several shards at once, with its end on one screen."""

import sys
import time
from dataclasses import dataclass
from uuid import uuid4

from seed_pipelines.cli import dagster_home, doors, run_summary
from seed_pipelines.cli.sightings import progress_of
from seed_pipelines.control import runs
from seed_pipelines.control.default_key import default_key
from seed_pipelines.control.runs import RunState, SeedRun
from seed_pipelines.errors import ShardUnknown, WindowNotIgnorable
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.plan import Plan
from seed_pipelines.session import Installation
from seed_pipelines.settings import DEV

_LONGEST_NAP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    shard: str | None
    idempotency_key: str | None
    reseed: bool
    wait_for_window: bool
    ignore_window: bool
    wait: bool
    # How many shards at once.
    workers: int = 2


def run_manifest(given: str, wish: Wish, *, as_json: bool) -> int:
    """Run it; the exit code comes back, and everything else is on the screen."""
    started = time.perf_counter()
    asked = doors.installation_of()
    name = doors.manifest_name(asked, given)
    plan = asked.plan(asked.manifest(name))
    assert_possible(plan, wish)
    installation = doors.with_local_database(asked)
    dagster_home.publish_settings(installation.settings)
    with connected(installation.database_url(), application="seed-data") as connection:
        key = key_of(connection, plan, wish)
        before = _run_of(connection, plan, key)
        if before is not None and before.state is RunState.PUBLISHED:
            _deliver(connection, installation)
            run_summary.show(connection, plan, before, seconds=None, as_json=as_json)
            return 0
        if wish.wait_for_window:
            _wait_for_window(connection, plan)
        ended = _run_shards(installation, name, plan, wish, key=key, quiet=as_json)
        _deliver(connection, installation)
        run = _run_of(connection, plan, key)
        if ended is not None:
            return run_summary.show_failure(ended, run, as_json=as_json)
        if run is not None:
            seconds = time.perf_counter() - started
            run_summary.show(connection, plan, run, seconds=seconds, as_json=as_json)
    return 0


def key_of(connection: Connection, plan: Plan, wish: Wish) -> str:
    """The idempotency key: given, new for a reseed, else the manifest's own."""
    if wish.idempotency_key:
        return wish.idempotency_key
    return f"reseed:{uuid4()}" if wish.reseed else default_key(connection, plan)


def assert_possible(plan: Plan, wish: Wish) -> None:
    """Raises WindowNotIgnorable or ShardUnknown."""
    environment = plan.manifest.metadata.environment
    if wish.ignore_window and environment != DEV:
        raise WindowNotIgnorable(environment)
    if wish.shard is not None and wish.shard not in plan.shard_keys:
        raise ShardUnknown(wish.shard, known=plan.shard_keys)


def _run_of(connection: Connection, plan: Plan, key: str) -> SeedRun | None:
    metadata = plan.manifest.metadata
    return runs.find_by_key(connection, environment=metadata.environment, tenant=metadata.tenant, key=key)


def _wait_for_window(connection: Connection, plan: Plan) -> None:
    window = plan.manifest.window
    now = runs.database_now(connection)
    while not window.is_open(now):
        opens = window.next_opening(now)
        print(f"waiting for the window: it opens at {opens:%Y-%m-%d %H:%M} UTC", file=sys.stderr)  # noqa: T201
        time.sleep(min(_LONGEST_NAP_SECONDS, (opens - now).total_seconds()))
        now = runs.database_now(connection)


def _run_shards(
    installation: Installation, name: str, plan: Plan, wish: Wish, *, key: str, quiet: bool
) -> run_summary.Ended | None:
    """Each shard as one Dagster run; None where all went well."""
    from seed_pipelines.cli.dagster_runs import Launched, settle_instance
    from seed_pipelines.cli.shard_workers import run_shards

    settle_instance(installation)
    return run_shards(
        installation,
        Launched(
            path=name,
            key=key,
            ignore_window=wish.ignore_window,
            wait=wish.wait,
            traceparent=installation.settings.traceparent,
        ),
        shards=[wish.shard] if wish.shard else list(plan.shard_keys),
        workers=wish.workers,
        watching=progress_of(installation, plan, key=key, quiet=quiet),
    )


def _deliver(connection: Connection, installation: Installation) -> None:
    for delivery in deliver_waiting(connection, store_of=installation.report_store, signer_of=installation.signer):
        if delivery.error is not None:
            print(f"{delivery.error.code}: {delivery.error}", file=sys.stderr)  # noqa: T201

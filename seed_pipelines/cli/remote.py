"""The commands over HTTP: the same words, answered by the API of another machine.

A manifest is named as here and read here only for its mode; what runs is the file that the API has. Where they differ,
that is said.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID, uuid4

from seed_pipelines.api.client import SeedClient, Tagged, Whose
from seed_pipelines.api.contract import (
    FINISHED,
    KEY,
    Rehearsal,
    SeedRunProgress,
    SeedRunRequest,
    SeedRunState,
    SeedRunSummary,
)
from seed_pipelines.cli import doors, show
from seed_pipelines.cli.manifest_files import Checked, check_files, problem_at_top
from seed_pipelines.cli.progress import Sighting
from seed_pipelines.cli.run_command import Wish
from seed_pipelines.cli.sightings import plan_at_hand, seconds_to_close
from seed_pipelines.cli.watch import follow
from seed_pipelines.errors import (
    ApiUnavailable,
    BadInput,
    ManifestRejected,
    NotOverHttp,
    SettingNotUsable,
    TenantNotNamed,
)
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.manifest.problems import Problem
from seed_pipelines.plan import Plan
from seed_pipelines.settings import from_environment

_RECONNECT_SECONDS = 2.0
_MOST_FAILURES = 15


@contextmanager
def api_at(url: str) -> Iterator[SeedClient]:
    """The API, with the token of SEED_API_TOKEN."""
    settings = from_environment()
    with SeedClient(url, token=settings.api_token, traceparent=settings.traceparent) as client:
        yield client


def whose(tenant: str | None, environment: str | None) -> Whose:
    """Raises TenantNotNamed; the installation's own environment need not be named."""
    environment = environment or from_environment().environment
    if not tenant or not environment:
        raise TenantNotNamed
    return Whose(tenant=tenant, environment=environment)


def run_there(url: str, given: str, wish: Wish, *, dry_run: bool, as_json: bool) -> int:
    """Start a seed run, or find the one of the same key, and follow it to its end."""
    installation = doors.installation_of()
    name = doors.manifest_name(installation, given)
    manifest = installation.manifest(name)
    request = _request(name, manifest, wish, dry_run=dry_run)
    owner = Whose(tenant=manifest.metadata.tenant, environment=manifest.metadata.environment)
    with api_at(url) as client:
        answer = client.start(request, owner)
        if isinstance(answer, Rehearsal):
            _show_rehearsal(answer, as_json=as_json)
            return 0
        if answer.manifest_hash != manifest.manifest_hash:
            print("the manifest that the API runs is not the one that is here", file=sys.stderr)  # noqa: T201
        return follow(sightings_there(client, answer.seed_run_id, owner), as_json=as_json)


def watch_there(url: str, seed_run: str, owner: Whose, *, as_json: bool) -> int:
    """Follow a seed run to its end."""
    with api_at(url) as client:
        return follow(sightings_there(client, doors.run_id_of(seed_run), owner), as_json=as_json)


def status_there(url: str, seed_run: str | None, owner: Whose, *, as_json: bool) -> None:
    """The tenant's newest seed runs, or one of them."""
    with api_at(url) as client:
        if seed_run is not None:
            show.one_run(_object(client.run(doors.run_id_of(seed_run), owner).run), as_json=as_json)
            return
        newest = [run for _, run in zip(range(20), client.runs(owner), strict=False)]
    show.runs([_row(run) for run in newest], as_json=as_json)


def cancel_there(url: str, seed_run: str, owner: Whose) -> tuple[UUID, str]:
    """The seed run's id and the state that it has now."""
    with api_at(url) as client:
        cancelled = client.cancel(doors.run_id_of(seed_run), owner)
    return cancelled.seed_run_id, cancelled.status


def report_there(url: str, seed_run: str, owner: Whose) -> bytes:
    """The bytes of a seed run's report."""
    with api_at(url) as client:
        return client.report(doors.run_id_of(seed_run), owner)


def check_there(url: str, paths: tuple[Path, ...]) -> Checked:
    """Check files and folders as the API sees them, each for the tenant and environment that its place names."""
    with api_at(url) as client:

        def check(content: bytes, *, source: str, relative_path: str) -> tuple[Problem, ...]:
            place = PurePosixPath(relative_path)
            try:
                client.validate(content, Whose(tenant=place.stem, environment=place.parent.name))
            except ManifestRejected as refused:
                return tuple(replace(problem, source=source) for problem in refused.problems)
            except BadInput as refused:
                # It is another tenant's, or no plan can be made of it: the whole file is at fault.
                return (problem_at_top(source, refused),)
            return ()

        return check_files(paths, check=check)


def sightings_there(client: SeedClient, seed_run_id: UUID, owner: Whose) -> Iterator[Sighting]:
    """The seed run's events, without an end: a stream that ends is taken up again."""
    first = client.run(seed_run_id, owner)
    plan = plan_at_hand(doors.installation_of(), first.run.manifest_path, manifest_hash=first.run.manifest_hash)
    failures = 0
    while True:
        try:
            for event in client.events(seed_run_id, owner):
                failures = 0
                yield _sighting(event, first, plan)
        except ApiUnavailable:
            failures += 1
            if failures > _MOST_FAILURES:
                raise
        time.sleep(_RECONNECT_SECONDS)


def _request(name: str, manifest: Manifest, wish: Wish, *, dry_run: bool) -> SeedRunRequest:
    there_is_none = {"--shard": wish.shard, "--wait-for-window": wish.wait_for_window, "--wait": wish.wait}
    if unsendable := tuple(option for option, given in there_is_none.items() if given):
        raise NotOverHttp(unsendable)
    key = wish.idempotency_key or (f"reseed:{uuid4()}" if wish.reseed else manifest.manifest_hash)
    if not re.fullmatch(KEY, key, re.ASCII):
        raise SettingNotUsable(
            "--idempotency-key", key[:80], wanted="1 to 200 printable characters of ASCII, no quotes"
        )
    return SeedRunRequest(
        manifest_path=name,
        mode=manifest.mode.value,
        idempotency_key=key,
        dry_run=dry_run,
        ignore_window=wish.ignore_window,
    )


def _sighting(event: SeedRunProgress, first: Tagged, plan: Plan | None) -> Sighting:
    is_over = event.status in FINISHED
    return Sighting(
        seconds=time.monotonic(),
        seed_run_id=str(event.seed_run_id),
        name=f"{first.run.environment}/{first.run.tenant}",
        state=event.status,
        rows=event.rows,
        planned_rows=event.planned_rows,
        batches=event.batches,
        planned_batches=None if plan is None else plan.total_batches,
        spent_micro_brl=event.spent_micro_brl,
        cap_micro_brl=None if first.run.budget is None else first.run.budget.cap_micro_brl,
        # By this machine's clock: it is only shown.
        closes_in_seconds=None if plan is None or is_over else seconds_to_close(plan, datetime.now(UTC)),
        error_code=event.error_code,
    )


def _row(run: SeedRunSummary) -> dict[str, Any]:
    """As control/runs.py lists them."""
    return {
        "id": run.seed_run_id,
        "environment": run.environment,
        "tenant": run.tenant,
        "mode": run.mode,
        "state": run.status,
        "manifest_version": run.manifest_version,
        "dataset_hash": run.dataset_hash,
        "error_code": run.error_code,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def _object(run: SeedRunState) -> dict[str, Any]:
    """As show.run_object has it of a seed run in our own database."""
    budget, rows = run.budget, run.rows
    return {
        "seed_run_id": str(run.seed_run_id),
        "environment": run.environment,
        "tenant": run.tenant,
        "mode": run.mode,
        "state": run.status,
        "manifest_path": run.manifest_path,
        "manifest_hash": run.manifest_hash,
        "rows": {name: {"planned": planned, "actual": rows.get(name, 0)} for name, planned in run.planned_rows.items()},
        "shards": [{"shard": each.shard, "state": each.state, "attempt": each.attempt} for each in run.shards],
        "spent_micro_brl": 0 if budget is None else budget.spent_micro_brl,
        "budget_micro_brl": None if budget is None else budget.cap_micro_brl,
        "failed_or_slow_batches": 0 if budget is None else budget.faults,
        "dataset_hash": run.dataset_hash,
        "error": {"code": run.error_code, "message": run.error_detail} if run.error_code else None,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
    }


def _show_rehearsal(found: Rehearsal, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.model_dump(mode="json")))  # noqa: T201
        return
    for entity in found.entities:
        print(f"{entity.entity:24}{entity.rows:>14,} rows in {entity.batches:,} batches")  # noqa: T201
    print(f"dataset hash  {found.dataset_hash}; nothing of it was kept")  # noqa: T201

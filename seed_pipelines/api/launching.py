"""Dagster, by its webserver's GraphQL: which manifest a job has loaded, and runs of its shards, launched and ended.

A run that was asked for is not asked for twice: who is at work, or waits for its turn, is looked up by the idempotency
key first. Nothing that Dagster says of an error is passed on, since its messages quote whatever went wrong.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from seed_pipelines.errors import DagsterUnavailable, LaunchRefused, ServerBusy
from seed_pipelines.orchestration import names
from seed_pipelines.orchestration.names import ManifestName

# As workspace.yaml has it; a canary of a release is another location, with the tenants that it is for.
LOCATION, REPOSITORY = "seed_pipelines", "__repository__"
TRIGGER = "api"

# Fewer than the threads that answer requests, and than the loader's connections: whatever Dagster does, there are some
# left for reading, cancelling and metrics.
MOST_AT_ONCE = 12

_TURN_SECONDS = 1.0
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_PARTITION_TAG = "dagster/partition"
_WAITING = ("QUEUED", "NOT_STARTED")
_AT_WORK = ("STARTING", "STARTED", "MANAGED")

_JOB = """query($selector: PipelineSelector!) { pipelineOrError(params: $selector) { __typename
    ... on Pipeline { tags { key value } } } }"""
_LOCATIONS = """query { workspaceOrError { ... on Workspace { locationEntries { name } } } }"""
_RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1000) { __typename
    ... on Runs { results { runId status tags { key value } } } } }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } } } }"""
_TERMINATE = """mutation($runIds: [String!]!) { terminateRuns(runIds: $runIds) { __typename } }"""
_VERSION = "query { version }"


@dataclass(frozen=True, slots=True, kw_only=True)
class DagsterRun:
    """A run that has not ended."""

    id: str
    shard: str
    has_begun: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A job where it was found."""

    selector: Mapping[str, str]
    tags: Mapping[str, str]


class Dagster:
    """One webserver; safe to use from any thread."""

    def __init__(self, url: str) -> None:
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)
        # Straight to it: a proxy of the environment is for the world outside.
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """For whoever starts or ends runs, since each may wait long; raises ServerBusy."""
        if not self._turns.acquire(timeout=_TURN_SECONDS):
            raise ServerBusy("as many requests as may be are waiting for Dagster")
        try:
            yield
        finally:
            self._turns.release()

    def assert_answers(self) -> None:
        """Raises DagsterUnavailable."""
        self._ask(_VERSION, {})

    def loaded_hash(self, name: ManifestName) -> str | None:
        """The hash of the manifest that the job was made of; None where there is no such job."""
        found = self._job_of(name)
        return found.tags.get(names.MANIFEST_HASH_TAG) if found else None

    def runs_of(self, name: ManifestName, key: str) -> list[DagsterRun]:
        """The runs of an idempotency key that wait or are at work."""
        tags = _as_list(name.tags | {names.IDEMPOTENCY_KEY_TAG: key})
        answer = self._ask(_RUNS, {"filter": {"tags": tags, "statuses": [*_WAITING, *_AT_WORK]}})
        return [_run_of(found) for found in answer["runsOrError"].get("results", ())]

    def launch(self, name: ManifestName, shard: str, tags: Mapping[str, str]) -> None:
        """Ask for a run of one shard; raises LaunchRefused."""
        job = self._job_of(name)
        if job is None:
            raise LaunchRefused(name.job, why="PipelineNotFoundError")
        metadata = {"tags": _as_list({**name.tags, **tags, _PARTITION_TAG: shard})}
        params = {"selector": job.selector, "runConfigData": {}, "executionMetadata": metadata}
        answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise LaunchRefused(name.job, why=answer["__typename"])

    def terminate(self, runs: Sequence[DagsterRun]) -> None:
        """Ask for the end of runs; one that has ended meanwhile is no matter."""
        if runs:
            self._ask(_TERMINATE, {"runIds": [run.id for run in runs]})

    def _job_of(self, name: ManifestName) -> "_Job | None":
        """The job in the location that has it; the usual one is asked first."""
        return self._job_in(LOCATION, name) or next(
            filter(None, (self._job_in(location, name) for location in self._other_locations())), None
        )

    def _job_in(self, location: str, name: ManifestName) -> "_Job | None":
        selector = {"repositoryLocationName": location, "repositoryName": REPOSITORY, "pipelineName": name.job}
        found = self._ask(_JOB, {"selector": selector})["pipelineOrError"]
        if "tags" not in found:
            return None
        return _Job(selector=selector, tags={tag["key"]: tag["value"] for tag in found["tags"]})

    def _other_locations(self) -> list[str]:
        entries = self._ask(_LOCATIONS, {})["workspaceOrError"].get("locationEntries", ())
        return [entry["name"] for entry in entries if entry["name"] != LOCATION]

    def _ask(self, question: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.post("/graphql", json={"query": question, "variables": variables})
            found = answer.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            raise DagsterUnavailable(why=f"it answered {error.response.status_code}") from None
        except (httpx.HTTPError, ValueError) as error:
            raise DagsterUnavailable(why=type(error).__name__) from None
        if not isinstance(found, dict) or found.get("errors") or not isinstance(found.get("data"), dict):
            raise DagsterUnavailable(why="it did not understand the question")
        data: dict[str, Any] = found["data"]
        return data


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _run_of(found: Mapping[str, Any]) -> DagsterRun:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    return DagsterRun(id=found["runId"], shard=tags.get(_PARTITION_TAG, ""), has_begun=found["status"] in _AT_WORK)

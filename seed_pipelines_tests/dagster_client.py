"""Dagster's GraphQL, as its UI speaks it: launching, backfilling, ending, repeating and looking."""

import json
import time
import urllib.request
from dataclasses import dataclass

import pytest

LOCATION, REPOSITORY = "seed_pipelines", "__repository__"
ENDED = ("SUCCESS", "FAILURE", "CANCELED")

_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message }
    ... on PipelineNotFoundError { message } } }"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
    ... on InvalidSubsetError { message } ... on PartitionKeysNotFoundError { message } } }"""
_REPEAT = """mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_RELOAD = """mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename ... on WorkspaceLocationEntry { loadStatus locationOrLoadError { __typename
    ... on PythonError { message } } } } }"""
_RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 200) { ... on Runs { results {
    runId jobName status tags { key value } stats { ... on RunStatsSnapshot { startTime endTime } } } } } }"""
_EVENTS = """query($runId: ID!, $after: String) { logsForRun(runId: $runId, afterCursor: $after, limit: 1000) {
    ... on EventConnection { cursor hasMore events { __typename
    ... on MessageEvent { message stepKey }
    ... on ExecutionStepFailureEvent { error { message className stack cause { message } }
        failureMetadata { description metadataEntries { label ...value } } }
    ... on ExecutionStepOutputEvent { metadataEntries { label ...value } }
    ... on MaterializationEvent { label partition assetKey { path } metadataEntries { label ...value } }
    ... on AssetCheckEvaluationEvent { evaluation { checkName success assetKey { path }
        metadataEntries { label ...value } } } } } } }
fragment value on MetadataEntry { ... on TextMetadataEntry { text } ... on IntMetadataEntry { intValue }
    ... on FloatMetadataEntry { floatValue } ... on BoolMetadataEntry { boolValue }
    ... on MarkdownMetadataEntry { mdStr } }"""
_REPOSITORY = """query($selector: RepositorySelector!) { repositoryOrError(repositorySelector: $selector) {
    ... on Repository { jobs { name description } assetGroups { groupName } schedules { name }
    sensors { name sensorState { status } } } } }"""
_PARTITIONS = """query($name: String!, $selector: RepositorySelector!) {
    partitionSetOrError(partitionSetName: $name, repositorySelector: $selector) { ... on PartitionSet {
    partitionsOrError { ... on Partitions { results { name } } } } } }"""
_VALUES = ("text", "intValue", "floatValue", "boolValue", "mdStr")


@dataclass(frozen=True, slots=True, kw_only=True)
class DagsterClient:
    """One webserver."""

    url: str

    def ask(self, query, **variables):
        """The data of one GraphQL request; AssertionError where it has errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 (our own server)
            f"{self.url}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def repository(self):
        """Jobs, groups, schedules and sensors of the code location."""
        return self.ask(_REPOSITORY, selector=_selector())["repositoryOrError"]

    def partitions(self, job):
        """The partition keys of a job, in order."""
        found = self.ask(_PARTITIONS, name=f"{job}_partition_set", selector=_selector())["partitionSetOrError"]
        return [partition["name"] for partition in found["partitionsOrError"]["results"]]

    def launch(self, job, *, shard, assets=None, tags=None) -> str:
        """A run of a job, or of assets, as the UI's launchpad asks for it; its id."""
        selector = _selector(pipelineName=job)
        if assets is not None:
            selector |= {"assetSelection": [{"path": path} for path in assets]}
        params = {
            "selector": selector,
            "runConfigData": {},
            "executionMetadata": {"tags": _tags({"dagster/partition": shard} | (tags or {}))},
        }
        launched = self.ask(_LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def backfill(self, shards, *, job=None, assets=None, tags=None) -> str:
        """A backfill of a job's partition set, or of assets; its id."""
        params = {"partitionNames": list(shards), "tags": _tags(tags or {})}
        if job is not None:
            params["selector"] = {"partitionSetName": f"{job}_partition_set", "repositorySelector": _selector()}
        else:
            params["assetSelection"] = [{"path": path} for path in assets]
        launched = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def repeat(self, run_id, *, strategy) -> str:
        """FROM_FAILURE or ALL_STEPS; the new run's id."""
        params = {"parentRunId": run_id, "strategy": strategy}
        launched = self.ask(_REPEAT, params=params)["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def terminate(self, run_id) -> str:
        query = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
        return self.ask(query, id=run_id)["terminateRun"]["__typename"]

    def reload(self):
        """Load the code again; what it came to."""
        return self.ask(_RELOAD, name=LOCATION)["reloadRepositoryLocation"]

    def runs(self, *, statuses=None, **tags):
        """Runs with these tags (`dagster__backfill` stands for `dagster/backfill`), newest first."""
        wanted = {"tags": _tags({name.replace("__", "/"): value for name, value in tags.items()})}
        if statuses:
            wanted["statuses"] = list(statuses)
        return self.ask(_RUNS, filter=wanted)["runsOrError"]["results"]

    def run(self, run_id):
        return self.ask(_RUNS, filter={"runIds": [run_id]})["runsOrError"]["results"][0]

    def events(self, run_id):
        """Every event of a run, its metadata as plain dicts."""
        events, cursor, more = [], None, True
        while more:
            page = self.ask(_EVENTS, runId=run_id, after=cursor)["logsForRun"]
            events += page["events"]
            cursor, more = page["cursor"], page["hasMore"]
        return events

    def wait(self, run_id, *, seconds=60, until=ENDED):
        """The run once its status is one of `until`."""
        return wait_for(lambda: _if_in(self.run(run_id), until), seconds=seconds, what=f"run {run_id} in {until}")

    def wait_backfill(self, backfill_id, *, runs, seconds=120):
        """All runs of a backfill once there are so many and all have ended."""

        def all_ended():
            found = self.runs(dagster__backfill=backfill_id)
            return found if len(found) == runs and all(run["status"] in ENDED for run in found) else None

        return wait_for(all_ended, seconds=seconds, what=f"{runs} runs of backfill {backfill_id}")


def metadata_of(entries):
    """Metadata entries as a dict."""
    return {
        entry["label"]: next((entry[kind] for kind in _VALUES if entry.get(kind) is not None), None)
        for entry in entries
    }


def wait_for(look, *, seconds, what, pause=0.3):
    """What `look` finds, as soon as it is truthy; the test fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(pause)
    pytest.fail(f"waited {seconds} s for {what}")


def _if_in(run, statuses):
    return run if run["status"] in statuses else None


def _selector(**more):
    return {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY} | more


def _tags(tags):
    return [{"key": key, "value": value} for key, value in tags.items()]

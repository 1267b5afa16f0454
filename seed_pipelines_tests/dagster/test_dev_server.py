"""Dagster's real webserver, daemon and workers on an embedded PostgreSQL: launching, backfilling, ending, going on.

One server for all tests of this module; each has a tenant of its own.
"""

import os
import signal

import pytest
from dagster_client import metadata_of, wait_for
from dev_server import running_dev_server
from sealed_manifests import write_manifest
from small_manifests import SLOW, SMALL, carga

from seed_pipelines.generate.digest import dataset_hash, digest_of
from seed_pipelines.generate.rows import COUNTERS, generate
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.plan import plan_of

pytestmark = pytest.mark.slow

ENTITIES = ("tenants", "consultants", "customers", "loans", "installments")
SHARDS = ("0000", "0001", "0002")


@pytest.fixture(scope="module")
def server(postgres_server, open_session_directory):
    home = open_session_directory / "laptop" / "home"
    manifests = home.parent / "manifests"
    home.parent.mkdir()
    write_manifest(manifests, **SMALL)
    write_manifest(manifests, **carga(shards=3))
    for tenant in ("ended", "killed"):
        write_manifest(manifests, **SLOW, tenant=tenant)
    (manifests / "dev/broken.yaml").write_text("metadata: [", encoding="utf-8")
    with running_dev_server(home, manifests) as started:
        yield started


def test_the_ui_lists_what_the_manifests_say(server):
    repository = server.client.repository()
    jobs = {job["name"] for job in repository["jobs"]}
    assert jobs >= {"seed__dev__acme", "seed__dev__globex", "broken__dev__broken"}
    assert {group["groupName"] for group in repository["assetGroups"]} >= {"dev__acme", "dev__globex"}
    assert {schedule["name"] for schedule in repository["schedules"]} >= {"off_peak__dev__acme"}
    running = {sensor["name"] for sensor in repository["sensors"] if sensor["sensorState"]["status"] == "RUNNING"}
    assert running >= {"manifest_commits", "seed_reports"}
    assert server.client.partitions("seed__dev__globex") == list(SHARDS)


def test_a_backfill_is_one_seed_run_that_publishes_once(server):
    backfill = server.client.backfill(SHARDS, job="seed__dev__globex")
    runs = server.client.wait_backfill(backfill, runs=3)
    assert [failures(server, run["runId"]) for run in runs if run["status"] != "SUCCESS"] == []
    assert most_at_once(runs) <= 2
    (seed_run,) = seed_runs(server, "globex")
    assert (seed_run["state"], seed_run["idempotency_key"]) == ("published", f"backfill:{backfill}")
    published = [told for run in runs if (told := materialized(server, run["runId"])["dataset"])["published"] == "yes"]
    assert [told["dataset_hash"] for told in published] == [seed_run["dataset_hash"]]
    assert published[0]["generation"] == 1
    assert seed_run["dataset_hash"] == expected_hash(server, "globex")
    checks = [check for run in runs for check in judged(server, run["runId"])]
    assert ("dataset", "tenant_isolated", True) in checks
    assert all(passed for _, _, passed in checks)


def test_materializing_the_assets_uses_one_process_and_knows_its_manifest(server):
    """Such a run has none of the job's tags, and not its executor."""
    assets = [["dev", "acme", entity] for entity in (*ENTITIES, "dataset")]
    run_id = server.client.launch("__ASSET_JOB", shard="0000", assets=assets)
    assert server.client.wait(run_id)["status"] == "SUCCESS"
    messages = [event.get("message") or "" for event in server.client.events(run_id)]
    assert any(message.startswith("Executing steps in process") for message in messages)
    assert not any("subprocess" in message for message in messages)
    server.write(**SMALL, version="1.1.0")
    stale = server.client.launch("__ASSET_JOB", shard="0000", assets=assets)
    assert server.client.wait(stale)["status"] == "FAILURE"
    (description,) = failures(server, stale)
    assert "definitions are stale: reload the code location" in description
    assert server.client.reload()["loadStatus"] == "LOADED"


def test_a_run_that_is_ended_leaves_the_lease_at_once_and_its_repetition_goes_on(server):
    run_id = launched_until_checkpoint(server, "ended", entity="consultants")
    assert is_held(server, "ended")
    server.client.terminate(run_id)
    assert server.client.wait(run_id)["status"] == "CANCELED"
    wait_for(lambda: not is_held(server, "ended"), seconds=2, what="the lease to be free")
    (stopped,) = seed_runs(server, "ended")
    assert stopped["state"] == "failed"
    assert shard_states(server, stopped) == ["idle"]
    again = server.client.repeat(run_id, strategy="ALL_STEPS")
    assert server.client.wait(again)["status"] == "SUCCESS"
    told = materialized(server, again)
    assert told["consultants"]["resumed_batches"] == 1
    assert told["dataset"]["dataset_hash"] == expected_hash(server, "ended")
    assert len(seed_runs(server, "ended")) == 1


def test_a_worker_that_is_killed_is_started_again_from_where_it_was(server):
    run_id = launched_until_checkpoint(server, "killed", entity="customers")
    os.kill(worker_of(server, run_id), signal.SIGKILL)
    assert server.client.wait(run_id)["status"] == "FAILURE"
    (retry,) = wait_for(lambda: retries_of(server, run_id), seconds=120, what="the retry")
    assert server.client.wait(retry["runId"])["status"] == "SUCCESS"
    told = materialized(server, retry["runId"])
    assert "tenants" not in told, "the retry begins at the step that was lost"
    assert told["dataset"]["dataset_hash"] == expected_hash(server, "killed")
    assert len(seed_runs(server, "killed")) == 1


def test_the_manifest_that_changed_runs_once_and_every_report_is_written(server):
    """The daemon's own ticks, while the other tests ran: after those, since they change a manifest."""
    (changed,) = wait_for(lambda: server.client.runs(seed__trigger="manifest"), seconds=90, what="the sensor's run")
    assert changed["jobName"] == "seed__dev__acme"
    assert server.client.wait(changed["runId"])["status"] == "SUCCESS"
    wait_for(lambda: not unreported(server), seconds=60, what="all reports")
    published = [run for run in seed_runs(server) if run["state"] == "published"]
    assert len(published) >= 4
    assert len(server.client.runs(seed__trigger="manifest")) == 1


def test_the_server_ends_with_all_that_it_started(server):
    run_id = server.client.launch("seed__dev__killed", shard="0000")
    server.client.wait(run_id, until=("STARTED",))
    assert server.stop() == 0
    wait_for(lambda: not server.left_behind(), seconds=30, what="every process to be gone")


def launched_until_checkpoint(server, tenant, *, entity):
    """A run whose checkpoint of one entity is in, and that goes on."""
    run_id = server.client.launch(f"seed__dev__{tenant}", shard="0000")
    wait_for(lambda: has_checkpoint(server, tenant, entity), seconds=120, what=f"the checkpoint of {entity}")
    return run_id


def has_checkpoint(server, tenant, entity):
    return server.value(
        "SELECT 1 FROM seed_control.checkpoint AS c JOIN seed_control.seed_run AS r ON r.id = c.seed_run_id"
        " WHERE r.tenant = %(tenant)s AND c.entity = %(entity)s",
        tenant=tenant,
        entity=entity,
    )


def seed_runs(server, tenant=None):
    return server.ask(
        "SELECT id, state, idempotency_key, dataset_hash FROM seed_control.seed_run"
        " WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s::text ORDER BY started_at",
        tenant=tenant,
    )


def shard_states(server, seed_run):
    rows = server.ask("SELECT state FROM seed_control.seed_shard WHERE seed_run_id = %(id)s", id=seed_run["id"])
    return [row["state"] for row in rows]


def is_held(server, tenant):
    return server.value(
        "SELECT 1 FROM seed_control.lease WHERE tenant = %(tenant)s AND lease_until > clock_timestamp()", tenant=tenant
    )


def unreported(server):
    return server.ask("SELECT seed_run_id FROM seed_control.report_outbox WHERE written_at IS NULL")


def expected_hash(server, tenant):
    """The hash of all rows, made in one piece and in no database."""
    content = (server.manifests / f"dev/{tenant}.yaml").read_bytes()
    plan = plan_of(parse_manifest(content, source=tenant), counters=COUNTERS)
    whole = {entity: generate(plan, entity, first_row=0, rows=rows) for entity, rows in plan.rows.items()}
    return dataset_hash({entity: (rows.num_rows, digest_of(rows, first_row=0)) for entity, rows in whole.items()})


def materialized(server, run_id):
    """The last part of each materialized asset's key → its metadata."""
    return {
        event["assetKey"]["path"][-1]: metadata_of(event["metadataEntries"])
        for event in server.client.events(run_id)
        if event["__typename"] == "MaterializationEvent"
    }


def judged(server, run_id):
    evaluations = [event["evaluation"] for event in server.client.events(run_id) if "evaluation" in event]
    return [(found["assetKey"]["path"][-1], found["checkName"], found["success"]) for found in evaluations]


def failures(server, run_id):
    """The descriptions of the steps that failed."""
    return [
        event["failureMetadata"]["description"]
        for event in server.client.events(run_id)
        if event["__typename"] == "ExecutionStepFailureEvent"
    ]


def worker_of(server, run_id):
    """The process of a run."""
    messages = [event.get("message") or "" for event in server.client.events(run_id)]
    (started,) = (message for message in messages if message.startswith("Started process for run"))
    return int(started.split("pid: ")[1].split(")")[0])


def retries_of(server, run_id):
    return [run for run in server.client.runs(dagster__root_run_id=run_id) if run["runId"] != run_id]


def most_at_once(runs):
    """How many runs were at work at one moment, at most."""
    spans = [(run["stats"]["startTime"], run["stats"]["endTime"]) for run in runs]
    return max(sum(1 for start, end in spans if start <= moment < end) for moment, _ in spans)

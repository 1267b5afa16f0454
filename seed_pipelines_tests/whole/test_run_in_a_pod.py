"""Runs on Kubernetes, with a stand-in for Kubernetes: the chart's objects, Dagster's own launcher, queue and
monitoring, and pods that have their own environment only. It is enough for a shard, and a lost pod is noticed."""

import json
import logging
import socket
from contextlib import contextmanager

import helm_chart as chart
import psycopg
import pytest
import run_pods
import yaml
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_client import LOCATION, DagsterClient, wait_for
from dagster_graphql.test.utils import execute_dagster_graphql
from kubernetes_api import KubernetesApi
from sealed_manifests import manifest_text
from seeded import PASSWORD, new_database
from small_manifests import SLOW, SMALL

# Dagster's daemon says so where it remembers its place for the first time.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

NAME = "seed-seed-pipelines"


class Dagster(DagsterClient):
    """Dagster's webserver and daemon without their processes: each of their parts does one turn when it is asked."""

    def __init__(self, process):
        object.__setattr__(self, "process", process)
        object.__setattr__(self, "queue", QueuedRunCoordinatorDaemon(interval_seconds=1))
        object.__setattr__(self, "retries", EventLogConsumerDaemon())
        # Its first turn only remembers where the log ends.
        self.retry()

    def ask(self, query, **variables):
        found = execute_dagster_graphql(self.process.create_request_context(), query, variables)
        assert not found.errors, found.errors
        return found.data

    def dequeue(self):
        assert not [error for error in self.queue.run_iteration(self.process) if error]

    def monitor(self):
        assert not [error for error in execute_run_monitoring_iteration(self.process, logging.getLogger()) if error]

    def retry(self):
        assert not [error for error in self.retries.run_iteration(self.process) if error]


@pytest.fixture(scope="module")
def database(postgres_server, seeded_template):
    with new_database(postgres_server, seeded_template) as database:
        yield database


@pytest.fixture(scope="module")
def dagster_url(postgres_server, database):
    """Dagster's own storage."""
    name = f"dagster_{database.name}"
    with psycopg.connect(postgres_server.superuser_dsn, autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {name}")
        yield postgres_server.dsn(name).replace("postgresql://", "postgresql+psycopg2://", 1)
        administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def things(database, dagster_url):
    """What `helm install` would bring: a small cluster, its secrets from values and three manifests."""
    values = chart.value_set("minimal-dev", leaseSeconds=10)
    values["credentials"]["plain"]["worker"] = {
        "SEED_DATABASE_URL": database.loader_url,
        "SEED_DAGSTER_DATABASE_URL": dagster_url,
    }
    values["manifests"]["configMap"]["files"] = {
        f"dev/{tenant}.yaml": manifest_text(tenant=tenant, **wishes)
        for tenant, wishes in {"whole": SMALL | {"mode": "dr"}, "ended": SLOW, "killed": SLOW}.items()
    }
    return chart.render(values)


@pytest.fixture(scope="module")
def cluster(things, tmp_path_factory):
    api = KubernetesApi(things, folder=tmp_path_factory.mktemp("cluster"))
    yield api
    api.close()


@pytest.fixture(scope="module")
def port(cluster):
    """The code location, in a pod of its Deployment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    template = chart.named(cluster.things, "Deployment", f"{NAME}-code-seed-pipelines")["spec"]["template"]
    pod = cluster.start("code", template, change=lambda word: {"3030": str(port)}.get(word, word))
    wait_for(lambda: _listens(port, pod), seconds=60, what="the code location")
    return port


def _listens(port, pod):
    assert pod.phase == "Running", pod.told()[-3000:]
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def dagster_as(account, *, cluster, port, folder):
    text = chart.named(cluster.things, "ConfigMap", f"{NAME}-dagster")["data"]["dagster.yaml"]
    ref = run_pods.instance_ref(text, folder, kubeconfig=cluster.kubeconfig(f"{NAME}-{account}"))
    target = GrpcServerTarget(host="127.0.0.1", port=port, socket=None, location_name=LOCATION)
    with DagsterInstance.from_ref(ref) as instance, WorkspaceProcessContext(instance, target) as process:
        yield Dagster(process)


@pytest.fixture(scope="module")
def environment(dagster_url):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEED_DAGSTER_DATABASE_URL", dagster_url)
        yield


@pytest.fixture(scope="module")
def daemon(environment, cluster, port, tmp_path_factory):
    with dagster_as("daemon", cluster=cluster, port=port, folder=tmp_path_factory.mktemp("daemon")) as dagster:
        yield dagster


@pytest.fixture(scope="module")
def webserver(environment, cluster, port, tmp_path_factory):
    with dagster_as("webserver", cluster=cluster, port=port, folder=tmp_path_factory.mktemp("webserver")) as dagster:
        yield dagster


@pytest.fixture
def start(daemon, webserver, cluster):
    """A run of one shard, launched in the UI and taken from the queue by the daemon; its id and its pod."""

    def one(tenant):
        run_id = webserver.launch(f"seed__dev__{tenant}", shard="0000")
        daemon.dequeue()
        return run_id, cluster.pod_of(run_id)

    yield one
    assert cluster.refused == [], "the Roles of the chart allow what its programs do"


def seed_run(database, tenant):
    with database.superuser() as connection:
        (row,) = connection.execute(
            "SELECT id, state FROM seed_control.seed_run WHERE tenant = %(tenant)s", {"tenant": tenant}
        ).fetchall()
    return row


def at_work(database, pod, tenant):
    """Once a batch is in, and while others are not."""

    def has_checkpoint():
        assert pod.phase == "Running", pod.told()[-3000:]
        return database.value(
            "SELECT count(*) FROM seed_control.checkpoint AS done JOIN seed_control.seed_run AS run"
            " ON run.id = done.seed_run_id WHERE run.tenant = %(tenant)s",
            tenant=tenant,
        )

    wait_for(has_checkpoint, seconds=60, what="the first batch")


@pytest.mark.slow
def test_a_pods_environment_config_and_secrets_are_enough_for_a_shard(start, webserver, cluster, database):
    run_id, pod = start("whole")
    assert webserver.wait(run_id)["status"] == "SUCCESS", pod.told()[-3000:]
    pod.process.wait(30)
    assert pod.phase == "Succeeded"
    assert seed_run(database, "whole")["state"] == "published"
    assert database.value("SELECT count(*) FROM app.customers") == 20
    assert {name for name in pod.environment if not name.startswith(("SEED_", "DAGSTER_"))} == {"PATH", "HOME"}
    assert_job_says_what_it_needs_and_no_secret(cluster.jobs[pod.name], cluster.things)


def assert_job_says_what_it_needs_and_no_secret(job, things):
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"] == values["runs"]["resources"]["dr"]
    secrets = {PASSWORD, *chart.named(things, "Secret", f"{NAME}-worker")["stringData"].values()}
    assert not [secret for secret in secrets if secret in json.dumps(job)]


@pytest.mark.slow
def test_a_run_that_is_ended_takes_its_pod_along_and_leaves_its_lease(start, webserver, cluster, database):
    run_id, pod = start("ended")
    at_work(database, pod, "ended")
    assert webserver.terminate(run_id) == "TerminateRunSuccess"
    assert pod.name not in cluster.jobs
    pod.process.wait(30)
    assert webserver.wait(run_id)["status"] == "CANCELED", pod.told()[-3000:]
    assert seed_run(database, "ended")["state"] == "failed"
    held = "SELECT count(*) FROM seed_control.lease WHERE tenant = 'ended' AND lease_until > clock_timestamp()"
    assert database.value(held) == 0


@pytest.mark.slow
def test_a_pod_that_is_gone_is_noticed_and_its_run_started_again(start, daemon, webserver, cluster, database):
    run_id, pod = start("killed")
    at_work(database, pod, "killed")
    pod.kill()
    daemon.monitor()
    assert webserver.run(run_id)["status"] == "FAILURE"
    told = " ".join(event.get("message") or "" for event in webserver.events(run_id))
    assert "K8s job has no active pods" in told
    daemon.retry()
    (again,) = webserver.runs(dagster__parent_run_id=run_id)
    daemon.dequeue()
    assert webserver.wait(again["runId"])["status"] == "SUCCESS", cluster.pod_of(again["runId"]).told()[-3000:]
    assert seed_run(database, "killed")["state"] == "published"

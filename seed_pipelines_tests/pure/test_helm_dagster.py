"""The chart's dagster.yaml, read by Dagster itself, and the pods that its launcher would ask for."""

import json
import re
from pathlib import Path

import helm_chart as chart
import pytest
import run_pods
import yaml
from dagster_aws.s3 import S3ComputeLogManager
from dagster_k8s import K8sRunLauncher

ROOT = Path(__file__).parents[2]
RUNS_DAGSTER = [name for name in chart.VALUE_SETS if name != "official-dagster-companion"]
BIG = {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"memory": "8Gi"}}


def instance_of(things):
    return chart.named(things, "ConfigMap", "seed-seed-pipelines-dagster")["data"]


@pytest.fixture(scope="module", params=RUNS_DAGSTER)
def things(request):
    return chart.render(chart.value_set(request.param))


@pytest.fixture(scope="module")
def ref(things, tmp_path_factory):
    return run_pods.instance_ref(instance_of(things)["dagster.yaml"], tmp_path_factory.mktemp("instance"))


@pytest.fixture(scope="module")
def full():
    return chart.render(chart.value_set("production-full"))


@pytest.fixture(scope="module")
def full_ref(full, tmp_path_factory):
    return run_pods.instance_ref(instance_of(full)["dagster.yaml"], tmp_path_factory.mktemp("full"))


def test_dagster_reads_it_and_starts_runs_as_pods(ref):
    assert isinstance(ref.run_launcher, K8sRunLauncher)


def test_it_says_what_the_repositorys_own_says():
    own = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    of_chart = yaml.safe_load(instance_of(chart.render(chart.value_set("minimal-dev")))["dagster.yaml"])
    # A pod may have to pull its image first; a process of this machine has not.
    own["run_monitoring"]["start_timeout_seconds"] = values["dagster"]["startTimeoutSeconds"]
    assert {section: of_chart[section] for section in own} == own


def test_logs_of_runs_go_to_s3(full_ref, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    logs = full_ref.compute_log_manager
    assert isinstance(logs, S3ComputeLogManager)
    logs.dispose()


def test_the_workspace_names_services_that_are_there(things):
    services = {service["metadata"]["name"]: service for service in chart.of_kind(things, "Service")}
    locations = yaml.safe_load(instance_of(things)["workspace.yaml"])["load_from"]
    assert locations
    for location in locations:
        server = location["grpc_server"]
        assert server["port"] in [port["port"] for port in services[server["host"]]["spec"]["ports"]]


def test_the_first_location_is_called_as_in_the_repositorys_workspace(full):
    own = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]["location_name"]
    (server,) = yaml.safe_load(instance_of(full)["workspace.yaml"])["load_from"]
    assert server["grpc_server"]["location_name"] == own


def test_kubernetes_takes_the_job_of_a_run(ref):
    chart.validate(run_pods.run_job(ref, run_pods.a_run(image="registry.example/seed-pipelines:1")))


def test_a_run_pod_is_hardened_like_every_other(things, ref):
    pod = run_pods.run_job(ref, run_pods.a_run())["spec"]["template"]["spec"]
    code = chart.named(things, "Deployment", "seed-seed-pipelines-code-seed-pipelines")
    like = code["spec"]["template"]["spec"]
    assert pod["securityContext"] == like["securityContext"]
    assert pod["automountServiceAccountToken"] == like["automountServiceAccountToken"]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        assert container["securityContext"] == like["containers"][0]["securityContext"]
        assert container["resources"]["limits"]["memory"]


def test_a_run_pod_has_what_its_code_location_has(things, ref):
    """Environment, Secrets, volumes and mounts: a run must see what was loaded. Manifests may be more than the
    location's."""
    pod = run_pods.run_job(ref, run_pods.a_run())["spec"]["template"]["spec"]
    code = chart.named(things, "Deployment", "seed-seed-pipelines-code-seed-pipelines")["spec"]["template"]["spec"]
    own, like = pod["containers"][0], code["containers"][0]
    assert own["envFrom"] == like["envFrom"]
    assert own["volumeMounts"] == [mount for mount in like["volumeMounts"] if mount["name"] != "dagster"]
    kept = ("dagster", "manifests")
    assert [volume for volume in pod["volumes"] if volume["name"] not in kept] == [
        volume for volume in code["volumes"] if volume["name"] not in kept
    ]
    assert pod.get("initContainers") == code.get("initContainers")


def test_a_run_pod_is_found_by_the_network_policies_and_no_service(full, full_ref):
    labels = run_pods.run_job(full_ref, run_pods.a_run())["spec"]["template"]["metadata"]["labels"]
    policy = chart.named(full, "NetworkPolicy", "seed-seed-pipelines-run")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    for service in chart.of_kind(full, "Service"):
        assert not service["spec"]["selector"].items() <= labels.items()


def test_a_run_takes_the_image_of_its_code_location(full_ref):
    job = run_pods.run_job(full_ref, run_pods.a_run(image="registry.example/seed-pipelines@sha256:c"))
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/seed-pipelines@sha256:c"


def test_the_program_is_what_dagster_asks_for_whatever_the_images_entrypoint(full_ref):
    (container,) = run_pods.run_job(full_ref, run_pods.a_run())["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["/usr/bin/env"]
    assert container["args"][:3] == ["dagster", "api", "execute_run"]


def test_a_run_may_ask_for_resources_by_its_tags(full_ref):
    tags = {"dagster-k8s/config": json.dumps({"container_config": {"resources": BIG}})}
    (container,) = run_pods.run_job(full_ref, run_pods.a_run(tags=tags))["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == BIG


@pytest.mark.parametrize(
    "wish",
    [
        {"container_config": {"image": "evil.example/image"}},
        {"container_config": {"security_context": {"privileged": True}}},
        {"container_config": {"env": [{"name": "SEED_ENVIRONMENT", "value": "production"}]}},
        {"container_config": {"env_from": [{"secret_ref": {"name": "seed-migrator"}}]}},
        {"pod_spec_config": {"service_account_name": "seed-daemon"}},
        {"pod_spec_config": {"host_network": True}},
        {"pod_spec_config": {"volumes": [{"name": "host", "host_path": {"path": "/"}}]}},
        {"pod_spec_config": {"containers": [{"name": "other", "image": "evil.example/image"}]}},
    ],
    ids=str,
)
def test_a_run_may_not_ask_for_anything_else(full_ref, wish):
    tags = {"dagster-k8s/config": json.dumps(wish)}
    with pytest.raises(Exception, match="violated the allowed list"):
        run_pods.run_job(full_ref, run_pods.a_run(tags=tags))


def test_no_secret_is_in_the_command_of_a_run(full_ref):
    """The instance goes along as an argument, where everybody who may list pods can read it."""
    (container,) = run_pods.run_job(full_ref, run_pods.a_run())["spec"]["template"]["spec"]["containers"]
    arguments = " ".join(container["args"])
    assert "SEED_DAGSTER_DATABASE_URL" in arguments
    assert not re.search(r"postgres\w*(\+\w+)?://", arguments)


def test_resources_by_mode_are_delivered_to_the_code_location(full):
    data = chart.named(full, "ConfigMap", "seed-seed-pipelines-env")["data"]
    resources = json.loads(data["SEED_RUN_RESOURCES"])
    assert set(resources) == {"baseline", "carga", "dr", "canary"}
    assert all({"requests", "limits"} == set(wanted) for wanted in resources.values())

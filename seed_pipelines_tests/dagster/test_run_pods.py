"""The Kubernetes Job of a shard: what our chart's dagster.yaml and the job of a manifest make of it together."""

import json

import helm_chart as chart
import pytest
import run_pods

NAME = "seed-seed-pipelines"
MODES = ("baseline", "carga", "dr", "canary")
VALUES = chart.value_set("production-full")


@pytest.fixture(scope="module")
def things():
    return chart.render(VALUES)


@pytest.fixture(scope="module")
def ref(things, tmp_path_factory):
    dagster_yaml = chart.named(things, "ConfigMap", f"{NAME}-dagster")["data"]["dagster.yaml"]
    return run_pods.instance_ref(dagster_yaml, tmp_path_factory.mktemp("instance"))


@pytest.fixture
def job(things, ref, place, monkeypatch):
    """The Kubernetes Job of a manifest's run, made from the tags that its Dagster job has in a code location's pod."""
    data = chart.named(things, "ConfigMap", f"{NAME}-env")["data"]

    def of(mode="baseline"):
        place.write(tenant="acme", mode=mode)
        monkeypatch.setenv("SEED_RUN_RESOURCES", data["SEED_RUN_RESOURCES"])
        tags = place.definitions.get_repository_def().get_job("seed__dev__acme").tags
        return run_pods.run_job(ref, run_pods.a_run(image="registry.example/seed-pipelines@sha256:c", tags=dict(tags)))

    return of


@pytest.mark.parametrize("mode", MODES)
def test_a_shard_gets_the_resources_of_its_mode(things, job, mode):
    wanted = json.loads(chart.named(things, "ConfigMap", f"{NAME}-env")["data"]["SEED_RUN_RESOURCES"])[mode]
    (container,) = job(mode)["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == wanted


def test_kubernetes_takes_it(job):
    made = job("carga")
    for version in (chart.OLDEST_KUBERNETES, chart.KUBERNETES):
        chart.validate(made, version)


def test_only_dagster_starts_it_again_and_it_goes_away_by_itself(job):
    spec = job()["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["ttlSecondsAfterFinished"] == 3600


def test_it_has_time_to_give_back_what_it_holds(job):
    """A worker that is told to stop says so in the database; killed at once, its lease would have to expire."""
    assert job()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 60


def test_its_account_config_and_secrets_are_there(things, job):
    """Nothing that it refers to is missing from the release, or it is what the values say is there."""
    pod = job()["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] in {it["metadata"]["name"] for it in chart.of_kind(things, "ServiceAccount")}
    (container,) = pod["containers"]
    maps = {it["metadata"]["name"] for it in chart.of_kind(things, "ConfigMap")}
    secrets = {it["secretRef"]["name"] for it in container["envFrom"] if "secretRef" in it}
    named = {it["configMapRef"]["name"] for it in container["envFrom"] if "configMapRef" in it}
    named |= {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    assert named - maps == {VALUES["caBundle"]["configMap"]}
    assert secrets == {f"{NAME}-worker"}


def test_it_is_told_its_job_so_that_it_loads_one_manifest_only(job):
    (container,) = job()["spec"]["template"]["spec"]["containers"]
    assert {"name": "DAGSTER_RUN_JOB_NAME", "value": "seed__dev__acme"} in container["env"]


def test_no_value_in_its_environment_is_a_secret(job):
    """The object itself is no secret: who may read Jobs reads these."""
    (container,) = job()["spec"]["template"]["spec"]["containers"]
    assert {it["name"] for it in container["env"]} <= {"DAGSTER_HOME", "DAGSTER_RUN_JOB_NAME"}


def test_its_labels_say_whose_it_is(job):
    made = job()
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels["seed-pipelines/component"] == "run"
    assert labels["seed-pipelines/environment"] == "production"
    assert labels["app.kubernetes.io/part-of"] == "seed-pipelines"

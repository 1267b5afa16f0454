"""What the chart says about the rest of the project is what the rest of the project says."""

import re
import tomllib
from pathlib import Path

import helm_chart as chart
import pytest
import yaml
from dagster_k8s.container_context import K8sContainerContext
from helm_python.chart import Chart

from seed_pipelines.manifest.model import Mode

ROOT = Path(__file__).parents[2]
SETTINGS = set(re.findall(r'"((?:SEED|OTEL)_[A-Z0-9_]+)"', (ROOT / "seed_pipelines/settings.py").read_text()))
# Settings of what reads no Settings: dagster.yaml and `seed-data db migrate`.
ELSEWHERE = {"SEED_DAGSTER_DATABASE_URL", "SEED_MIGRATOR_URL", "SEED_ADMIN_URL"}
# Read by the exporter and by boto3 themselves.
STANDARD = {"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"}
# A person's terminal has these, not a cluster.
OF_PEOPLE = {"SEED_API_URL", "SEED_API_TOKEN"}
ARGOCD = ROOT / "infra/argocd"


def chart_text():
    files = [chart.CHART / "values.yaml", *(chart.CHART / "templates").iterdir()]
    return "\n".join(file.read_text() for file in files)


def names_of_the_chart():
    return set(re.findall(r"\b((?:SEED|OTEL)_[A-Z0-9_]*[A-Z0-9])\b", chart_text()))


def test_every_variable_of_the_chart_is_one_that_is_read():
    assert names_of_the_chart() - SETTINGS - ELSEWHERE - STANDARD == set()


def test_every_setting_has_its_place_in_the_chart():
    """A new setting goes into templates/_env.tpl with a value of its own, or into a Secret that values.yaml lists."""
    settings = {name for name in SETTINGS if name.startswith("SEED_")} - OF_PEOPLE
    assert settings - names_of_the_chart() == set()


@pytest.mark.parametrize("name", chart.VALUE_SETS)
def test_what_config_maps_set_is_known_under_that_name(name):
    for thing in chart.of_kind(chart.render(chart.value_set(name)), "ConfigMap"):
        for key in thing.get("data", {}):
            if key.startswith("SEED_"):
                assert key in SETTINGS | ELSEWHERE


@pytest.mark.parametrize(("name", "said"), [("production-full", "true"), ("staging", None)])
def test_a_canary_is_asked_for_where_the_values_say_so(name, said):
    things = chart.render(chart.value_set(name))
    for config_map in ("env", "api-env"):
        data = chart.named(things, "ConfigMap", f"seed-seed-pipelines-{config_map}")["data"]
        assert data.get("SEED_CANARY_REQUIRED") == said


def test_it_is_the_chart_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert yaml.safe_load((chart.CHART / "Chart.yaml").read_text())["appVersion"] == project["version"]


def test_there_are_resources_for_every_mode():
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    assert set(values["runs"]["resources"]) == {mode.value for mode in Mode}


def test_the_values_of_the_how_to_deploy_and_so_does_its_canary():
    page = (ROOT / "docs/how-to/deploy-on-kubernetes.md").read_text()
    values, canary = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    text = (ROOT / "manifests/staging/acme.yaml").read_text()
    values["manifests"] = {"configMap": {"files": {"staging/acme.yaml": text}}}
    values["api"]["access"]["policy"] = "# the text of a policy"
    plain = {thing["metadata"]["name"] for thing in chart.render(values)}
    with_canary = {thing["metadata"]["name"] for thing in chart.render(values | canary)}
    assert set(re.findall(r"(?:deployment|service|job)/([\w-]+)", page)) <= plain
    assert with_canary - plain == {"seed-seed-pipelines-code-canary"}


@pytest.fixture(scope="module")
def companion():
    return chart.render(chart.value_set("official-dagster-companion"))


@pytest.fixture(scope="module")
def official():
    values = yaml.safe_load((ROOT / "helm/official-chart-values.yaml").read_text())
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    return deployment


def test_what_dagsters_own_chart_is_told_to_use_comes_with_the_companion(companion, official):
    maps = {thing["metadata"]["name"] for thing in chart.of_kind(companion, "ConfigMap")}
    used = {source["name"] for source in official["envConfigMaps"]}
    used |= {volume["configMap"]["name"] for volume in official["volumes"] if "configMap" in volume}
    assert used <= maps
    policy = chart.named(companion, "NetworkPolicy", "seed-code")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= official["labels"].items()


def test_a_pod_of_dagsters_own_chart_mounts_what_ours_would(companion, official):
    api = chart.named(companion, "Deployment", "seed-api")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in api["containers"][0]["volumeMounts"]}
    # Manifests are in the image there.
    del mounts["manifests"]
    assert {mount["name"]: mount["mountPath"] for mount in official["volumeMounts"]} == mounts
    assert {volume["name"] for volume in official["volumes"]} == set(mounts)


def test_dagster_takes_what_run_pods_inherit_there(official):
    context = K8sContainerContext.create_from_config(
        {
            "k8s": {
                "env_config_maps": [source["name"] for source in official["envConfigMaps"]],
                "env_secrets": [source["name"] for source in official["envSecrets"]],
                "volumes": official["volumes"],
                "volume_mounts": official["volumeMounts"],
                "labels": official["labels"],
                "resources": official["resources"],
                "security_context": official["securityContext"],
            }
        }
    )
    assert context.run_k8s_config.container_config["env_from"] == [
        {"config_map_ref": {"name": "seed-env"}},
        {"secret_ref": {"name": "seed-worker"}},
    ]


def test_the_argo_cd_project_allows_the_kinds_of_the_chart_and_no_other():
    (project,) = _argo("project.yaml")
    allowed = {(kind["group"], kind["kind"]) for kind in project["spec"]["namespaceResourceWhitelist"]}
    rendered = {
        (thing["apiVersion"].rpartition("/")[0], thing["kind"])
        for name in chart.VALUE_SETS
        for thing in chart.render(chart.value_set(name))
    }
    assert allowed == rendered
    assert project["spec"]["clusterResourceWhitelist"] == []


def test_the_root_application_brings_the_project_before_what_belongs_to_it():
    (root,), (project,), (applications,) = (_argo(f"{n}.yaml") for n in ("application", "project", "applicationset"))
    included = root["spec"]["source"]["directory"]["include"]
    assert included == "{project,applicationset}.yaml"
    waves = [int(thing["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) for thing in (project, applications)]
    assert waves == sorted(set(waves))
    assert applications["spec"]["template"]["spec"]["project"] == project["metadata"]["name"]
    repositories = {root["spec"]["source"]["repoURL"], applications["spec"]["template"]["spec"]["source"]["repoURL"]}
    assert repositories == set(project["spec"]["sourceRepos"])


def test_environments_are_rolled_out_one_after_the_other_and_production_by_hand():
    (applications,) = _argo("applicationset.yaml")
    steps = applications["spec"]["strategy"]["rollingSync"]["steps"]
    order = [step["matchExpressions"][0]["values"] for step in steps]
    assert order == [["dev"], ["staging"], ["production"]]
    assert steps[-1]["maxUpdate"] == 0
    for file in (ARGOCD / "environments").iterdir():
        assert [yaml.safe_load(file.read_text())["values"]["environment"]] in order


@pytest.mark.parametrize("file", sorted((ARGOCD / "environments").iterdir()), ids=lambda file: file.stem)
def test_argo_cd_would_deploy_each_environment(file, tmp_path):
    """The patch is a Go template: Helm's engine fills it in, and the chart takes what comes out."""
    environment = yaml.safe_load(file.read_text())
    helm = _patched(environment, tmp_path)["spec"]["source"]["helm"]
    values = helm["valuesObject"]
    assert {**values, **environment["values"]} == values
    things = chart.render(_with_files(values, helm["fileParameters"]), release=helm["releaseName"])
    data = chart.named(things, "ConfigMap", "seed-seed-pipelines-manifests")["data"]
    assert {key.rpartition("__")[2] for key in data} == {f"{tenant}.yaml" for tenant in environment["tenants"]}


def test_argo_cd_gives_a_canary_its_image_its_tenants_and_the_migration(tmp_path):
    environment = yaml.safe_load((ARGOCD / "environments/staging.yaml").read_text())
    helm = _patched(environment, tmp_path)["spec"]["source"]["helm"]
    things = chart.render(_with_files(helm["valuesObject"], helm["fileParameters"]), release=helm["releaseName"])
    images, mounted = {}, {}
    for name, template in chart.pod_templates(things):
        images[name.removeprefix("seed-seed-pipelines-")] = chart.containers(template)[0]["image"].rpartition("@")[2]
        for volume in template["spec"]["volumes"]:
            if volume["name"] == "manifests":
                items = volume["configMap"]["items"]
                mounted[name.removeprefix("seed-seed-pipelines-")] = [item["path"] for item in items]
    old, new = environment["values"]["image"]["digest"], environment["canary"]["digest"]
    assert {name for name, digest in images.items() if digest == new} == {"code-canary", "migration"}
    assert images["code-seed-pipelines"] == images["api"] == old
    assert mounted["code-canary"] == ["staging/acme.yaml"]
    assert mounted["code-seed-pipelines"] == ["staging/globex.yaml"]


def test_argo_cd_gives_the_api_the_policy_that_is_reviewed(tmp_path):
    environment = yaml.safe_load((ARGOCD / "environments/staging.yaml").read_text())
    helm = _patched(environment, tmp_path)["spec"]["source"]["helm"]
    things = chart.render(_with_files(helm["valuesObject"], helm["fileParameters"]), release=helm["releaseName"])
    files = chart.named(things, "ConfigMap", "seed-seed-pipelines-files")["data"]
    assert files["policy.yaml"] == (ROOT / "infra/access/policy.yaml").read_text()


def test_every_environment_with_manifests_deploys_all_of_them():
    for file in (ARGOCD / "environments").iterdir():
        tenants = yaml.safe_load(file.read_text())["tenants"]
        assert sorted(tenants) == sorted(manifest.stem for manifest in (ROOT / "manifests" / file.stem).iterdir())


def _argo(name):
    return list(yaml.safe_load_all((ARGOCD / name).read_text()))


def _patched(parameters, folder):
    (applications,) = _argo("applicationset.yaml")
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: patch\nversion: 0.0.1\n")
    patch = applications["spec"]["templatePatch"]
    (folder / "templates/patch.yaml").write_text("{{- with .Values }}\n" + patch + "{{- end }}\n")
    with Chart.load(folder) as loaded:
        return yaml.safe_load(loaded.render(values=parameters)["patch/templates/patch.yaml"])


def _with_files(values, parameters):
    """The values with the files of the parameters, as Argo CD hands them to `helm --set-file`."""
    for parameter in parameters:
        folders = re.split(r"(?<!\\)\.", parameter["name"])
        path = [folder.replace("\\.", ".") for folder in folders]
        place = values
        for folder in path[:-1]:
            place = place.setdefault(folder, {})
        place[path[-1]] = (chart.CHART / parameter["path"]).read_text()
    return values

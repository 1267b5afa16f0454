"""What a run pod may use of its node is on the job of its manifest, by its mode."""

import json

import helm_chart as chart
import pytest
import yaml

from seed_pipelines.errors import SettingNotUsable
from seed_pipelines.manifest.model import Mode
from seed_pipelines.orchestration.run_resources import KUBERNETES_TAG, STANDARD, resources_by_mode

BIG = {"requests": {"cpu": "3500m", "memory": "6Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}}


def said(**changes):
    return json.dumps({"carga": BIG | changes})


def resources_of(place, job):
    tags = place.definitions.get_repository_def().get_job(job).tags
    return json.loads(tags[KUBERNETES_TAG])["container_config"]["resources"]


def test_each_job_asks_for_the_resources_of_its_mode(place, monkeypatch):
    place.write(tenant="acme", mode="baseline")
    place.write(tenant="globex", mode="carga")
    monkeypatch.setenv("SEED_RUN_RESOURCES", said())
    assert resources_of(place, "seed__dev__globex") == BIG
    small = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
    assert resources_of(place, "seed__dev__acme") == small


def test_without_the_setting_they_are_those_of_the_charts_values():
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())["runs"]["resources"]
    assert resources_by_mode(json.dumps(values)) == STANDARD == resources_by_mode(None)
    assert set(STANDARD) == set(Mode)


@pytest.mark.parametrize("name", chart.VALUE_SETS)
def test_what_the_chart_writes_is_read(name):
    env = next(
        thing["data"]["SEED_RUN_RESOURCES"]
        for thing in chart.of_kind(chart.render(chart.value_set(name)), "ConfigMap")
        if "SEED_RUN_RESOURCES" in thing.get("data", {})
    )
    wanted = {mode: {"container_config": {"resources": it}} for mode, it in json.loads(env).items()}
    assert {mode.value: json.loads(it.tag()) for mode, it in resources_by_mode(env).items()} == wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lots", "Invalid JSON"),
        ("[]", "should be an object"),
        (json.dumps({"cargo": BIG}), "cargo: "),
        (said(limits={}), r"carga\.limits\.memory: Field required"),
        (said(limits={"memory": "8 GB"}), r"carga\.limits\.memory: "),
        (said(limits={"memory": 8}), r"carga\.limits\.memory: "),
        (said(limits={"memory": "8Gi", "nvidia.com/gpu": "1"}), r"carga\.limits\.nvidia"),
        (said(requests={"cpu": "two", "memory": "1Gi"}), r"carga\.requests\.cpu: "),
        (said(claims=[]), r"carga\.claims: "),
        (said(limits={"memory": "6143Mi"}), r"carga: limits\.memory is 6143Mi and requests\.memory is 6Gi"),
        (said(limits={"memory": "8Gi", "cpu": "3"}), r"carga: limits\.cpu is 3 and requests\.cpu is 3500m"),
        (said(limits={"memory": "8Gi", "cpu": "0.5"}), r"carga: limits\.cpu is 0\.5 "),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_when_the_location_loads(place, monkeypatch, text, says):
    place.write()
    monkeypatch.setenv("SEED_RUN_RESOURCES", text)
    with pytest.raises(SettingNotUsable, match=rf"SEED_RUN_RESOURCES.*{says}"):
        place.definitions  # noqa: B018 (the property loads)

"""What the chart deploys, and the pods that its launcher asks for, pass the rules of infra/policy."""

import json
import subprocess
import sys
from pathlib import Path

import helm_chart as chart
import pytest
import run_pods
import yaml

CHECK = Path(__file__).parents[2] / "infra/policy/check.py"


def said_of(things):
    """What the command prints about these objects, and its exit code."""
    done = subprocess.run(
        [sys.executable, CHECK, "objects"], input=yaml.safe_dump_all(things), capture_output=True, text=True
    )
    return done.stdout + done.stderr, done.returncode


def run_job_of(things, folder):
    for thing in chart.of_kind(things, "ConfigMap"):
        if "run_launcher" in thing["data"].get("dagster.yaml", ""):
            return [run_pods.run_job(run_pods.instance_ref(thing["data"]["dagster.yaml"], folder), run_pods.a_run())]
    return []


@pytest.mark.parametrize("name", chart.VALUE_SETS)
def test_every_object_of_every_value_set_passes(name, tmp_path):
    things = chart.render(chart.value_set(name))
    assert said_of([*things, *run_job_of(things, tmp_path)]) == ("", 0)


def test_the_rules_would_have_found_something():
    things = chart.render(chart.value_set("minimal-dev"))
    broken = json.loads(json.dumps(things))
    deployment = next(iter(chart.of_kind(broken, "Deployment")))
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    said, code = said_of(broken)
    assert code == 2
    assert said.startswith(f"Deployment/{deployment['metadata']['name']}: container")
    assert said.count("\n") == 1

"""The chart, rendered by Helm's own engine and checked as Kubernetes would check it: no cluster, no network."""

import re
from pathlib import Path

import kubernetes_validate
import yaml
from helm_python import chart as helm

CHART = Path(__file__).parents[1] / "helm/seed-pipelines"
VALUE_SETS = tuple(sorted(file.stem for file in (CHART / "ci").glob("*.yaml")))
KUBERNETES = "1.34"
OLDEST_KUBERNETES = re.search(r"[0-9]+\.[0-9]+", yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"])[0]
# Their schemas come with their operators, not with Kubernetes.
CUSTOM = frozenset({"ExternalSecret", "ServiceMonitor", "PrometheusRule"})


def defaults():
    """values.yaml itself."""
    return yaml.safe_load((CHART / "values.yaml").read_text())


def value_set(name, **changes):
    """The values of ci/<name>.yaml; changes are merged into them, with a dot of a path written as __."""
    values = yaml.safe_load((CHART / "ci" / f"{name}.yaml").read_text())
    for path, value in changes.items():
        change(values, path.replace("__", "."), value)
    return values


def change(values, path, value):
    *folders, last = path.split(".")
    for folder in folders:
        values = values.setdefault(folder, {})
    values[last] = value


def texts(values, *, release="seed"):
    """What `helm template` prints, by template; raises HelmValuesError or HelmRenderError."""
    with helm.Chart.load(CHART) as chart:
        return chart.render(values=values, name=release, namespace="seed-test")


def render(values, *, release="seed"):
    """Every object, in the order of the templates."""
    rendered = texts(values, release=release)
    manifests = (text for name, text in sorted(rendered.items()) if not name.endswith("NOTES.txt"))
    return [thing for text in manifests for thing in yaml.safe_load_all(text) if thing]


def lint(values):
    """What `helm lint --strict` says: messages above information, and errors."""
    report = helm.lint(CHART, values, strict=True, namespace="seed-test", kube_version=f"v{KUBERNETES}.0")
    return [message for message in report["messages"] if message["severity"] > 1] + report["errors"]


def validate(thing, version=KUBERNETES):
    """Raises where Kubernetes would refuse the object, or would ignore a field of it."""
    kubernetes_validate.validate(thing, version, strict=True)


def named(things, kind, name):
    (found,) = (thing for thing in things if thing["kind"] == kind and thing["metadata"]["name"] == name)
    return found


def of_kind(things, *kinds):
    return [thing for thing in things if thing["kind"] in kinds]


def pod_templates(things):
    """(name, pod template) of everything that makes pods."""
    found = []
    for thing in of_kind(things, "Deployment", "Job", "CronJob"):
        spec = thing["spec"]["jobTemplate"]["spec"] if thing["kind"] == "CronJob" else thing["spec"]
        found.append((thing["metadata"]["name"], spec["template"]))
    return found


def containers(template):
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]

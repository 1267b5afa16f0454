"""The dashboard and the alert rules: about metrics that are measured, under the names that Prometheus gives them, and
the chart's rules are the same."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import helm_chart as chart
import pytest
import yaml
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, CollectorRegistry

from seed_pipelines.api.metrics import ControlPlaneMetrics, RequestMetrics
from seed_pipelines.control.runs import RunState
from seed_pipelines.outside.connections import ConnectionPool
from seed_pipelines.outside.metrics import Metrics

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "infra/grafana"
DASHBOARD = json.loads((GRAFANA / "dashboard.json").read_text())
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
# What needs Kubernetes, or the name of the API's service.
OF_THE_CHART = {"SeedDaemonDown", "SeedApiDown"}


@pytest.fixture(scope="module")
def rules_of_the_chart():
    (rules,) = chart.of_kind(chart.render(chart.value_set("production-full")), "PrometheusRule")
    return {rule["alert"]: rule for group in rules["spec"]["groups"] for rule in group["rules"]}


@pytest.fixture(scope="module")
def measured():
    """Name → labels of everything that a Prometheus can read of us."""
    registry = CollectorRegistry()
    RequestMetrics(registry).answered({"method": "GET"}, status=200, seconds=0.1)
    with_samples = [*registry.collect(), *_of_workers()]
    found = {
        sample.name: set(sample.labels)
        for family in with_samples
        for sample in family.samples
        if "seed_" in sample.name and not sample.name.endswith("_created")
    }
    pool = ConnectionPool("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1", most=1, application="test")
    # No database: the gauges have their labels and no samples.
    gauges = {family.name: set(family._labelnames) for family in ControlPlaneMetrics(pool).collect()}
    return found | {name: labels | found.get(name, set()) for name, labels in gauges.items()}


def _of_workers():
    """Every metric of a worker once, as OTLP's own translation names it for Prometheus."""
    reader = PrometheusMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    about = {"environment": "dev", "tenant_id": "acme", "mode": "carga"}
    metrics = Metrics(provider.get_meter("test"), about=lambda: about)
    metrics.batch_took(1, entity="loans")
    metrics.run_took(1, outcome="published")
    metrics.rows_published(1, entity="loans")
    metrics.manifest_rejected(error_code="seal_wrong")
    metrics.report_failed(error_code="worm_unavailable")
    for gauge in (metrics.rate_limit_left, metrics.budget_spent, metrics.budget_left, metrics.reports_overdue):
        gauge(1)
    families = [family for family in REGISTRY.collect() if family.name.startswith("seed_")]
    provider.shutdown()
    return families


def names_in(expression):
    return set(re.findall(r"\bseed_[a-z_]+", expression))


def test_every_metric_of_dashboard_and_alerts_is_measured(measured):
    used = set().union(*map(names_in, [*EXPRESSIONS, *(rule["expr"] for rule in ALERTS.values())]))
    assert len(used) >= 14
    assert used - set(measured) == set()


def test_every_metric_that_is_measured_can_be_seen(measured):
    of_histograms = {re.sub(r"_(bucket|count|sum)$", "", name) for name in measured}
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in set().union(*map(names_in, EXPRESSIONS))}
    # The control plane has the same, and goes on having it when the worker has ended.
    assert of_histograms - shown == {"seed_budget_remaining"}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for rule in ALERTS.values())])
def test_every_label_that_is_asked_for_is_one_of_the_metric(measured, expression):
    for name, matchers in re.findall(r"\b(seed_[a-z_]+)\{(.*?)\}", expression):
        assert set(re.findall(r"(\w+)=", matchers)) <= measured[name], name
    known = set().union(*(measured[name] for name in names_in(expression))) | {"le"}
    for grouped in re.findall(r"by \((.*?)\)", expression):
        assert set(grouped.split(", ")) <= known
    assert set(re.findall(r'state=~?"([a-z|]+)"', expression)) <= {"failed|paused", *RunState}


def test_the_dashboard_is_whole():
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    cells = [cell for panel in DASHBOARD["panels"] for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells)), "two panels overlap"
    assert all(x < 24 for x, _ in cells)
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    text = json.dumps(DASHBOARD)
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]+)\b", text)) <= declared


def _cells(grid):
    return [(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])]


def test_the_chart_has_the_same_alerts_for_its_own_environment(rules_of_the_chart):
    assert set(rules_of_the_chart) - set(ALERTS) == OF_THE_CHART
    for name, rule in ALERTS.items():
        own = rules_of_the_chart[name]
        assert anywhere(own["expr"]) == anywhere(rule["expr"])
        assert (own["labels"], own.get("for")) == (rule["labels"], rule.get("for"))


def anywhere(expression):
    """Without the one environment and the one namespace that the chart's rules are about."""
    without = re.sub(r'(?:environment|namespace)="[^"]*",?', "", expression)
    return re.sub(r"\s+", " ", without.replace("{}", ""))


def test_every_alert_is_explained(rules_of_the_chart):
    page = (ROOT / "docs/how-to/watch-the-platform.md").read_text()
    explained = set(re.findall(r"^\| `(Seed\w+)` \|", page, flags=re.MULTILINE))
    assert explained == set(rules_of_the_chart)


def test_the_rules_fire_when_they_have_to_and_only_then():
    if shutil.which("promtool") is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: it comes with Debian's package prometheus", pytrace=False)
        pytest.skip("promtool is missing")
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=GRAFANA, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_of_the_chart_are_promql(rules_of_the_chart, tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing")
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "chart", "rules": list(rules_of_the_chart.values())}]}))
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

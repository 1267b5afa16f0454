"""Who may talk to whom: everything is denied, and what each component needs is allowed."""

import helm_chart as chart
import pytest

DATABASE, VAULT, S3, OTLP, KUBERNETES = {5432}, {443, 8200}, {443}, {443, 4318}, {443, 6443}
DNS = {53}
# What production-full.yaml adds.
MORE = {9000}
WORKER = DATABASE | VAULT | S3 | OTLP | MORE
OUT = {
    "run": WORKER,
    "code": WORKER,
    "api": WORKER | {3000},
    "webserver": DATABASE | KUBERNETES | S3 | {3030},
    "daemon": DATABASE | KUBERNETES | {3030},
    "purge": DATABASE,
    "migration": DATABASE,
}
IN = {"webserver": {3000}, "code": {3030}, "api": {8080}}


@pytest.fixture(scope="module")
def full():
    return chart.render(chart.value_set("production-full"))


@pytest.fixture(scope="module", params=chart.VALUE_SETS)
def objects(request):
    return chart.render(chart.value_set(request.param))


def test_every_pod_is_denied_everything_and_has_one_policy_of_its_own(objects):
    policies = chart.of_kind(objects, "NetworkPolicy")
    for name, template in chart.pod_templates(objects):
        mine = [policy for policy in policies if _covers(policy, template["metadata"]["labels"])]
        deny, own = sorted(mine, key=lambda policy: len(policy["spec"]))
        assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"], name
        assert "ingress" not in deny["spec"], name
        assert "egress" not in deny["spec"], name
        assert own["spec"]["policyTypes"] == ["Ingress", "Egress"], name


@pytest.mark.parametrize("component", OUT)
def test_a_component_reaches_the_ports_that_it_needs_and_no_other(full, component):
    rules = chart.named(full, "NetworkPolicy", f"seed-seed-pipelines-{component}")["spec"]["egress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == OUT[component] | DNS


@pytest.mark.parametrize("component", OUT)
def test_a_component_is_reached_on_its_own_port_by_somebody_named(full, component):
    rules = chart.named(full, "NetworkPolicy", f"seed-seed-pipelines-{component}")["spec"]["ingress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == IN.get(component, set())
    assert all(rule["from"] for rule in rules)


def test_who_calls_another_component_is_let_in_there(full):
    policies = {
        policy["metadata"]["name"].removeprefix("seed-seed-pipelines-"): policy["spec"]
        for policy in chart.of_kind(full, "NetworkPolicy")
    }
    calls = {
        (caller, peer["podSelector"]["matchLabels"]["seed-pipelines/component"])
        for caller, spec in policies.items()
        for rule in spec.get("egress", [])
        for peer in rule.get("to", [])
        if "seed-pipelines/component" in peer.get("podSelector", {}).get("matchLabels", {})
    }
    assert calls == {("webserver", "code"), ("daemon", "code"), ("api", "webserver")}
    for caller, called in calls:
        sources = [peer for rule in policies[called]["ingress"] for peer in rule["from"]]
        assert {"podSelector": policies[caller]["podSelector"]} in sources


def test_an_address_that_is_given_is_the_only_one(full):
    rules = chart.named(full, "NetworkPolicy", "seed-seed-pipelines-purge")["spec"]["egress"]
    (database,) = (rule for rule in rules if {"port": 5432, "protocol": "TCP"} in rule["ports"])
    assert database["to"] == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]


@pytest.mark.parametrize("name", ["vault-agent", "git-sync"])
def test_what_starts_before_the_program_reaches_what_it_needs(name):
    things = chart.render(chart.value_set(name))
    rules = chart.named(things, "NetworkPolicy", "seed-seed-pipelines-code")["spec"]["egress"]
    wanted = {"vault-agent": VAULT, "git-sync": {443}}[name]
    assert wanted <= {port["port"] for rule in rules for port in rule["ports"]}


def _covers(policy, labels):
    return policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()

"""Who may talk to whom: everything is denied, and what each component needs is allowed."""

import helm_chart as chart
import pytest

# A port of its own for each destination, so that a way to one cannot pass for a way to another.
PORTS = {
    "database": 1001,
    "dagsterDatabase": 1002,
    "kubernetesApi": 1003,
    "vault": 1004,
    "objectStore": 1005,
    "otlp": 1006,
    "git": 1007,
    "lending": 1008,
    "identity": 1009,
    "dagster": 1010,
}
DNS = 53
# What production-full.yaml adds.
MORE = 9000
WORKER = {"database", "dagsterDatabase", "vault", "objectStore", "otlp", "lending", MORE}
OUT = {
    "run": WORKER,
    "code": WORKER,
    "api": {"database", "vault", "objectStore", "otlp", "lending", "identity", MORE, 3000},
    "webserver": {"dagsterDatabase", "kubernetesApi", "objectStore", 3030},
    "daemon": {"dagsterDatabase", "kubernetesApi", 3030},
    "purge": {"database"},
    "migration": {"database", "dagsterDatabase"},
}
IN = {"webserver": {3000}, "code": {3030}, "api": {8080}}


def with_ports(name):
    values = chart.value_set(name)
    for destination, port in PORTS.items():
        chart.change(values, f"networkPolicy.destinations.{destination}.ports", [port])
    return chart.render(values)


def reached(things, component, *, fullname="seed-seed-pipelines"):
    """The destinations by their names, and the ports that have none."""
    names = {port: name for name, port in PORTS.items()}
    rules = chart.named(things, "NetworkPolicy", f"{fullname}-{component}")["spec"]["egress"]
    return {names.get(port["port"], port["port"]) for rule in rules for port in rule["ports"]}


@pytest.fixture(scope="module")
def full():
    return with_ports("production-full")


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
    assert reached(full, component) == OUT[component] | {DNS}


def test_every_destination_is_tried_here():
    assert set(chart.defaults()["networkPolicy"]["destinations"]) == set(PORTS)


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
    (database,) = (rule for rule in rules if {"port": PORTS["database"], "protocol": "TCP"} in rule["ports"])
    assert database["to"] == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]


@pytest.mark.parametrize(
    ("name", "component", "destination"),
    [
        ("vault-agent", "code", "vault"),
        ("vault-agent", "webserver", "vault"),
        ("vault-agent", "daemon", "vault"),
        ("vault-agent", "migration", "vault"),
        ("git-sync", "code", "git"),
        ("git-sync", "api", "git"),
        ("git-sync", "run", "git"),
    ],
)
def test_what_starts_before_the_program_reaches_what_it_needs(name, component, destination):
    assert destination in reached(with_ports(name), component)


def test_an_api_beside_a_webserver_of_another_release_reaches_that_one():
    assert "dagster" in reached(with_ports("official-dagster-companion"), "api", fullname="seed")


def _covers(policy, labels):
    return policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()

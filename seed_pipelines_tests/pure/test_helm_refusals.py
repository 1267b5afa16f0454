"""Values that would not be safe, or could not work, deploy nothing."""

import helm_chart as chart
import pytest
from helm_python.errors import HelmError

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("environment", ""),
        ("environment", "Staging"),
        ("image.repository", ""),
        ("image.tag", "latest"),
        ("image.digest", "sha256:abc"),
        ("image.digets", DIGEST),
        ("vault.address", "https://user:password@vault.example"),
        ("vault.login", "token"),
        ("vault.keyVersion", 0),
        ("worm.url", "https://bucket.example"),
        ("credentials.source", "values"),
        ("credentials.plain", {"worker": {"PASSWORD": "x"}}),
        ("codeLocations", []),
        ("codeLocations", [{"name": "Canary"}]),
        ("daemon.replicas", 2),
        ("webserver.replicas", 0),
        ("webserver.resources.limits.memory", None),
        ("webserver.resources.limits", {"memory": "lots"}),
        ("runs.resources.carga.requests.cpu", "two"),
        ("podSecurity.runAsUser", 0),
        ("manifests.configMap.files", {"../acme.yaml": "x"}),
        ("manifests.configMap.files", {"staging/acme.json": "x"}),
        ("manifests.gitSync.commit", "main"),
        ("manifests.gitSync.repository", "https://user:token@git.example/x.git"),
        ("flags", {"seed-run-enabld": {"default": True}}),
        ("prices.millionRowsBrl", "0,25"),
        ("env", {"SEED_VAULT_TOKEN": "x"}),
        ("env", {"SEED_DATABASE_URL": "x"}),
        ("env", {"PATH": "elsewhere"}),
        ("networkPolicy.dns.to", []),
        ("networkPolicy.destinations.database.ports", []),
        ("dagster.poolLimit", "2"),
        ("hostNetwork", True),
    ],
)
def test_the_schema_refuses(path, value):
    values = chart.value_set("staging")
    chart.change(values, path, value)
    with pytest.raises(HelmError, match="schema"):
        chart.render(values)


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("vault.address", "", "masking keys and signatures come from Vault"),
        ("vault.address", "http://vault.example", "over TLS only"),
        ("vault.role", "", "Vault would not know who logs in"),
        ("worm.url", "", "reports go to write-once storage only"),
        ("worm.url", "file:///reports", "reports go to write-once storage only"),
        ("otlp.endpoint", "", "spans and metrics have nowhere to go"),
        ("image.digest", "", "a tag can be moved"),
        ("credentials.source", "plain", "credentials in values"),
        ("credentials.source", "externalSecret", "needs its store"),
        ("credentials.source", "vaultAgent", "as whom .+worker.+ logs in"),
        (
            "credentials",
            {"source": "vaultAgent", "vaultAgent": {"roles": {"worker": "x"}, "paths": {"worker": "x"}}},
            "as whom .+api.+ logs in",
        ),
        ("credentials", {"source": "vaultAgent", "vaultAgent": {"roles": {"worker": "x"}}}, "where the credentials of"),
        ("dagster.computeLogs.bucket", "", "logs of runs would be gone"),
        ("networkPolicy.enabled", False, "could talk to anybody"),
        ("api.access.policy", "", "who may do what"),
        ("webserver.ingress", {"enabled": True, "host": "x.example", "tlsSecret": "tls"}, "asks nobody who they are"),
        ("webserver.ingress", {"enabled": True, "host": "x.example", "authenticatedBy": "proxy"}, "without TLS"),
        ("api.ingress", {"enabled": True, "tlsSecret": "tls"}, "no host"),
        ("webserver.enabled", False, "would not know where Dagster is"),
        ("manifests.configMap.files", {"dev/acme.yaml": "x"}, "belongs to another environment"),
        ("manifests.configMap.files", {"staging/globex.yaml": "x"}, "has no manifest here"),
        ("manifests.source", "gitSync", "what to check out"),
        ("codeLocations", [{"name": "a"}, {"name": "b"}], "2 code locations take the tenants"),
        ("codeLocations", [{"name": "a", "tenants": ["acme"]}], "0 code locations take the tenants"),
        (
            "codeLocations",
            [{"name": "a"}, {"name": "b", "tenants": ["acme"]}, {"name": "c", "tenants": ["acme"]}],
            "is in code locations",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_refused_with_what_to_do(path, value, why):
    values = chart.value_set("staging")
    chart.change(values, path, value)
    with pytest.raises(HelmError, match=f"cannot deploy environment .+staging.+{why}"):
        chart.render(values)


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("home.existingClaim", "", "a masking key of its own"),
        ("manifests.configMap.files", {}, "has no manifest"),
        ("manifests.configMap.files", {f"dev/t{n}.yaml": "x" * 250_000 for n in range(4)}, "too large for a ConfigMap"),
        ("monitoring", {"serviceMonitor": {"enabled": True}, "prometheusRule": {}}, None),
    ],
)
def test_dev_may_do_without_guards_but_not_without_a_key_or_manifests(path, value, why):
    values = chart.value_set("minimal-dev")
    chart.change(values, path, value)
    if why is None:
        chart.render(values)
        return
    with pytest.raises(HelmError, match=why):
        chart.render(values)

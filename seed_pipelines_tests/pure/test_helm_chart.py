"""The chart as Kubernetes would get it: every set of values of ci/, rendered by Helm's engine."""

import re

import helm_chart as chart
import pytest

from seed_pipelines.outside.manifest_folder import ManifestFolder

PASSWORD = re.compile(r"://[^/\s:@]*:[^@\s]+@")
HOOK = "helm.sh/hook"
# What is there before the release: certificates, a dev volume, and Secrets that somebody makes.
EARLIER = re.compile(r"company-ca|seed-home|seed-manifests-reader|.*-(worker|dagster|api|migrator)")


@pytest.fixture(scope="module", params=chart.VALUE_SETS)
def objects(request):
    return chart.render(chart.value_set(request.param))


@pytest.fixture(scope="module")
def full():
    return chart.render(chart.value_set("production-full"))


@pytest.fixture(scope="module")
def canary():
    return chart.render(chart.value_set("staging"))


@pytest.mark.parametrize("name", chart.VALUE_SETS)
def test_helm_finds_nothing_to_say(name):
    assert chart.lint(chart.value_set(name)) == []


def test_the_oldest_kubernetes_that_the_chart_takes_knows_every_field(full):
    for thing in full:
        if thing["kind"] not in chart.CUSTOM:
            chart.validate(thing, chart.OLDEST_KUBERNETES)


def test_kubernetes_takes_every_object_and_ignores_no_field(objects):
    for thing in objects:
        if thing["kind"] not in chart.CUSTOM:
            chart.validate(thing)


@pytest.mark.parametrize("name", chart.VALUE_SETS)
def test_the_same_values_are_the_same_bytes(name):
    assert chart.texts(chart.value_set(name)) == chart.texts(chart.value_set(name))


def test_no_name_is_used_twice_or_longer_than_kubernetes_takes():
    things = chart.render(chart.value_set("production-full"), release="r" * 53)
    names = [(thing["kind"], thing["metadata"]["name"]) for thing in things]
    assert len(set(names)) == len(names)
    assert max(len(name) for _, name in names) <= 63
    assert max(len(thing["metadata"]["name"]) for thing in chart.of_kind(things, "CronJob")) <= 52


def test_every_pod_runs_as_nobody_in_particular(objects):
    for name, template in chart.pod_templates(objects):
        pod = template["spec"]["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name


def test_every_container_is_hardened_and_has_resources(objects):
    for name, template in chart.pod_templates(objects):
        for container in chart.containers(template):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


def test_only_who_talks_to_kubernetes_gets_a_token_for_it(full):
    given = {name for name, template in chart.pod_templates(full) if template["spec"]["automountServiceAccountToken"]}
    assert given == {"seed-seed-pipelines-webserver", "seed-seed-pipelines-daemon"}
    for account in chart.of_kind(full, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_every_server_says_when_it_is_up_and_when_it_is_stuck(objects):
    for deployment in chart.of_kind(objects, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe"} <= set(container)
        # Nobody is sent to the daemon.
        assert ("readinessProbe" in container) == (container["name"] != "daemon")


def test_every_image_is_pinned(objects):
    for _, template in chart.pod_templates(objects):
        for container in chart.containers(template):
            assert re.search(r"(@sha256:[0-9a-f]{64}|:\d+\.\d+\.\d+)$", container["image"])


def test_no_config_map_holds_a_secret(objects):
    for thing in chart.of_kind(objects, "ConfigMap"):
        for key, text in thing.get("data", {}).items():
            assert not PASSWORD.search(text)
            assert not re.search(r"(DATABASE_URL|MIGRATOR_URL|ADMIN_URL|_TOKEN|_SECRET_ID|_SUBJECT_KEY)$", key)


def test_there_are_secrets_only_where_dev_asked_for_them(objects):
    secrets = chart.of_kind(objects, "Secret")
    environments = {thing["metadata"]["labels"]["seed-pipelines/environment"] for thing in secrets}
    assert environments <= {"dev"}


def test_the_daemon_may_start_runs_and_the_webserver_only_end_them(full):
    rights = {
        role["metadata"]["name"].removeprefix("seed-seed-pipelines-"): {
            f"{group}/{resource}": sorted(rule["verbs"])
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        for role in chart.of_kind(full, "Role")
    }
    assert rights == {
        "daemon": {
            "batch/jobs": ["create", "delete", "list"],
            "batch/jobs/status": ["get"],
            "/pods": ["delete", "list"],
            "/pods/log": ["get"],
            "/events": ["list"],
        },
        "webserver": {"batch/jobs": ["delete"], "/pods": ["delete", "list"]},
    }
    assert not chart.of_kind(full, "ClusterRole", "ClusterRoleBinding")


def test_a_disruption_budget_guards_pods_that_have_another_beside_them(full):
    budgets = chart.of_kind(full, "PodDisruptionBudget")
    assert len(budgets) == 2
    for budget in budgets:
        (deployment,) = _selected(full, budget["spec"]["selector"]["matchLabels"])
        assert deployment["spec"]["replicas"] > budget["spec"]["maxUnavailable"]


def test_every_service_leads_to_a_port_of_a_pod(objects):
    for service in chart.of_kind(objects, "Service"):
        (deployment,) = _selected(objects, service["spec"]["selector"])
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize(
    "off",
    [
        ["webserver", "daemon"],
        ["webserver"],
        ["daemon"],
        ["codeServer"],
        ["api"],
        ["migration"],
        ["webserver", "daemon", "codeServer", "api", "migration"],
    ],
    ids="+".join,
)
def test_a_part_that_is_off_leaves_nothing_that_the_others_lack(off):
    values = chart.value_set("production-full", api__dagsterUrl="http://dagster.example")
    for part in off:
        values.setdefault(part, {})["enabled"] = False
        values[part].get("ingress", {})["enabled"] = False
    values["monitoring"]["serviceMonitor"]["enabled"] = "api" not in off
    things = chart.render(values)
    for thing in things:
        if thing["kind"] not in chart.CUSTOM:
            chart.validate(thing)
    _assert_whole(things)


def test_a_pod_names_only_what_is_there(objects):
    _assert_whole(objects)


def test_there_is_one_daemon_and_never_two(full):
    daemon = chart.named(full, "Deployment", "seed-seed-pipelines-daemon")
    assert daemon["spec"]["replicas"] == 1
    assert daemon["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("name", ["minimal-dev", "external-secrets", "production-full", "official-dagster-companion"])
def test_the_migration_comes_before_everything_and_needs_nothing_else_of_the_release(name):
    things = chart.render(chart.value_set(name))
    (job,) = chart.of_kind(things, "Job")
    assert job["metadata"]["annotations"][HOOK] == "pre-install,pre-upgrade"
    hooks = {
        (thing["kind"], thing["metadata"]["name"]): int(thing["metadata"]["annotations"]["helm.sh/hook-weight"])
        for thing in things
        if HOOK in thing["metadata"].get("annotations", {})
    }
    weight = hooks.pop(("Job", job["metadata"]["name"]))
    assert ("NetworkPolicy", job["metadata"]["name"]) in hooks
    assert all(earlier < weight for earlier in hooks.values())
    for kind, wanted in _names_in(job["spec"]["template"]["spec"]):
        made = {(kind, wanted), ("External" + kind, wanted)} & set(hooks)
        ours = any((kind, wanted) == (thing["kind"], thing["metadata"]["name"]) for thing in things)
        assert made or (EARLIER.fullmatch(wanted) and not ours), f"{kind} {wanted}"


def test_beside_dagsters_own_chart_only_our_tables_are_migrated():
    (job,) = chart.of_kind(chart.render(chart.value_set("official-dagster-companion")), "Job")
    assert [container["command"] for container in chart.containers(job["spec"]["template"])] == [
        ["seed-data", "db", "migrate"]
    ]


def test_the_migration_knows_its_environment_so_that_it_does_not_migrate_an_embedded_server():
    things = chart.render(chart.value_set("staging"))
    assert chart.named(things, "ConfigMap", "seed-seed-pipelines-migration")["data"]["SEED_ENVIRONMENT"] == "staging"


def test_a_canary_has_its_own_image_and_its_own_tenants(canary):
    shown = {}
    for deployment in chart.of_kind(canary, "Deployment"):
        labels = deployment["metadata"]["labels"]
        if "seed-pipelines/code-location" in labels:
            pod = deployment["spec"]["template"]["spec"]
            (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "manifests")
            paths = [item["path"] for item in volume["configMap"]["items"]]
            shown[labels["seed-pipelines/code-location"]] = (pod["containers"][0]["image"][-4:], paths)
    assert shown == {"seed_pipelines": ("aaaa", ["staging/globex.yaml"]), "canary": ("cccc", ["staging/acme.yaml"])}


def test_a_location_without_tenants_left_mounts_no_key():
    values = chart.value_set("staging")
    del values["manifests"]["configMap"]["files"]["staging/globex.yaml"]
    code = chart.named(chart.render(values), "Deployment", "seed-seed-pipelines-code-seed-pipelines")
    (volume,) = (volume for volume in code["spec"]["template"]["spec"]["volumes"] if volume["name"] == "manifests")
    assert volume == {"name": "manifests", "emptyDir": {}}


def test_mounted_manifests_are_read_as_the_files_they_were(canary, tmp_path):
    """As the kubelet writes it: a snapshot, `..data`, and a link for each name at the top."""
    data = chart.named(canary, "ConfigMap", "seed-seed-pipelines-manifests")["data"]
    code = chart.named(canary, "Deployment", "seed-seed-pipelines-code-canary")
    (volume,) = (volume for volume in code["spec"]["template"]["spec"]["volumes"] if volume["name"] == "manifests")
    for item in volume["configMap"]["items"]:
        file = tmp_path / "..snapshot" / item["path"]
        file.parent.mkdir(parents=True)
        file.write_text(data[item["key"]])
    (tmp_path / "..data").symlink_to("..snapshot")
    (tmp_path / "staging").symlink_to("..data/staging")
    folder = ManifestFolder(tmp_path)
    assert folder.paths() == ("staging/acme.yaml",)
    assert folder.read("staging/acme.yaml") == b"# the text of manifests/staging/acme.yaml"


def test_git_sync_checks_out_the_same_commit_before_every_reader_starts():
    things = chart.render(chart.value_set("git-sync"))
    for name in ("code-seed-pipelines", "api"):
        pod = chart.named(things, "Deployment", f"seed-seed-pipelines-{name}")["spec"]["template"]["spec"]
        (sync,) = pod["initContainers"]
        assert f"--ref={'b' * 40}" in sync["args"]
        assert "--one-time" in sync["args"]


def test_the_vault_agent_brings_credentials_and_there_is_no_secret():
    things = chart.render(chart.value_set("vault-agent"))
    assert "secretRef" not in str(things)
    for _, template in chart.pod_templates(things):
        annotations = template["metadata"]["annotations"]
        assert annotations["vault.hashicorp.com/agent-inject"] == "true"
        for container in chart.containers(template):
            assert container["command"][:2] == ["/bin/sh", "-c"]
            assert container["command"][2].startswith(". /vault/secrets/seed.env && exec ")


def test_the_vault_agent_logs_each_pod_in_as_who_it_is():
    things = chart.render(chart.value_set("vault-agent"))
    roles = {
        template["metadata"]["labels"]["seed-pipelines/component"]: (
            template["metadata"]["annotations"]["vault.hashicorp.com/role"],
            template["metadata"]["annotations"]["vault.hashicorp.com/agent-inject-secret-seed.env"],
        )
        for _, template in chart.pod_templates(things)
    }
    assert roles == {
        component: (f"seed-staging-{who}", f"secret/data/seed/staging/{who}")
        for component, who in {
            "code": "worker",
            "webserver": "dagster",
            "daemon": "dagster",
            "migration": "migrator",
        }.items()
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("vault-agent", "/bin/sh -c '. /vault/secrets/seed.env && exec seed-data preflight staging/TENANT.yaml'\n"),
        ("staging", "-- seed-data preflight staging/TENANT.yaml\n"),
    ],
)
def test_the_notes_show_a_command_that_has_its_variables(name, shown):
    (notes,) = (text for file, text in chart.texts(chart.value_set(name)).items() if file.endswith("NOTES.txt"))
    assert shown in notes + "\n"


def test_a_change_of_the_configuration_is_another_pod():
    def checksum(**changes):
        things = chart.render(chart.value_set("staging", **changes))
        code = chart.named(things, "Deployment", "seed-seed-pipelines-code-canary")
        return code["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum()
    assert checksum() != checksum(leaseSeconds=61)
    assert checksum() != checksum(targetMapping="another text")
    other = {"staging/acme.yaml": "another text", "staging/globex.yaml": "another text"}
    assert checksum() != checksum(manifests__configMap__files=other)


def test_what_is_called_comes_up_before_its_callers(full):
    waves = {
        thing["spec"]["template"]["spec"]["containers"][0]["name"]: int(
            thing["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        )
        for thing in chart.of_kind(full, "Deployment")
    }
    assert waves["code"] < waves["daemon"] == waves["webserver"] < waves["api"]


def test_custom_objects_have_the_shape_of_their_operators(full):
    monitor, rules = (chart.of_kind(full, kind)[0] for kind in ("ServiceMonitor", "PrometheusRule"))
    service = chart.named(full, "Service", "seed-seed-pipelines-api")
    assert monitor["apiVersion"] == rules["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
            assert rule["expr"].count("{") == rule["expr"].count("}")
    for secret in chart.of_kind(chart.render(chart.value_set("external-secrets")), "ExternalSecret"):
        assert secret["apiVersion"] == "external-secrets.io/v1"
        assert secret["spec"]["target"] == {"name": secret["metadata"]["name"], "creationPolicy": "Owner"}
        assert secret["spec"]["dataFrom"][0]["extract"]["key"].startswith("seed/staging/")


def _selected(things, labels):
    return [
        thing
        for thing in chart.of_kind(things, "Deployment")
        if labels.items() <= thing["spec"]["template"]["metadata"]["labels"].items()
    ]


def _assert_whole(objects):
    there = {(thing["kind"], thing["metadata"]["name"]) for thing in objects}
    for name, template in chart.pod_templates(objects):
        for kind, wanted in _names_in(template["spec"]):
            found = {(kind, wanted), ("External" + kind, wanted)} & there
            assert found or EARLIER.fullmatch(wanted), f"{name}: {kind} {wanted}"


def _names_in(pod):
    """(kind, name) of everything that a pod cannot start without."""
    found = {("ServiceAccount", pod["serviceAccountName"])}
    for volume in pod["volumes"]:
        if "configMap" in volume:
            found.add(("ConfigMap", volume["configMap"]["name"]))
        if "persistentVolumeClaim" in volume:
            found.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for source in container.get("envFrom", []):
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            found.add((kind, next(iter(source.values()))["name"]))
    return found

"""What may be merged and deployed: each rule of infra/policy lets the good through and names the bad."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from seed_pipelines.catalog import ENTITY_NAMES

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def policy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("policy_check", ROOT / "infra/policy/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOOD: Document = {
    "metadata": {"tenant": "acme", "environment": "production", "version": "2.0.0", "salt_version": "1"},
    "mode": "carga",
    "window": {"start_utc": "01:00", "end_utc": "07:30"},
    "volumetry": {"users": {"cap": 20000}, "customers": {"cap": 1000000}, "loans": {"cap": 2000000}},
    "budget": {"cost_cap_brl": 100, "error_budget_pct": 1},
}
CANARY: Document = {**GOOD, "mode": "canary"}


def with_change(change: Callable[[Document], None]) -> Document:
    manifest = deepcopy(GOOD)
    change(manifest)
    return manifest


def test_every_manifest_that_is_shipped_passes(policy: ModuleType) -> None:
    found = list(policy.manifests_in(ROOT / "manifests"))
    assert len(found) >= 3
    for path, manifest, earlier in found:
        assert policy.problems_of_manifest(path, manifest, earlier=earlier) == []


def test_a_carga_in_production_passes_after_its_canary(policy: ModuleType) -> None:
    assert policy.problems_of_manifest("production/acme.yaml", GOOD, earlier=[CANARY]) == []


@pytest.mark.parametrize(
    "earlier",
    [
        [],
        [GOOD],
        [{**CANARY, "metadata": {**GOOD["metadata"], "version": "1.9.0"}}],
        [{**CANARY, "metadata": {**GOOD["metadata"], "salt_version": "2"}}],
    ],
    ids=["no history", "no canary", "another version", "another salt"],
)
def test_a_carga_in_production_without_its_canary_is_denied(policy: ModuleType, earlier: list[Document]) -> None:
    (problem,) = policy.problems_of_manifest("production/acme.yaml", GOOD, earlier=earlier)
    assert problem.startswith("production/acme.yaml: carga of version 2.0.0 without a canary")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m["metadata"].update(environment="qa"), "environment qa has no limits"),
        (lambda m: m["metadata"].pop("environment"), "it names no environment"),
        (lambda m: m.pop("volumetry"), "it has no volumetry"),
        (lambda m: m["volumetry"].update(invoices={"cap": 1}), "invoices has no limit in production"),
        (lambda m: m["volumetry"]["users"].update(cap=20001), "users: the cap is 20001"),
        (lambda m: m.update(mode="everything"), "mode everything is not allowed"),
        (lambda m: m["volumetry"]["customers"].update(cap=1000001), "customers: the cap is 1000001"),
        (lambda m: m.update(caps_override={"loans": 3000000}), "loans: the cap is 3000000"),
        (lambda m: m["budget"].update(cost_cap_brl=2000.5), "cost_cap_brl is 2000.5"),
        (lambda m: m["window"].update(start_utc="00:59"), "the window is 00:59 to 07:30"),
        (lambda m: m["window"].update(end_utc="08:01"), "the window is 01:00 to 08:01"),
        (lambda m: m["window"].update(start_utc="07:00", end_utc="02:00"), "the window is 07:00 to 02:00"),
        (lambda m: m["window"].update(start_utc="12:00", end_utc="13:00"), "the window is 12:00 to 13:00"),
    ],
)
def test_a_manifest_beyond_the_limits_is_denied(
    policy: ModuleType, change: Callable[[Document], None], says: str
) -> None:
    problems = policy.problems_of_manifest("production/acme.yaml", with_change(change), earlier=[CANARY])
    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize("rule", ["modes", "canary_first", "hours_utc", "cost_cap_brl", "caps"])
def test_an_environment_that_lacks_a_limit_lets_nothing_through(
    policy: ModuleType, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    limits = deepcopy(policy._LIMITS)
    del limits["environments"]["production"][rule]
    monkeypatch.setattr(policy, "_LIMITS", limits)
    problems = policy.problems_of_manifest("production/acme.yaml", GOOD, earlier=[CANARY])
    assert f"production/acme.yaml: environment production has no {rule}: add it to limits.json" in problems


def test_each_environment_limits_every_entity(policy: ModuleType) -> None:
    for environment, limits in policy._LIMITS["environments"].items():
        assert set(limits["caps"]) == set(ENTITY_NAMES), environment


def test_each_environment_that_argo_cd_rolls_out_has_limits_and_no_other_has(policy: ModuleType) -> None:
    applications = yaml.safe_load((ROOT / "infra/argocd/applicationset.yaml").read_text())
    steps = applications["spec"]["strategy"]["rollingSync"]["steps"]
    rolled_out = [environment for step in steps for environment in step["matchExpressions"][0]["values"]]
    assert rolled_out == list(policy._LIMITS["environments"])


def test_a_window_over_midnight_lies_inside_one_over_midnight(policy: ModuleType) -> None:
    manifest = with_change(lambda m: m["metadata"].update(environment="staging"))
    manifest["window"] = {"start_utc": "23:00", "end_utc": "03:00"}
    assert policy.problems_of_manifest("staging/acme.yaml", manifest, earlier=[]) == []


def test_the_canary_is_found_in_the_history_of_the_file(policy: ModuleType, tmp_path: Path) -> None:
    def commit(mode: str) -> None:
        text = (ROOT / "manifests/dev/globex.yaml").read_text().replace("mode: carga", f"mode: {mode}")
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev/globex.yaml").write_text(text)
        for arguments in (["add", "."], ["commit", "--quiet", "--message", mode]):
            who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.invalid"]
            subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True)

    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    commit("canary")
    commit("carga")
    ((_, manifest, earlier),) = policy.manifests_in(tmp_path)
    assert manifest["mode"] == "carga"
    assert [one["mode"] for one in earlier] == ["carga", "canary"]


def pod(**container: object) -> Document:
    safe = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    good = {
        "name": "main",
        "image": "registry.example.invalid:5000/seed-pipelines:1.2.3",
        "securityContext": safe,
        "resources": {"limits": {"memory": "1Gi"}},
        "env": [{"name": "VAULT_TOKEN", "valueFrom": {"secretKeyRef": {"name": "vault", "key": "token"}}}],
    }
    template = {"spec": {"securityContext": {"runAsNonRoot": True}, "containers": [good | container]}}
    return {"kind": "Deployment", "metadata": {"name": "daemon"}, "spec": {"template": template}}


def secret(environment: str | None, **content: dict[str, str]) -> Document:
    labels = {"seed-pipelines/environment": environment} if environment else {}
    return {"kind": "Secret", "metadata": {"name": "worker", "labels": labels}, **content}


def test_a_secret_passes_in_dev_and_where_it_is_empty(policy: ModuleType) -> None:
    assert policy.problems_of_object(secret("dev", stringData={"SEED_DATABASE_URL": "postgresql://somewhere"})) == []
    assert policy.problems_of_object(secret("production", stringData={})) == []


def test_a_safe_pod_passes(policy: ModuleType) -> None:
    assert policy.problems_of_object(pod()) == []
    assert policy.problems_of_object(pod(image="seed-pipelines@sha256:" + "0" * 64)) == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (pod(image="seed-pipelines:latest"), "no fixed version"),
        (pod(image="registry.example.invalid:5000/seed-pipelines"), "no fixed version"),
        (pod(securityContext={"readOnlyRootFilesystem": True}), "gain privileges"),
        (pod(securityContext={"allowPrivilegeEscalation": False}), "its own image"),
        (pod(securityContext={"runAsNonRoot": False}), "as root"),
        (pod(resources={}), "no limit of memory"),
        (pod(env=[{"name": "SEED_DATABASE_URL", "value": "postgresql://somewhere"}]), "plain text"),
        (
            {"kind": "ConfigMap", "metadata": {"name": "env"}, "data": {"VAULT_TOKEN": "something"}},
            "VAULT_TOKEN holds a secret",
        ),
        (
            {"kind": "ConfigMap", "metadata": {"name": "env"}, "data": {"URL": "https://user:password@host/"}},
            "URL holds a password",
        ),
        (secret("production", stringData={"SEED_DATABASE_URL": "postgresql://somewhere"}), "it holds stringData"),
        (secret(None, data={"SEED_DATABASE_URL": "cG9zdGdyZXNxbDovLw=="}), "it holds data"),
        (
            {"kind": "Role", "metadata": {"name": "all"}, "rules": [{"apiGroups": [""], "verbs": ["*"]}]},
            "wildcard",
        ),
    ],
)
def test_an_unsafe_object_is_denied(policy: ModuleType, bad: Document, says: str) -> None:
    problems = policy.problems_of_object(bad)
    assert any(says in problem for problem in problems), problems


def test_the_command_prints_what_it_found_and_exits_with_two(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/broken.yaml").write_text("a: &anchor 1")
    ended = subprocess.run(
        [sys.executable, ROOT / "infra/policy/check.py", "manifests", tmp_path], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "dev/broken.yaml: could not be read" in ended.stdout

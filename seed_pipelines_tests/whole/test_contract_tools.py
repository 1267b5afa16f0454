"""The contract under its linter, and answered from by a stub: Spectral and Prism as the documentation uses them."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import httpx
import pytest
import yaml
from dagster_client import wait_for

CONTRACTS = Path(__file__).parents[2] / "contracts"
TOOLS = CONTRACTS / "node_modules/.bin"
LIST, START = "/api/v1/seed-runs", "/api/v1/seed-runs"


@pytest.fixture(scope="module", autouse=True)
def _tools():
    if shutil.which("node") and (TOOLS / "spectral").exists():
        return
    if os.environ.get("CI"):
        pytest.fail("the tools of the contract are not there: make contracts")
    pytest.skip("the tools of the contract are not there: make contracts")


@pytest.fixture(scope="module")
def contract():
    return yaml.safe_load((CONTRACTS / "openapi.yaml").read_text())


BROKEN: dict[str, Callable] = {
    "errors-are-problems": lambda d: d["paths"][LIST]["get"]["responses"]["401"].update(content={"text/plain": {}}),
    "answers-tell-the-quota": lambda d: d["paths"][LIST]["get"]["responses"]["200"]["headers"].pop("RateLimit"),
    "busy-tells-when": lambda d: d["paths"][LIST]["get"]["responses"]["429"]["headers"].pop("Retry-After"),
    "api-asks-for-a-token": lambda d: d["paths"][LIST]["get"].pop("security"),
    "headers-are-named": lambda d: d["paths"][LIST]["get"].update(parameters=[]),
    "paths-are-kebab-case": lambda d: d["paths"].update({"/api/v1/seedRuns": d["paths"].pop(LIST)}),
    "operation-description": lambda d: d["paths"][LIST]["get"].pop("description"),
    "oas3-schema": lambda d: d["info"].pop("title"),
}


def linted(*files: Path) -> list[dict]:
    command = [str(TOOLS / "spectral"), "lint", "--ruleset", str(CONTRACTS / ".spectral.yaml"), "--format", "json"]
    ended = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, timeout=120)
    # Without a finding a sentence follows the empty list.
    return json.JSONDecoder().raw_decode(ended.stdout[ended.stdout.index("[") :])[0]


def test_the_linter_has_nothing_against_the_contract():
    assert [found for found in linted(CONTRACTS / "openapi.yaml") if found["severity"] <= 1] == []


def test_every_rule_finds_what_it_is_for(contract, tmp_path):
    for rule, damage in BROKEN.items():
        document = deepcopy(contract)
        damage(document)
        (tmp_path / f"{rule}.yaml").write_text(json.dumps(document))
    found = {(Path(each["source"]).stem, each["code"]) for each in linted(*tmp_path.glob("*.yaml"))}
    assert {(rule, rule) for rule in BROKEN} <= found


@pytest.fixture(scope="module")
def stub():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(TOOLS / "prism"),
        "mock",
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        str(CONTRACTS / "openapi.yaml"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_up(url), seconds=60, what="the stub")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


HEADERS = {"Authorization": "Bearer any", "X-Tenant-ID": "acme", "X-Environment": "dev"}


def test_the_stub_starts_a_seed_run_as_the_contract_says(stub):
    body = {"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "one"}
    answer = httpx.post(f"{stub}{START}", json=body, headers=HEADERS | {"Prefer": "code=201"})
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"seed_run_id", "status", "manifest_hash"}


def test_the_stub_refuses_what_the_contract_refuses(stub):
    assert httpx.post(f"{stub}{START}", json={"mode": "baseline"}, headers=HEADERS).status_code == 422
    without_token = {name: value for name, value in HEADERS.items() if name != "Authorization"}
    assert httpx.get(f"{stub}{LIST}", headers=without_token).status_code == 401


def test_the_lock_names_no_registry():
    lock = json.loads((CONTRACTS / "package-lock.json").read_text())
    assert len(lock["packages"]) > 100
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]

"""The API of `seed-data dev`, with its real Dagster: seed runs started, followed, cancelled and proven over HTTP.

One server for all tests of this module; each has a tenant of its own, but for those that only read.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import pytest
from dagster_client import wait_for
from dev_server import running_dev_server
from sealed_manifests import write_manifest
from seed_runs import Worker
from served_api import headers_for
from small_manifests import SLOW, SMALL, carga

from seed_pipelines.api.client import SeedClient, Whose
from seed_pipelines.api.contract import Problem, SeedRunPage, SeedRunProgress, SeedRunRequest, SeedRunState
from seed_pipelines.evidence.verify import payload_of

pytestmark = pytest.mark.slow

RUNS = "/api/v1/seed-runs"
VALIDATE = "/api/v1/seed-profiles/validate"
QUOTA_HEADERS = ("ratelimit-policy", "ratelimit", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def server(postgres_server, open_session_directory):
    home = open_session_directory / "portal" / "home"
    manifests = home.parent / "manifests"
    home.parent.mkdir()
    write_manifest(manifests, **SMALL)
    write_manifest(manifests, **SMALL, tenant="rare", mode="canary")
    write_manifest(manifests, **carga(shards=2))
    write_manifest(manifests, **SLOW, tenant="stopped")
    write_manifest(manifests, **SLOW, tenant="slow")
    with running_dev_server(home, manifests) as started:
        started.wait_for_api()
        yield started


@contextmanager
def portal(server, tenant="acme", **caller):
    """A caller for one tenant; every answer is looked at."""
    headers = headers_for(server.home, tenant=tenant, **caller)
    hooks = {"response": [_has_what_every_answer_has]}
    with httpx.Client(base_url=server.api_url, headers=headers, timeout=60, event_hooks=hooks) as client:
        yield client


@pytest.fixture
def acme(server):
    with portal(server) as client:
        yield client


def _has_what_every_answer_has(answer):
    for name in QUOTA_HEADERS:
        assert name in answer.headers, f"{answer.request.url} lacks {name}"
    if answer.status_code >= 400:
        answer.read()
        assert answer.headers["content-type"] == "application/problem+json"
        assert Problem.model_validate_json(answer.content).status == answer.status_code


def asked(tenant, *, mode="baseline", key="first", **more):
    return {"manifest_path": f"dev/{tenant}.yaml", "mode": mode, "idempotency_key": key} | more


def is_problem(answer, status, code):
    assert (answer.status_code, Problem.model_validate_json(answer.content).code) == (status, code), answer.text
    return Problem.model_validate_json(answer.content)


def state_of(client, seed_run_id):
    return SeedRunState.model_validate_json(client.get(f"{RUNS}/{seed_run_id}").content)


def wait_for_status(client, seed_run_id, *statuses):
    def reached():
        found = state_of(client, seed_run_id)
        return found if found.status in statuses else None

    return wait_for(reached, seconds=120, what=f"{seed_run_id} to be {statuses}")


def test_a_seed_run_is_started_once_followed_to_its_end_and_proven(server, acme):
    started = acme.post(RUNS, json=asked("acme"), headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert started.status_code == 201, started.text
    seed_run_id, location = started.json()["seed_run_id"], started.headers["location"]
    assert location == f"{RUNS}/{seed_run_id}"
    assert started.headers["etag"].strip('"')
    assert server.value("SELECT state FROM seed_control.seed_run WHERE id = %(id)s", id=seed_run_id) == "running"

    again = acme.post(RUNS, json=asked("acme"))
    assert (again.status_code, again.json(), again.headers["etag"]) == (201, started.json(), started.headers["etag"])
    is_problem(acme.post(RUNS, json=asked("acme", ignore_window=True)), 422, "request-key-reused")

    events = list(followed(acme, seed_run_id))
    assert [name for name, _ in events[-2:]] == ["progress", "end"]
    last = events[-1][1]
    assert (last.status, last.rows, str(last.seed_run_id)) == ("published", last.planned_rows, seed_run_id)
    assert [event.rows for _, event in events] == sorted(event.rows for _, event in events)

    found = state_of(acme, seed_run_id)
    assert found.traceparent.split("-")[1] == TRACE
    (dagster_run,) = runs_of(server, "acme", "first")
    tags = {tag["key"]: tag["value"] for tag in dagster_run["tags"]}
    assert tags["seed/trigger"] == "api"
    assert tags["seed/manifest-hash"] == started.json()["manifest_hash"]

    current = acme.get(location)
    unchanged = acme.get(location, headers={"If-None-Match": current.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    report = wait_for(lambda: report_of(acme, location), seconds=90, what="the report")
    assert payload_of(report.content)["run_id"] == seed_run_id
    assert acme.get(f"{location}/report", headers={"If-None-Match": report.headers["etag"]}).status_code == 304
    stop = acme.post(f"{location}/cancel", headers={"If-Match": "*", "Idempotency-Key": "late"})
    is_problem(stop, 409, "seed-run-ended")


def runs_of(server, tenant, key):
    """Dagster's runs of a seed run."""
    return server.client.runs(**{"seed/tenant": tenant, "seed/idempotency-key": key})


def followed(client, seed_run_id):
    """Every event of a seed run until its end: name and data."""
    with client.stream("GET", f"{RUNS}/{seed_run_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = None
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, SeedRunProgress.model_validate_json(line.removeprefix("data: "))


def report_of(client, location):
    answer = client.get(f"{location}/report")
    if answer.status_code == 404:
        is_problem(answer, 404, "report-not-written")
        return None
    assert answer.status_code == 200, answer.text
    return answer


def test_many_requests_with_one_key_are_one_seed_run_with_a_worker_for_each_shard(server):
    with portal(server, "globex") as client:
        together = threading.Barrier(20)

        def ask():
            together.wait()
            return client.post(RUNS, json=asked("globex", mode="carga", key="together"))

        answers = [worker.result(90) for worker in [Worker(ask) for _ in range(20)]]
        accepted = [answer.json()["seed_run_id"] for answer in answers if answer.status_code == 201]
        for answer in answers:
            if answer.status_code != 201:
                is_problem(answer, 409, "request-in-flight")
                assert int(answer.headers["retry-after"]) >= 1
        assert len(set(accepted)) == 1
        shards = runs_of(server, "globex", "together")
        assert len(shards) == 2
        assert client.post(RUNS, json=asked("globex", mode="carga", key="together")).json()["seed_run_id"] in accepted
        # Another request for the same seed run finds its workers, and asks for no others.
        other = client.post(RUNS, json=asked("globex", mode="carga", key="together"), headers={"Idempotency-Key": "b"})
        assert (other.status_code, other.json()["seed_run_id"]) == (201, accepted[0])
        assert len(runs_of(server, "globex", "together")) == 2
        # Cancelled, it leaves no run behind that would only wait.
        stop = client.post(f"{RUNS}/{accepted[0]}/cancel", headers={"If-Match": "*", "Idempotency-Key": "stop"})
        assert stop.status_code == 202, stop.text
        wait_for_status(client, accepted[0], "cancelled")
        wait_for(lambda: has_ended(server, "globex", "together"), seconds=60, what="both of its workers to end")


def has_ended(server, tenant, key):
    return {run["status"] for run in runs_of(server, tenant, key)} <= {"CANCELED", "FAILURE"}


def test_a_seed_run_keeps_others_of_its_tenant_away_until_who_saw_it_as_it_is_cancels_it(server):
    with portal(server, "stopped") as client:
        seed_run_id = client.post(RUNS, json=asked("stopped")).json()["seed_run_id"]
        stop = f"{RUNS}/{seed_run_id}/cancel"
        wait_for_status(client, seed_run_id, "running")
        # Its tenant is busy meanwhile.
        is_problem(client.post(RUNS, json=asked("stopped", key="second")), 409, "lease-held-elsewhere")
        is_problem(client.post(stop, headers={"If-Match": "*"}), 400, "header-not-usable")
        is_problem(client.post(stop, headers={"Idempotency-Key": "a"}), 428, "precondition-missing")
        stale = client.post(stop, headers={"Idempotency-Key": "a", "If-Match": '"1-0"'})
        is_problem(stale, 412, "precondition-failed")
        weak = client.post(stop, headers={"Idempotency-Key": "a", "If-Match": f"W/{etag(client, seed_run_id)}"})
        is_problem(weak, 412, "precondition-failed")
        cancelled = wait_for(lambda: stopped_as_seen(client, seed_run_id), seconds=30, what="a match")
        assert cancelled.json()["seed_run_id"] == seed_run_id
        again = client.post(stop, headers={"Idempotency-Key": "b", "If-Match": '"whatever"'})
        assert (again.status_code, again.json()) == (202, cancelled.json())
        wait_for_status(client, seed_run_id, "cancelled")
        is_problem(client.post(RUNS, json=asked("stopped"), headers={"Idempotency-Key": "c"}), 409, "seed-run-ended")


def test_a_run_that_stopped_is_gone_on_with_by_the_same_call_and_one_that_has_ended_by_a_new_run(server):
    whose = Whose(tenant="slow", environment="dev")
    with portal(server, "slow") as http, SeedClient(server.api_url, token=token_in(http)) as client:
        manifest = client.validate((server.manifests / "dev/slow.yaml").read_bytes(), whose).manifest_hash
        request = SeedRunRequest(manifest_path="dev/slow.yaml", mode="baseline", idempotency_key=manifest)
        first = client.start(request, whose)
        wait_for_status(http, first.seed_run_id, "running")
        (worker,) = runs_of(server, "slow", manifest)
        server.client.terminate(worker["runId"])
        wait_for_status(http, first.seed_run_id, "paused", "failed")
        wait_for(lambda: has_ended(server, "slow", manifest), seconds=60, what="its worker to end")

        assert client.start(request, whose).seed_run_id == first.seed_run_id
        assert len(runs_of(server, "slow", manifest)) == 2
        client.cancel(first.seed_run_id, whose)
        wait_for_status(http, first.seed_run_id, "cancelled")

        second = client.start(request, whose)
        assert second.seed_run_id != first.seed_run_id
        assert client.start(request, whose).seed_run_id == second.seed_run_id
        assert len(runs_of(server, "slow", state_of(http, second.seed_run_id).idempotency_key)) == 1
        client.cancel(second.seed_run_id, whose)


def token_in(client):
    return client.headers["Authorization"].removeprefix("Bearer ")


def etag(client, seed_run_id):
    return client.get(f"{RUNS}/{seed_run_id}").headers["etag"]


def stopped_as_seen(client, seed_run_id):
    """A batch may come in between the look and the request: whoever is told so looks again."""
    headers = {"Idempotency-Key": "b", "If-Match": etag(client, seed_run_id)}
    answer = client.post(f"{RUNS}/{seed_run_id}/cancel", headers=headers)
    assert answer.status_code in (202, 412), answer.text
    return answer if answer.status_code == 202 else None


def test_a_canary_is_asked_for_as_one(server):
    with portal(server, "rare") as client:
        is_problem(client.post(RUNS, json=asked("rare", canary=True)), 422, "mode-differs")
        answer = client.post(RUNS, json=asked("rare", mode="canary", canary=True))
        assert answer.status_code == 201, answer.text
        assert state_of(client, answer.json()["seed_run_id"]).mode == "canary"


def test_a_manifest_that_dagster_has_not_loaded_is_not_started(server):
    write_manifest(server.manifests, **SMALL, tenant="fresh")
    with portal(server, "fresh") as client:
        is_problem(client.post(RUNS, json=asked("fresh")), 409, "definitions-stale")


@pytest.mark.parametrize("kind", ["application/json", "application/yaml", "text/yaml; charset=utf-8"])
def test_a_manifest_is_checked(server, acme, kind):
    text = (server.manifests / "dev/acme.yaml").read_bytes()
    answer = acme.post(VALIDATE, content=text, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["valid"], told["issues"], told["normalized_version"]) == (True, [], "1.0.0")
    assert told["caps"]["customers"] == 20
    assert told["manifest_hash"] == json.loads(text)["integrity"]["manifest_hash"]


def test_every_issue_of_a_manifest_is_told_with_its_place_and_none_of_its_values(server, acme):
    text = (server.manifests / "dev/acme.yaml").read_text(encoding="utf-8")
    for right, wrong in (
        ('"profile": "standard"', '"profile": "123.456.789-09"'),
        ('"mode": "baseline"', '"mode": "x"'),
    ):
        assert right in text
        text = text.replace(right, wrong)
    answer = acme.post(VALIDATE, content=text, headers={"Content-Type": "application/json"})
    found = is_problem(answer, 422, "manifest-rejected")
    assert {violation.location for violation in found.violations} >= {"/metadata/profile", "/mode"}
    assert all(violation.line for violation in found.violations)
    assert "123.456" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/api/v1/nothing", {}, 404, "route-not-found"),
        ("DELETE", RUNS, {}, 405, "method-not-allowed"),
        ("POST", VALIDATE, {"Content-Type": "text/plain"}, 415, "media-type-not-taken"),
        ("POST", RUNS, {"Content-Type": "application/yaml"}, 415, "media-type-not-taken"),
        ("GET", f"{RUNS}/0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10", {}, 404, "seed-run-not-found"),
        ("GET", f"{RUNS}/none", {}, 404, "seed-run-not-found"),
        ("GET", RUNS, {"X-Environment": ""}, 400, "header-not-usable"),
        ("GET", RUNS, {"X-Tenant-ID": "No Name"}, 400, "header-not-usable"),
        ("GET", f"{RUNS}?tenant=globex", {}, 400, "header-not-usable"),
        ("GET", f"{RUNS}?limit=0", {}, 422, "request-rejected"),
        ("GET", f"{RUNS}?status=odd", {}, 422, "request-rejected"),
        ("GET", f"{RUNS}?cursor=odd", {}, 422, "request-rejected"),
        ("GET", RUNS, {"Authorization": "Bearer odd"}, 401, "unauthenticated"),
        ("POST", RUNS, {"Authorization": "Basic odd"}, 401, "unauthenticated"),
    ],
)
def test_what_is_not_as_the_contract_says_is_a_problem_of_its_own(acme, method, path, headers, status, code):
    content = b"odd" if method == "POST" else None
    found = is_problem(acme.request(method, path, headers=headers, content=content), status, code)
    assert "odd" not in found.model_dump_json()


def test_who_may_not_is_told_no_more_than_that(server):
    with portal(server, roles=("nobody",)) as client:
        for method, path, more in (
            ("GET", RUNS, {}),
            ("GET", f"{RUNS}/0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10", {}),
            ("POST", RUNS, {"json": asked("acme")}),
            ("POST", f"{RUNS}/0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10/cancel", {}),
            ("POST", VALIDATE, {"json": {}}),
        ):
            found = is_problem(client.request(method, path, **more), 403, "forbidden")
            assert found.violations == []
    assert server.value("SELECT 1 FROM seed_control.seed_run WHERE tenant = 'nobody'") is None


def test_seed_runs_are_listed_page_by_page_for_one_tenant(server, acme):
    for number in range(5):
        answer = acme.post(RUNS, json=asked("acme", key="first"), headers={"Idempotency-Key": f"page-{number}"})
        assert answer.status_code == 201, answer.text
    with portal(server, "globex") as other:
        foreign = SeedRunPage.model_validate_json(other.get(RUNS).content).items
    pages, cursor = [], None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = SeedRunPage.model_validate_json(acme.get(RUNS, params=query).content)
        pages += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    everything = SeedRunPage.model_validate_json(acme.get(f"{RUNS}?tenant=acme&limit=100").content)
    assert pages == everything.items
    assert {run.tenant for run in pages} == {"acme"}
    assert not {run.seed_run_id for run in pages} & {run.seed_run_id for run in foreign}
    published = SeedRunPage.model_validate_json(acme.get(f"{RUNS}?status=published&mode=baseline").content)
    assert {run.status for run in published.items} <= {"published"}


def test_the_command_line_runs_a_manifest_through_the_api_and_follows_it(server, acme):
    environment = {
        "SEED_API_URL": server.api_url,
        "SEED_API_TOKEN": token_in(acme),
        "SEED_MANIFESTS_DIR": str(server.manifests),
        "TRACEPARENT": f"00-{'d1' * 16}-{'d2' * 8}-01",
    }
    command = [sys.executable, "-c", "from seed_pipelines.cli.main import main; main()", "run", "dev/acme.yaml"]
    done = subprocess.run(
        [*command, "--reseed", "--ignore-window", "--json"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["state"], last["rows"]) == ("published", last["planned_rows"])
    found = state_of(acme, last["seed_run_id"])
    assert found.idempotency_key.startswith("reseed:")
    assert found.traceparent.split("-")[1] == "d1" * 16


def test_machines_are_answered_without_a_token(server):
    with httpx.Client(base_url=server.api_url, event_hooks={"response": [_has_what_every_answer_has]}) as nobody:
        assert nobody.get("/healthz").json() == {"status": "alive"}
        ready = nobody.get("/readyz").json()
        assert {check["name"]: check["ok"] for check in ready["checks"]} == dict.fromkeys(
            ("database", "dagster", "vault", "worm"), True
        )
        metrics = nobody.get("/metrics").text
        for name in ("seed_control_plane_up 1.0", "seed_runs{", 'seed_api_requests_total{method="GET"'):
            assert name in metrics
        document = nobody.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        page = nobody.get("/docs")
        assert "/api/v1/seed-runs/{seed_run_id}/cancel" in page.text
        for foreign in ("http://", "https://", "<script"):
            assert foreign not in page.text
        assert nobody.delete(RUNS).headers["allow"] == "GET, POST"
        is_problem(nobody.get(RUNS), 401, "unauthenticated")
        assert nobody.get(RUNS).headers["www-authenticate"] == "Bearer"


def test_nothing_secret_is_in_what_the_server_said(server):
    log = server.log.read_text(encoding="utf-8", errors="replace")
    assert "Bearer" not in log
    assert "eyJ" not in log
    spans = "".join(path.read_text(encoding="utf-8") for path in (server.home / "telemetry").glob("*.jsonl"))
    assert "seed.api.request" in spans
    assert "/api/v1/seed-runs/{seed_run_id}" in spans
    assert TRACE in spans
    assert "eyJ" not in spans

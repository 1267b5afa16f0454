"""The API's answers while something that it needs is away, or is sent too much: a problem each time."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from sealed_manifests import write_manifest
from served_api import api_settings, headers_for, served, served_api
from small_manifests import SMALL

from seed_pipelines.api import starting
from seed_pipelines.api.app import create_app, service_for
from seed_pipelines.api.contract import Problem
from seed_pipelines.api.problems import LARGEST_BODY_BYTES
from seed_pipelines.session import Installation

ASKED = {"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "one"}


@pytest.fixture
def settings(seeded, tmp_path):
    return api_settings(seeded, tmp_path, quota=(200, 3600))


@pytest.fixture
def api(settings):
    with served_api(settings) as client:
        yield client


def problem_in(answer, status, code):
    """The answer is this problem and has what every answer has."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = Problem.model_validate_json(answer.content)
    assert (answer.status_code, found.status, found.code) == (status, status, code), answer.text
    assert answer.headers["ratelimit"].split(";")[0] in answer.headers["ratelimit-policy"]
    return found


def test_without_dagster_nothing_is_started_and_the_same_request_may_come_again(seeded, api):
    for _ in range(2):
        answer = api.post("/api/v1/seed-runs", json=ASKED)
        found = problem_in(answer, 503, "dagster-unavailable")
        assert found.retryable
        assert int(answer.headers["retry-after"]) >= 1
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0
    assert seeded.value("SELECT count(*) FROM seed_control.api_request") == 0


class _Webserver(BaseHTTPRequestHandler):
    """A Dagster that has loaded the manifest, and takes runs or does not."""

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "pipelineOrError" in question["query"]:
            found = {"pipelineOrError": self._job(question["variables"]["selector"]["repositoryLocationName"])}
        elif "workspaceOrError" in question["query"]:
            entries = [{"name": name} for name in ("seed_pipelines", "canary")]
            found = {"workspaceOrError": {"locationEntries": entries}}
        elif "launchRun" in question["query"]:
            self.server.launched.append(question["variables"]["params"])
            found = {"launchRun": {"__typename": self.server.answer}}
        else:
            found = {"runsOrError": {"__typename": "Runs", "results": []}}
        body = json.dumps({"data": found}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _job(self, location):
        if location != self.server.location:
            return {"__typename": "PipelineNotFoundError"}
        tags = [{"key": "seed/manifest-hash", "value": self.server.loaded}]
        return {"__typename": "Pipeline", "tags": tags}

    def log_message(self, *_):
        """Nothing is said."""


@pytest.fixture
def dagster(settings):
    """What no real webserver does when it is asked to: refuse a run that it should take."""
    manifest = json.loads((settings.manifests / "dev/acme.yaml").read_text(encoding="utf-8"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Webserver) as server:
        server.loaded, server.launched, server.answer = manifest["integrity"]["manifest_hash"], [], "PythonError"
        server.location = "seed_pipelines"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_a_seed_run_whose_worker_could_not_be_asked_for_goes_on_with_the_same_request(seeded, settings, dagster):
    with served_api(replace(settings, dagster_url=f"http://127.0.0.1:{dagster.server_port}")) as api:
        problem_in(api.post("/api/v1/seed-runs", json=ASKED), 502, "launch-refused")
        before = seeded.value("SELECT id FROM seed_control.seed_run")
        assert seeded.value("SELECT count(*) FROM seed_control.api_request") == 0
        dagster.answer = "LaunchRunSuccess"
        answer = api.post("/api/v1/seed-runs", json=ASKED)
        assert (answer.status_code, answer.json()["seed_run_id"]) == (201, str(before))
        assert len(dagster.launched) == 2
        assert api.post("/api/v1/seed-runs", json=ASKED).json() == answer.json()
        assert len(dagster.launched) == 2
        dagster.loaded = "0" * 64
        problem_in(api.post("/api/v1/seed-runs", json=ASKED | {"idempotency_key": "b"}), 409, "definitions-stale")


def test_a_job_is_found_in_the_location_that_has_it(settings, dagster):
    dagster.location, dagster.answer = "canary", "LaunchRunSuccess"
    with served_api(replace(settings, dagster_url=f"http://127.0.0.1:{dagster.server_port}")) as api:
        assert api.post("/api/v1/seed-runs", json=ASKED).status_code == 201
        assert [each["selector"]["repositoryLocationName"] for each in dagster.launched] == ["canary"]
        dagster.location = "nowhere"
        problem_in(api.post("/api/v1/seed-runs", json=ASKED | {"idempotency_key": "b"}), 409, "definitions-stale")


def test_without_a_database_every_answer_is_a_problem(settings):
    away = replace(settings, api_database_url="postgresql://seed_api@127.0.0.1:9/seed")
    with served_api(away) as api:
        problem_in(api.get("/api/v1/seed-runs"), 503, "database-unavailable")
        assert api.get("/healthz").status_code == 200
        states = {check.name: check.code for check in problem_in(api.get("/readyz"), 503, "not-ready").checks}
        assert states["database"] == "database-unavailable"
        assert states["dagster"] == "dagster-unavailable"
        assert (states["vault"], states["worm"]) == (None, None)


def test_the_api_does_not_serve_as_the_loader(settings):
    with served_api(replace(settings, api_database_url=settings.database_url)) as api:
        states = {check.name: check.code for check in problem_in(api.get("/readyz"), 503, "not-ready").checks}
    assert states["database"] == "api-role-not-safe"


def test_a_bug_is_a_500_that_tells_nothing_of_it(settings):
    secret = "123.456.789-09"
    app = create_app(service_for(Installation.of(settings)))

    def broken() -> None:
        raise ValueError(secret)

    app.add_api_route("/broken", broken)
    with served(app) as url:
        answer = httpx.get(f"{url}/broken", headers=headers_for(settings.home))
    problem_in(answer, 500, "unexpected")
    assert secret not in answer.text


def test_a_body_that_is_too_large_is_refused_whatever_length_it_announced(api):
    large = b"x" * (LARGEST_BODY_BYTES + 1)
    announced = api.post("/api/v1/seed-runs", content=large, headers={"Content-Type": "application/json"})
    problem_in(announced, 413, "request-too-large")
    # Chunked: no length is announced.
    streamed = api.post("/api/v1/seed-runs", content=iter([large]), headers={"Content-Type": "application/json"})
    problem_in(streamed, 413, "request-too-large")


def test_a_quota_that_is_used_up_is_a_429_that_says_when_to_come_again(settings):
    with served_api(replace(settings, api_quota=(3, 3600))) as api:
        remaining = [api.get("/api/v1/seed-runs").headers["ratelimit-remaining"] for _ in range(3)]
        assert remaining == ["2", "1", "0"]
        answer = api.get("/api/v1/seed-runs")
        problem_in(answer, 429, "quota-exceeded")
        assert 1 <= int(answer.headers["retry-after"]) <= 1200
        assert answer.headers["ratelimit-remaining"] == "0"
        # Another caller is not held up by it, nor is whoever looks after the server.
        assert api.get("/api/v1/seed-runs", headers=headers_for(settings.home, subject="y")).status_code == 200
        assert api.get("/healthz").status_code == 200


def test_whoever_has_no_token_or_guesses_at_one_has_the_quota_of_an_address(settings):
    with served_api(replace(settings, api_quota=(3, 3600))) as api:
        nobody = {"Authorization": "Bearer made.up.token"}
        for _ in range(3):
            answer = api.get("/api/v1/seed-runs", headers=nobody)
            problem_in(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        problem_in(api.get("/api/v1/seed-runs", headers=nobody), 429, "quota-exceeded")
        del api.headers["Authorization"]
        problem_in(api.get("/docs"), 429, "quota-exceeded")


def test_a_rehearsal_says_what_a_run_would_do_and_leaves_nothing(seeded, api):
    answer = api.post("/api/v1/seed-runs", json=ASKED | {"dry_run": True})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["dry_run"] is True
    assert told["plan"]["total_rows"] == sum(entity["rows"] for entity in told["entities"])
    assert len(told["dataset_hash"]) == 64
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0


def test_a_rehearsal_that_would_take_too_long_is_refused(api, monkeypatch):
    monkeypatch.setattr(starting, "LARGEST_REHEARSAL_ROWS", 10)
    problem_in(api.post("/api/v1/seed-runs", json=ASKED | {"dry_run": True}), 422, "too-large-to-rehearse")
    monkeypatch.undo()
    with starting._rehearsing:
        problem_in(api.post("/api/v1/seed-runs", json=ASKED | {"dry_run": True}), 503, "server-busy")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"mode": "carga"}, 422, "mode-differs"),
        ({"canary": True}, 422, "mode-differs"),
        ({"manifest_path": "dev/globex.yaml"}, 422, "tenant-differs"),
        ({"manifest_path": "dev/nobody.yaml"}, 422, "tenant-differs"),
        ({"manifest_path": "staging/acme.yaml"}, 422, "tenant-differs"),
        ({"manifest_path": "../secret.yaml"}, 422, "path-outside-manifests"),
        ({"manifest_path": "/etc/passwd"}, 422, "path-outside-manifests"),
        ({"manifest_path": "dev/../dev/acme.yaml"}, 422, "path-outside-manifests"),
        ({"mode": "nightly"}, 422, "request-rejected"),
        ({"shard": "0001"}, 422, "request-rejected"),
        ({"idempotency_key": None}, 400, "header-not-usable"),
    ],
)
def test_what_cannot_be_started_is_refused_before_anything_is_written(seeded, api, settings, change, status, code):
    # Its faults are nobody's but its own tenant's.
    (settings.manifests / "dev/globex.yaml").write_text("metadata: [1\n", encoding="utf-8")
    found = problem_in(api.post("/api/v1/seed-runs", json=ASKED | change), status, code)
    assert "secret" not in found.model_dump_json()
    assert_untouched(seeded)


@pytest.mark.parametrize("what", ["a link", "broken", "gone", "of another tenant"])
def test_a_manifest_that_is_not_what_its_name_says_is_not_started(seeded, api, settings, tmp_path, what):
    path = settings.manifests / "dev/acme.yaml"
    content = path.read_bytes()
    path.unlink()
    if what == "a link":
        (tmp_path / "secret.yaml").write_bytes(content)
        path.symlink_to(tmp_path / "secret.yaml")
    elif what == "broken":
        path.write_text("metadata: [1\n", encoding="utf-8")
    elif what == "of another tenant":
        write_manifest(settings.manifests, **SMALL, tenant="globex")
        (settings.manifests / "dev/globex.yaml").rename(path)
    codes = {"a link": "path-outside-manifests", "gone": "manifest-not-found"}
    answer = api.post("/api/v1/seed-runs", json=ASKED)
    found = problem_in(answer, 422, codes.get(what, "manifest-rejected"))
    assert all(violation.line for violation in found.violations)
    assert bool(found.violations) == (found.code == "manifest-rejected")
    assert "secret" not in answer.text
    assert_untouched(seeded)


def assert_untouched(seeded):
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0
    assert seeded.value("SELECT count(*) FROM seed_control.api_request") == 0

"""The API while somebody tries to get round its quotas, or while Dagster does not answer: the others are served."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from sealed_manifests import write_manifest
from served_api import api_settings, headers_for, portal_headers, served_api
from small_manifests import SMALL

from seed_pipelines.api.contract import Problem
from seed_pipelines.api.problems import LARGEST_BODY_BYTES

RUNS, VALIDATE = "/api/v1/seed-runs", "/api/v1/seed-profiles/validate"
UNKNOWN = f"{RUNS}/00000000-0000-4000-8000-000000000000"
POLICY = Path(__file__).parents[2] / "infra/access/policy.yaml"
FEW = (3, 3600)


@pytest.fixture
def settings(seeded, tmp_path):
    return api_settings(seeded, tmp_path, quota=FEW)


def answers_to(api, *requests):
    """Status and code of each."""
    found = [api.request(method, path, **more) for method, path, more in requests]
    return [
        (each.status_code, None if each.is_success else Problem.model_validate_json(each.content).code)
        for each in found
    ]


def tenants_asked_for(*names, path=RUNS):
    return [("GET", path, {"headers": {"X-Tenant-ID": name}}) for name in names]


USED_UP = (429, "quota-exceeded")


def test_made_up_tenants_share_one_quota_and_leave_one_row(seeded, settings):
    with served_api(settings) as api:
        made_up = tenants_asked_for(*(f"made-up-{number}" for number in range(5)))
        assert answers_to(api, *made_up) == [(200, None)] * 3 + [USED_UP] * 2
        assert answers_to(api, *tenants_asked_for("acme")) == [(200, None)]
    assert seeded.value("SELECT string_agg(tenant, ' ' ORDER BY tenant) FROM seed_control.api_rate_limit") == "- acme"


def test_tenants_that_are_not_the_callers_share_one_quota_though_they_are_there(seeded, settings):
    write_manifest(settings.manifests, **SMALL, tenant="globex")
    write_manifest(settings.manifests, **SMALL, tenant="initech")
    with served_api(replace(settings, api_policy=POLICY)) as api:
        api.headers.update(portal_headers(settings.home))
        others = tenants_asked_for("globex", "initech", "globex", "initech", path=UNKNOWN)
        assert answers_to(api, *others) == [(403, "forbidden")] * 3 + [USED_UP]
        assert answers_to(api, *tenants_asked_for("acme", path=UNKNOWN)) == [(404, "seed-run-not-found")]


ODD = {"headers": {"Authorization": "x"}}
LARGE = ODD | {"content": b"x" * (LARGEST_BODY_BYTES + 1)}
OUTSIDE = [
    ("GET", "/docs", ODD, (200, None)),
    ("GET", "/openapi.json", ODD, (200, None)),
    ("GET", "/nothing", ODD, (404, "route-not-found")),
    ("GET", "/api/v1/nothing", ODD, (404, "route-not-found")),
    ("DELETE", RUNS, ODD, (405, "method-not-allowed")),
    ("POST", RUNS, LARGE, (413, "request-too-large")),
    ("GET", RUNS, ODD, (401, "unauthenticated")),
]


def test_whatever_takes_from_no_callers_quota_takes_from_that_of_its_address(settings):
    expected = [answer for *_, answer in OUTSIDE]
    requests = [tuple(each) for *each, _ in OUTSIDE]
    with served_api(replace(settings, api_quota=(len(OUTSIDE), 36_000))) as api:
        assert answers_to(api, *requests) == expected
        assert answers_to(api, *requests) == [USED_UP] * len(OUTSIDE)
        # Whoever has a token, and whoever looks after the server, is answered nevertheless.
        assert answers_to(api, ("GET", RUNS, {}), ("GET", "/healthz", ODD)) == [(200, None)] * 2


def test_while_no_token_can_be_checked_requests_take_from_the_quota_of_their_address(settings, tmp_path):
    provider = {
        "api_jwks": str(tmp_path / "secret-place.json"),
        "api_issuer": "here",
        "api_audience": "api",
        "api_subject_key": b"k" * 32,
        "api_policy": POLICY,
    }
    with served_api(replace(settings, **provider)) as api:
        for _ in range(3):
            answer = api.get(RUNS)
            assert (answer.status_code, Problem.model_validate_json(answer.content).code) == (503, "keys-unavailable")
            assert "secret-place" not in answer.text
        assert answers_to(api, ("GET", RUNS, {})) == [USED_UP]


BODIES = [
    ("application/json", b'{"mode": "baseline",}', 1, 21),
    ("application/json", b"mode: baseline\n", 1, 1),
    ("application/yaml", b"mode: [baseline\n", 2, 1),
    ("application/yaml", b"mode: baselin\n", 1, 7),
]


def test_who_may_check_manifests_of_one_mode_is_told_what_keeps_the_mode_from_being_read(settings):
    with served_api(replace(settings, api_policy=POLICY, api_quota=(20, 3600))) as api:
        api.headers.update(portal_headers(settings.home))
        for kind, body, line, column in BODIES:
            answer = api.post(VALIDATE, content=body, headers={"Content-Type": kind})
            found = Problem.model_validate_json(answer.content)
            assert (answer.status_code, found.code) == (422, "manifest-rejected"), answer.text
            assert (line, column) in {(each.line, each.column) for each in found.violations}
        # The mode that is stated decides, and the tenant before it.
        stated = api.post(VALIDATE, content=b"mode: dr\n", headers={"Content-Type": "text/yaml"})
        other = api.post(VALIDATE, content=b"mode: x\n", headers={"Content-Type": "text/yaml", "X-Tenant-ID": "globex"})
    assert (stated.status_code, other.status_code) == (403, 403)


def test_yaml_is_taken_as_yaml_and_not_as_json(settings):
    text = b"# A remark, which JSON has not.\n" + (settings.manifests / "dev/acme.yaml").read_bytes()
    with served_api(settings) as api:
        for kind, status in (("application/yaml", 200), ("application/json", 422)):
            answer = api.post(VALIDATE, content=text, headers={"Content-Type": kind})
            assert answer.status_code == status, answer.text
    (violation,) = Problem.model_validate_json(answer.content).violations
    assert (violation.rule, violation.line, violation.column) == ("json-syntax", 1, 1)


class _Silent(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.ends.wait(60)
        self.close_connection = True

    def log_message(self, *_):
        """Nothing is said."""


class _Unhurried(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def silent_dagster():
    """A Dagster that takes every question and answers none until the block ends."""
    with _Unhurried(("127.0.0.1", 0), _Silent) as server:
        server.ends = threading.Event()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.ends.set()
        server.shutdown()
        thread.join(10)


def test_while_dagster_hangs_some_wait_for_it_others_are_told_so_and_the_rest_is_served(settings):
    with silent_dagster() as dagster:
        url = f"http://127.0.0.1:{dagster.server_port}"
        with (
            served_api(replace(settings, dagster_url=url, api_quota=(200, 3600))) as api,
            ThreadPoolExecutor(64) as many,
        ):
            asked = [many.submit(started, api, settings.home, f"key-{number}") for number in range(64)]
            # Those who wait for it know nothing yet.
            assert next(as_completed(asked, timeout=30)).result() == "server-busy"
            for _ in range(10):
                assert httpx.get(f"{api.base_url}/healthz", timeout=2).status_code == 200
            assert api.get(RUNS, timeout=8).status_code == 200
            dagster.ends.set()
            codes = [each.result() for each in asked]
    assert set(codes) == {"server-busy", "dagster-unavailable"}


def started(api, home, key):
    body = {"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": key}
    answer = httpx.post(f"{api.base_url}{RUNS}", json=body, headers=headers_for(home), timeout=60)
    assert answer.status_code == 503, answer.text
    return Problem.model_validate_json(answer.content).code

"""What the portal does with the API, as the pact of both.

It checks a manifest, starts a seed run, looks at it and reads its report. The file in contracts/pacts is written by the
portal's side of the test, and the API is held against it.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
from pact import Pact, match
from sealed_manifests import manifest_text
from small_manifests import SMALL

PORTAL, API = "portal", "seed-pipelines"
FOLDER = Path(__file__).parents[1] / "contracts/pacts"
FILE = FOLDER / f"{PORTAL}-{API}.json"

PUBLISHED_ID = "4a1d3f5e-7c9b-4e21-8f60-5b2d9c3e7a10"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
HEADERS = {"X-Tenant-ID": "acme", "X-Environment": "dev"}
MANIFEST = json.loads(manifest_text(window={"start_utc": "22:00", "end_utc": "09:00"}, **SMALL))
HASH = r"^[0-9a-f]{64}$"

MANIFEST_THERE = "the manifest dev/acme.yaml is in the manifests folder"
PUBLISHED = f"the seed run {PUBLISHED_ID} of acme was published and its report is written"


def pact_of_the_portal() -> Pact:
    """The four things that it asks, and a refusal that it shows to people."""
    pact = Pact(PORTAL, API).with_specification("V4")
    (
        _asked(pact, "a check of a manifest", "POST", "/api/v1/seed-profiles/validate")
        .with_body(MANIFEST)
        .will_respond_with(200)
        .with_body({"valid": match.boolean(True), "issues": [], "caps": match.like({"customers": 20})})
    )
    (
        _asked(pact, "the start of a seed run", "POST", "/api/v1/seed-runs", state=MANIFEST_THERE)
        .with_body({"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "from-the-portal"})
        .will_respond_with(201)
        .with_header("Location", match.regex("/api/v1/seed-runs/x", regex=r"^/api/v1/seed-runs/\S+$"))
        .with_header("ETag", match.regex('"1"', regex=r'^".+"$'))
        .with_body(
            {
                "seed_run_id": match.uuid(PUBLISHED_ID),
                "status": match.like("queued"),
                "manifest_hash": match.regex("0" * 64, regex=HASH),
            }
        )
    )
    (
        _asked(pact, "a look at a seed run", "GET", f"/api/v1/seed-runs/{PUBLISHED_ID}", state=PUBLISHED)
        .will_respond_with(200)
        .with_header("ETag", match.regex('"1"', regex=r'^".+"$'))
        .with_body(
            {
                "seed_run_id": PUBLISHED_ID,
                "status": "published",
                "dataset_hash": match.regex("0" * 64, regex=HASH),
                "checkpoints": match.each_like({"entity": match.like("customers"), "rows": match.integer(20)}, min=1),
            }
        )
    )
    (
        _asked(pact, "the report of a seed run", "GET", f"/api/v1/seed-runs/{PUBLISHED_ID}/report", state=PUBLISHED)
        .will_respond_with(200)
        .with_body({"payload": match.like({"run_id": PUBLISHED_ID, "outcome": "published"})})
    )
    (
        _asked(pact, "a look at a seed run that is not there", "GET", f"/api/v1/seed-runs/{UNKNOWN_ID}")
        .will_respond_with(404)
        .with_body(
            {"status": 404, "title": match.like("Not found"), "detail": match.like("…")},
            content_type="application/problem+json",
        )
    )
    return pact


def use_as_the_portal(url: str) -> Iterator[httpx.Response]:
    """Every request of the pact, as the portal sends it."""
    headers = HEADERS | {"Authorization": "Bearer any"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as portal:
        yield portal.post("/api/v1/seed-profiles/validate", json=MANIFEST)
        yield portal.post(
            "/api/v1/seed-runs",
            json={"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "from-the-portal"},
        )
        yield portal.get(f"/api/v1/seed-runs/{PUBLISHED_ID}")
        yield portal.get(f"/api/v1/seed-runs/{PUBLISHED_ID}/report")
        yield portal.get(f"/api/v1/seed-runs/{UNKNOWN_ID}")


def _asked(pact: Pact, what: str, method: str, path: str, *, state: str | None = None):
    asked = pact.upon_receiving(what)
    if state is not None:
        asked = asked.given(state)
    return asked.with_request(method, path).with_headers(HEADERS)

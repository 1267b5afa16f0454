"""The API under load, on loopback, against the targets of api_targets.toml: `python benchmarks/api_load.py`.

A real `seed-data dev` with its PostgreSQL and its Dagster is started in a home of its own, and ended. Locust sends from
this process, which takes one of the machine's cores. Exits with 1 where a target is missed.

Manifests are validated twice over: one that the API remembers, and so many in turn that it remembers none of them.
"""

# Locust patches what the rest imports, so it comes first.
# isort: off
from locust import FastHttpUser, constant, events, task
from locust.env import Environment

# isort: on
import argparse
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import gevent.pool
import httpx
from api_verdict import TARGETS, missed_of
from measure import show

from seed_pipelines.api.profiles import KEPT_MANIFESTS
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.outside import token_key_file

MANIFEST = Path("manifests/dev/acme.yaml")
RUNS, VALIDATE = "/api/v1/seed-runs", "/api/v1/seed-profiles/validate"
LIMITER_REQUESTS, LIMITER_SECONDS = 300, 10
# Four times as many as the API remembers.
MANIFESTS = 4 * KEPT_MANIFESTS


class Home:
    """A home with one published seed run of dev/acme, and servers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SEED_") and name != "CI"}
        self.environment = kept | {"SEED_HOME": str(folder)}

    def command(self, *arguments: str) -> str:
        program = [str(Path(sys.executable).with_name("seed-data")), *arguments]
        return subprocess.run(program, env=self.environment, check=True, capture_output=True, text=True).stdout

    @contextmanager
    def serving(self, *arguments: str, port: int, quota: str) -> Iterator[str]:
        program = [str(Path(sys.executable).with_name("seed-data")), *arguments]
        environment = self.environment | {"SEED_API_QUOTA": quota}
        process = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def headers(self) -> dict[str, str]:
        token = token_key_file.token_of(
            self.folder, subject="load", roles=("developer",), issued_at=int(time.time()), seconds=3600
        )
        return {"Authorization": f"Bearer {token}", "X-Tenant-ID": "acme", "X-Environment": "dev"}


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        try:
            home.command("run", "dev/acme.yaml", "--ignore-window", "--json")
            seed_run_id = json.loads(home.command("status", "--json"))[0]["id"]
            ports = ("--port", "3911", "--api-port", "8911")
            with home.serving("dev", *ports, port=8911, quota="10000000/60") as url:
                found = {
                    "validate_warm": _loaded(url, home, _validating([MANIFEST.read_bytes()]), options),
                    "validate_cold": _loaded(url, home, _validating(_manifests(MANIFESTS)), options),
                    "get_run": _loaded(url, home, _reading(seed_run_id), options),
                }
                seed_runs = _with_one_key(url, home, TARGETS["one_key"]["concurrent"])
            with home.serving("api", "--port", "8912", port=8912, quota=f"{LIMITER_REQUESTS}/{LIMITER_SECONDS}") as url:
                off = _limiter_off_by_percent(url, home)
        finally:
            home.command("db", "remove", "--yes")
    return _verdict(found, seed_runs=seed_runs, off=off)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    parser.add_argument("--users", type=int, default=8, help="at once, each without a pause")
    return parser.parse_args()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=10).status_code in (200, 503):
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise SystemExit("the API did not start")


def _manifests(count: int) -> list[bytes]:
    """So many manifests that differ in rows, and so in bytes, hash and plan; all of about the same size."""
    text = MANIFEST.read_text()
    before, cap, after = re.split(r"(?<=\n  customers: {cap: )(\d+)", text, maxsplit=1)
    return [sealed_text(f"{before}{int(cap) - less}{after}").encode() for less in range(count)]


def _validating(bodies: list[bytes]) -> type[FastHttpUser]:
    # All users take from the same turn, so that none comes back before all others were sent.
    turn = itertools.cycle(bodies)

    class Validating(FastHttpUser):
        wait_time = constant(0)
        abstract = True
        caller: dict[str, str]

        @task
        def validate(self) -> None:
            headers = {**self.caller, "Content-Type": "application/yaml"}
            # Bytes are sent as they are; the annotation names text and forms alone.
            self.client.post(VALIDATE, data=next(turn), headers=headers, name="validate")  # type: ignore[arg-type]

    return Validating


def _reading(seed_run_id: str) -> type[FastHttpUser]:
    class Reading(FastHttpUser):
        wait_time = constant(0)
        abstract = True
        caller: dict[str, str]

        @task
        def read(self) -> None:
            self.client.get(f"{RUNS}/{seed_run_id}", headers=self.caller, name="get_run")

    return Reading


def _loaded(url: str, home: Home, user: type[FastHttpUser], options: argparse.Namespace) -> dict[str, float]:
    """Requests a second and percentiles in milliseconds; whatever failed ends the benchmark."""
    loading = type("Loading", (user,), {"host": url, "caller": home.headers(), "abstract": False})
    environment = Environment(user_classes=[loading], events=events)
    runner = environment.create_local_runner()
    runner.start(options.users, spawn_rate=options.users)
    gevent.sleep(2)
    environment.stats.reset_all()
    gevent.sleep(options.seconds)
    total = environment.stats.total
    figures = {
        "rate": total.num_requests / options.seconds,
        "p50": total.get_response_time_percentile(0.50),
        "p95": total.get_response_time_percentile(0.95),
        "p99": total.get_response_time_percentile(0.99),
        "failed": total.num_failures,
    }
    runner.quit()
    return figures


def _with_one_key(url: str, home: Home, count: int) -> int:
    """How many seed runs so many requests at once with one key have made."""
    asked = {"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "load", "ignore_window": True}

    def ask(_: int) -> str | None:
        answer = httpx.post(f"{url}{RUNS}", json=asked, headers=home.headers(), timeout=120)
        # Who comes while the first is at work is told so, and may come again.
        return answer.json()["seed_run_id"] if answer.status_code == 201 else None

    pool = gevent.pool.Pool(count)
    made = set(filter(None, pool.map(ask, range(count))))
    made.add(httpx.post(f"{url}{RUNS}", json=asked, headers=home.headers(), timeout=120).json()["seed_run_id"])
    return len(made)


def _limiter_off_by_percent(url: str, home: Home) -> float:
    """How far what was let in is from what the quota allows in twice its window, in percent of that."""
    headers, let_in = home.headers(), 0
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < 2 * LIMITER_SECONDS:
            let_in += client.get(f"{RUNS}?limit=1").status_code == 200
    allowed = LIMITER_REQUESTS + LIMITER_REQUESTS * elapsed / LIMITER_SECONDS
    return abs(let_in - allowed) / allowed * 100


def _verdict(found: dict[str, dict[str, float]], *, seed_runs: int, off: float) -> int:
    rows = [
        (name, f"{each['rate']:,.0f}", f"{each['p50']:.0f}", f"{each['p95']:.0f}", f"{each['p99']:.0f}", each["failed"])
        for name, each in found.items()
    ]
    show("Load", ("request", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failed"), rows)
    missed = [line for name, figures in found.items() for line in missed_of(name, figures, TARGETS[name])]
    if seed_runs != TARGETS["one_key"]["seed_runs"]:
        missed.append(f"one key made {seed_runs} seed runs")
    if off > TARGETS["limiter"]["tolerance_percent"]:
        missed.append(f"the limiter is off by {off:.2f} %")
    print(
        f"\n{TARGETS['one_key']['concurrent']} requests with one key: {seed_runs} seed run; limiter off by {off:.2f} %"
    )
    print("\n".join(f"missed: {line}" for line in missed) or "every target is met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

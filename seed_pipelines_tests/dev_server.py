"""`seed-data dev` as people start it, on a home and a port of its own, with its database to look at."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster_client import DagsterClient, wait_for
from sealed_manifests import write_manifest

from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.outside.postgres import connected

_CHECKOUT = Path(__file__).parents[1]
_MAIN = "from seed_pipelines.cli.main import main; main()"
_NOT_INHERITED = ("SEED_", "DAGSTER_", "OTEL_", "VAULT_", "COV")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """A running one."""

    process: subprocess.Popen[bytes]
    home: Path
    manifests: Path
    log: Path
    client: DagsterClient
    api_url: str

    def wait_for_api(self) -> None:
        """Until it can serve: its database, Dagster and the rest answer it."""
        wait_for(lambda: _is_ready(self), seconds=120, what="the API to be ready")

    def write(self, **wishes) -> str:
        return write_manifest(self.manifests, **wishes)

    def ask(self, statement, **values):
        """The rows of a question to the control plane."""
        with connected(LocalDatabase(self.home).loader_url()) as connection:
            return connection.execute(statement, values).fetchall()

    def value(self, statement, **values):
        rows = self.ask(statement, **values)
        return next(iter(rows[0].values())) if rows else None

    def stop(self) -> int:
        """Ask it to end, as an init system would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def left_behind(self) -> list[int]:
        """Processes that it started and that are still there."""
        sessions = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                after_name = stat.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            sessions[int(stat.parent.name)] = int(after_name[3])
        return [pid for pid, session in sessions.items() if session == self.process.pid]


@contextmanager
def running_dev_server(home: Path, manifests: Path, **settings: str) -> Iterator[DevServer]:
    """Started, answering, and at the end gone, its database included; `settings` as its environment has them."""
    port, api_port = _free_port(), _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    # The key of a laptop is refused under CI, and this is meant to be a laptop.
    environment.pop("CI", None)
    environment |= {"SEED_HOME": str(home), "SEED_MANIFESTS_DIR": str(manifests)} | settings
    log = home.parent / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, "dev", "--port", str(port), "--api-port", str(api_port)],
            cwd=_CHECKOUT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        client = DagsterClient(url=f"http://127.0.0.1:{port}")
        try:
            wait_for(lambda: _answers(client, process, log), seconds=120, what="the webserver")
            api_url = f"http://127.0.0.1:{api_port}"
            yield DevServer(process=process, home=home, manifests=manifests, log=log, client=client, api_url=api_url)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            LocalDatabase(home).remove()


def _answers(client: DagsterClient, process, log: Path) -> bool:
    assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]
    try:
        with urllib.request.urlopen(f"{client.url}/server_info", timeout=5):  # noqa: S310 (our own server)
            return True
    except (urllib.error.URLError, OSError):
        time.sleep(0.5)
        return False


def _is_ready(server: DevServer) -> bool:
    assert server.process.poll() is None, server.log.read_text(encoding="utf-8", errors="replace")[-3000:]
    try:
        with urllib.request.urlopen(f"{server.api_url}/readyz", timeout=10):  # noqa: S310 (our own server)
            return True
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""`seed-data run` of several shards at once: real processes, some of which are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sealed_manifests import write_manifest
from small_manifests import carga

from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.outside.postgres import connected

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))
MANIFESTS = {
    "quick": {},
    # One batch a second: there is time to kill somebody.
    "slow": {"rate_limit": {"limit": 1, "window_seconds": 1, "burst": 1}},
}


class Place:
    """A folder with manifests of two shards each, and a home with a server of its own."""

    def __init__(self, folder):
        self.home, self._manifests = folder / "home", folder / "manifests"
        for tenant, wishes in MANIFESTS.items():
            write_manifest(self._manifests, **carga(shards=2) | wishes | {"tenant": tenant})

    def start(self, tenant, *options):
        environment = {name: value for name, value in os.environ.items() if name not in ("CI", "DAGSTER_HOME")}
        environment |= {"SEED_HOME": str(self.home), "SEED_MANIFESTS_DIR": str(self._manifests)}
        return subprocess.Popen(
            [SEED_DATA, "run", f"dev/{tenant}.yaml", "--ignore-window", "--json", *options],
            **{"env": environment, "cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
        )

    def run(self, tenant, *options):
        command = self.start(tenant, *options)
        said, complaint = command.communicate(timeout=240)
        assert command.returncode == 0, said + complaint
        return json.loads(said)

    def workers(self, seed_run_id):
        return {row["worker"].rpartition(":")[2] for row in self._ask("seed_shard", seed_run_id)}

    def batches(self, seed_run_id):
        return len(self._ask("checkpoint", seed_run_id))

    def begun(self, tenant, command):
        """The seed run of a command that is under way, once both of its shards are at work."""
        assert command.poll() is None, command.communicate()
        with connected(LocalDatabase(self.home).loader_url()) as connection:
            row = connection.execute(
                "SELECT r.id FROM seed_control.seed_run AS r JOIN seed_control.checkpoint AS c ON c.seed_run_id = r.id "
                "WHERE r.tenant = %s AND r.state = 'running' GROUP BY r.id HAVING count(DISTINCT c.shard) = 2",
                [tenant],
            ).fetchone()
        return row and row["id"]

    def _ask(self, table, seed_run_id):
        with connected(LocalDatabase(self.home).loader_url()) as connection:
            statement = f"SELECT * FROM seed_control.{table} WHERE seed_run_id = %s"
            return connection.execute(statement, [seed_run_id]).fetchall()


@pytest.fixture(scope="module")
def place(postgres_server, open_session_directory):
    found = Place(open_session_directory / "shard-workers")
    LocalDatabase(found.home, durable=False).start()
    yield found
    LocalDatabase(found.home).remove()


def wait_for(found, *, what):
    deadline = time.monotonic() + 120
    while not (answer := found()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return answer


def worker_of(command):
    """Its other process: not the programs that it may be asking something."""
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    [worker] = [int(pid) for pid in children if "seed-data" in Path(f"/proc/{pid}/cmdline").read_text()]
    return worker


def is_alive(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_two_processes_write_what_one_process_writes(place):
    together, alone = place.run("quick"), place.run("quick", "--reseed", "--workers", "1")
    assert together["dataset_hash"] == alone["dataset_hash"]
    assert len(place.workers(together["seed_run_id"])) == 2
    assert len(place.workers(alone["seed_run_id"])) == 1


@pytest.mark.parametrize("victim", ["command", "worker"])
def test_whichever_process_is_killed_none_stays_and_the_same_command_goes_on(place, victim):
    command = place.start("slow", "--idempotency-key", victim)
    seed_run_id = wait_for(lambda: place.begun("slow", command), what="both shards")
    worker = worker_of(command)
    os.kill(command.pid if victim == "command" else worker, signal.SIGKILL)
    said, _ = command.communicate(timeout=120)
    wait_for(lambda: not is_alive(worker), what="the end of the worker")
    if victim == "worker":
        assert (command.returncode, json.loads(said)["error"]["code"]) == (5, "interrupted")
    before = place.batches(seed_run_id)
    again = place.run("slow", "--idempotency-key", victim, "--wait")
    assert (again["seed_run_id"], again["state"]) == (str(seed_run_id), "published")
    assert 0 < before < place.batches(seed_run_id)


def test_ctrl_c_ends_every_process_and_gives_the_shards_back(place):
    command = place.start("slow", "--idempotency-key", "interrupted")
    seed_run_id = wait_for(lambda: place.begun("slow", command), what="both shards")
    worker = worker_of(command)
    for process in (command.pid, worker):
        os.kill(process, signal.SIGINT)
    said, complaint = command.communicate(timeout=120)
    assert (command.returncode, json.loads(said)["error"]["code"]) == (5, "interrupted"), complaint
    assert not is_alive(worker)
    assert place.run("slow", "--idempotency-key", "interrupted")["seed_run_id"] == str(seed_run_id)

"""A real S3 with Object Lock: Ceph's monitor, one OSD in memory and its S3 gateway, on the loopback.

Where Ceph is not installed, tests that need it are skipped on a laptop and fail under CI. Debian has it:
apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
"""

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")
ACCESS_KEY, SECRET_KEY = "SEEDTESTACCESSKEY000", "seed-test-secret-key-of-the-loopback-0000"

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
ms mon client mode = crc
log file = {folder}/$name.log
pid file = {folder}/$name.pid
admin socket =
mon data = {folder}/mon
mon data avail crit = 0
mon data avail warn = 0
mon allow pool size one = true
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd class load list = *
osd class default list = *
rgw data = {folder}
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw override bucket index max shards = 1
rgw enable usage log = false
rgw run sync thread = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectServer:
    """A running gateway."""

    port: int

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options):
        endpoint = options.pop("endpoint", self.endpoint)
        settings = {"connect_timeout": 2, "read_timeout": 10, "retries": {"mode": "standard", "total_max_attempts": 1}}
        config = Config(s3={"addressing_style": "path"}, **{**settings, **options})
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=config,
        )


@pytest.fixture(scope="session")
def object_server():
    """The gateway, once a session."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        reason = f"there is no {', '.join(missing)}: install radosgw, ceph-mon, ceph-osd and ceph-common"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    folder, processes = Path(tempfile.mkdtemp(prefix="seed-rgw-")), []
    try:
        yield _start(folder, processes)
    finally:
        for process in reversed(processes):
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder, processes):
    mon_port, port, fsid = _free_port(), _free_port(), str(uuid.uuid4())
    conf = folder / "ceph.conf"
    conf.write_text(CONFIGURATION.format(fsid=fsid, mon_port=mon_port, port=port, folder=folder))
    (folder / "osd").mkdir()
    monmap = folder / "monmap"
    _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{mon_port}]", monmap)
    _run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "-c", conf)
    processes.append(_spawn(folder, "ceph-mon", "-f", "-i", "a", "-c", conf))
    osd = str(uuid.uuid4())
    _run("ceph", "-c", conf, "--connect-timeout", "20", "osd", "new", osd)
    _run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd, "-c", conf)
    processes.append(_spawn(folder, "ceph-osd", "-f", "-i", "0", "-c", conf))
    processes.append(_spawn(folder, "radosgw", "-f", "-n", "client.rgw", "-c", conf))
    server = ObjectServer(port=port)
    _wait_for(server, processes, folder)
    user = ("--uid", "seed", "--display-name", "seed", "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
    _run("radosgw-admin", "-n", "client.rgw", "-c", conf, "user", "create", *user)
    return server


def _run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"


def _spawn(folder, *command):
    with (folder / f"{command[0]}.out").open("wb") as output:
        return subprocess.Popen([*map(str, command)], stdout=output, stderr=output)


def _wait_for(server, processes, folder):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for process in processes:
            assert process.poll() is None, _ends_of(folder)
        if _answers(server.port):
            return
        time.sleep(0.2)
    pytest.fail(f"the gateway did not start: {_ends_of(folder)}")


def _answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _ends_of(folder):
    return {path.name: path.read_text(errors="replace")[-800:] for path in folder.glob("*.out")}


def _stop(process):
    # All of it lies in memory: there is nothing to save.
    process.kill()
    process.wait(timeout=30)


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

"""A real PgBouncer in transaction mode in front of a database, for one test.

Where the program is missing, tests that need it are skipped on a laptop and fail under CI.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from seed_pipelines.outside.account import account_for_servers

_CONFIGURATION = """\
[databases]
{name} = host={host} port={port} dbname={name} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
ignore_startup_parameters = {ignored}
"""


@contextmanager
def pooled_url(seeded, folder: Path, *, user, password, pool_mode="transaction", ignored="options") -> Iterator[str]:
    """The URL of `seeded` through a PgBouncer; `ignored` start-up parameters do not reach the server."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no pgbouncer: install the Debian package")
    account, port = account_for_servers(), _free_port()
    configuration = folder / "pgbouncer.ini"
    text = _CONFIGURATION.format(
        name=seeded.name,
        host=seeded.server.host,
        port=seeded.server.port,
        user=user,
        password=password,
        listen_port=port,
        pool_mode=pool_mode,
        ignored=ignored,
    )
    account.write_file(configuration, text)
    process = subprocess.Popen(
        [program, "--quiet", configuration],
        user=account.uid if account.switched else None,
        group=account.gid if account.switched else None,
        extra_groups=[] if account.switched else None,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"postgresql://{user}@127.0.0.1:{port}/{seeded.name}"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(url, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("pgbouncer did not start")


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

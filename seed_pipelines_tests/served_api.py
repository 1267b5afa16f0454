"""The API on a port of its own in this process: a real server, a real database, tokens of the test's own home."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey
from sealed_manifests import write_manifest
from small_manifests import SMALL

from seed_pipelines.api.app import create_app, service_for
from seed_pipelines.control import roles
from seed_pipelines.outside import token_key_file
from seed_pipelines.session import Installation
from seed_pipelines.settings import Settings

# Nobody listens there.
NOWHERE = "http://127.0.0.1:9"


def api_settings(seeded, folder, *, quota):
    """An installation with one small manifest, whose Dagster nobody answers for."""
    write_manifest(folder / "manifests", **SMALL)
    return Settings(
        home=folder / "home",
        manifests=folder / "manifests",
        database_url=seeded.loader_url,
        api_database_url=seeded.url(roles.API),
        dagster_url=NOWHERE,
        api_quota=quota,
    )


def headers_for(home, *, subject="somebody", roles=("developer",), tenant="acme", environment="dev"):
    """What a caller sends with every request."""
    token = token_key_file.token_of(home, subject=subject, roles=roles, issued_at=int(time.time()), seconds=600)
    return {"Authorization": f"Bearer {token}", "X-Tenant-ID": tenant, "X-Environment": environment}


def portal_headers(home, *, tenants=("acme",), tenant="acme", environment="dev"):
    """What the portal sends: as infra/access/policy.yaml knows it, its token names its tenants."""
    token_key_file.key_set_file(home)
    key = OKPKey.import_key((home / token_key_file.PRIVATE_KEY_NAME).read_bytes())
    claims = {
        "iss": token_key_file.ISSUER,
        "aud": token_key_file.AUDIENCE,
        "sub": "service-account-portal",
        "tenants": list(tenants),
        "exp": int(time.time()) + 600,
    }
    token = jwt.encode({"alg": "Ed25519", "kid": key.thumbprint()}, claims, key, algorithms=["Ed25519"])
    return {"Authorization": f"Bearer {token}", "X-Tenant-ID": tenant, "X-Environment": environment}


@contextmanager
def served_api(settings: Settings, **caller) -> Iterator[httpx.Client]:
    """Listening, with a client that is let in."""
    with (
        served(create_app(service_for(Installation.of(settings)))) as url,
        httpx.Client(base_url=url, headers=headers_for(settings.home, **caller), timeout=60) as client,
    ):
        yield client


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application by its address, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the API has ended"
            assert time.monotonic() < deadline, "the API does not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.service.stopping.set()
        server.should_exit = True
        thread.join(20)

"""An environment outside dev with its real parts (Vault, Object Lock, a collector, PostgreSQL), each behind a proxy
that can play its faults."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from factories import manifest_data
from faulty_proxy import FaultyProxy
from otlp_receiver import OtlpReceiver
from staging_worker import PATH

from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

pytest_plugins = ("radosgw", "openbao")

_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """The parts, what an operator would set to use them, and the database under it."""

    variables: dict = field(repr=False)
    bucket: str
    s3: object
    vault: object
    receiver: object
    proxies: dict
    seeded: object

    @property
    def installation(self):
        return Installation.of(from_environment(self.variables))

    def reports(self):
        """The bytes of every version of every report that is kept."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix="evidence/worm/seeds")
        found = [version for page in pages for version in page.get("Versions", ())]
        return [
            self.s3.get_object(Bucket=self.bucket, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
            for version in found
        ]

    def signing_key(self):
        keys = self.vault.client().secrets.transit.read_key("seed-report-staging")["data"]["keys"]
        return keys[max(keys, key=int)]["public_key"].encode()


@pytest.fixture(scope="session")
def staging_vault(vault_server):
    vault_server.make_mask_key("staging", "acme")
    vault_server.client().adapter.post("/v1/transit/keys/seed-report-staging", json={"type": "rsa-3072"})
    return vault_server


@pytest.fixture
def staging(tmp_path, seeded, staging_vault, object_server, monkeypatch):
    """A whole environment for one test; its settings are those of this process too, as clients read some themselves."""
    s3, bucket = object_server.client(), f"staging-{next(_numbers)}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 366}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    receiver = OtlpReceiver()
    ports = {"vault": staging_vault.port, "worm": object_server.port, "otlp": receiver.port}
    proxies = {name: FaultyProxy(port) for name, port in ports.items()}
    write_manifest(tmp_path / "manifests", open_manifest())
    variables = _variables(tmp_path, seeded, s3, proxies) | {
        "SEED_VAULT_TOKEN": staging_vault.settings().token,
        "SEED_WORM_URL": f"s3://{bucket}/evidence",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield Staging(
        variables=variables,
        bucket=bucket,
        s3=s3,
        vault=staging_vault,
        receiver=receiver,
        proxies=proxies,
        seeded=seeded,
    )
    for proxy in proxies.values():
        proxy.close()
    receiver.close()
    s3.close()


def _variables(tmp_path, seeded, s3, proxies):
    credentials = s3._request_signer._credentials
    return {
        "SEED_HOME": str(tmp_path / "home"),
        "SEED_MANIFESTS_DIR": str(tmp_path / "manifests"),
        "SEED_DATABASE_URL": seeded.loader_url,
        "SEED_VAULT_ADDR": proxies["vault"].address,
        "OTEL_EXPORTER_OTLP_ENDPOINT": proxies["otlp"].address,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
        "AWS_ENDPOINT_URL_S3": proxies["worm"].address,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "CI": "true",
    }


def open_manifest(**options):
    """A manifest whose window is open now."""
    now = datetime.now(UTC)
    data = manifest_data(**{"customers": 40, "mode": "dr", "environment": "staging", **options})
    data["window"] = {
        "start_utc": f"{now - timedelta(hours=1):%H:%M}",
        "end_utc": f"{now + timedelta(hours=2):%H:%M}",
    }
    data["backoff"] |= {"base_seconds": 1, "max_retries": 1}
    return data


def write_manifest(folder: Path, data):
    file = folder / PATH
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(sealed_text(as_yaml(data)))

"""An installation and its sessions: what every door opens before it calls flow.py, and closes after it.

Everything here refuses when in doubt: no database, no key, no write-once store or no telemetry means no session.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Self

from seed_pipelines.errors import (
    DatabaseNotConfigured,
    EnvironmentNotServed,
    SeedError,
    StoreNotWriteOnce,
    TelemetryUnavailable,
)
from seed_pipelines.evidence.signature import Signer
from seed_pipelines.evidence.signers import signer_of
from seed_pipelines.flow import Session
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.manifest.load import check_location, parse_manifest
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.outside.flags import assert_enabled
from seed_pipelines.outside.manifest_folder import ManifestFolder
from seed_pipelines.outside.postgres import connected
from seed_pipelines.outside.report_store import ReportStore, open_report_store
from seed_pipelines.outside.telemetry import Telemetry, open_telemetry
from seed_pipelines.outside.vault_session import SERVICE_ACCOUNT_TOKEN, VaultSettings
from seed_pipelines.plan import Plan, plan_of
from seed_pipelines.prices import STANDARD_PRICES
from seed_pipelines.settings import DEV, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Settings, and the things that they name."""

    settings: Settings
    folder: ManifestFolder

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings=settings, folder=ManifestFolder(settings.manifests))

    def manifest(self, path: str) -> Manifest:
        """One manifest, read once from inside the folder; raises ManifestRejected, or the folder's errors."""
        manifest = parse_manifest(self.folder.read(path), source=path)
        check_location(manifest, path)
        served = self.settings.environment
        if served is not None and manifest.metadata.environment != served:
            raise EnvironmentNotServed(manifest.metadata.environment, served=served)
        return manifest

    def plan(self, manifest: Manifest) -> Plan:
        """The manifest's plan, at this installation's prices."""
        settings = self.settings
        given = {
            "million_rows_micro_brl": settings.price_million_rows,
            "gib_month_micro_brl": settings.price_gib_month,
            "worker_hour_micro_brl": settings.price_worker_hour,
        }
        prices = replace(STANDARD_PRICES, **{name: price for name, price in given.items() if price is not None})
        return plan_of(manifest, counters=COUNTERS, prices=prices)

    def database_url(self) -> str:
        """The loader's connection; raises DatabaseNotConfigured."""
        if self.settings.database_url:
            return self.settings.database_url
        local = LocalDatabase(self.settings.home)
        if not local.is_running():
            raise DatabaseNotConfigured(self.settings.environment or DEV)
        return local.loader_url()

    def report_store(self, environment: str) -> ReportStore:
        """Where reports of an environment go; raises StoreNotWriteOnce where that would not lock them."""
        url = self.settings.report_store_url
        if environment != DEV and not url.startswith("s3://"):
            raise StoreNotWriteOnce(environment, url=url)
        return open_report_store(url)

    def signer(self, environment: str) -> Signer:
        """Who signs the reports of an environment: Vault, or in dev the key of this machine."""
        return signer_of(environment, vault=self.vault(), home=self.settings.home)

    def vault(self) -> VaultSettings | None:
        """How to reach Vault, or None where none is configured."""
        settings = self.settings
        if settings.vault_addr is None:
            return None
        return VaultSettings(
            addr=settings.vault_addr,
            token=settings.vault_token,
            role_id=settings.vault_role_id,
            secret_id=settings.vault_secret_id,
            kubernetes_role=settings.vault_kubernetes_role,
            jwt_file=settings.vault_jwt_file or SERVICE_ACCOUNT_TOKEN,
            namespace=settings.vault_namespace,
            ca_file=settings.vault_ca_file,
            key_version=settings.vault_key_version,
        )


@contextmanager
def opened(installation: Installation, manifest: Manifest, *, worker: str) -> Iterator[Session]:
    """A session for one step, after everything that it needs has been tried: flag, store, key, database, telemetry."""
    settings, metadata = installation.settings, manifest.metadata
    flag = assert_enabled(
        settings.flags_file, environment=metadata.environment, tenant=metadata.tenant, mode=manifest.mode.value
    )
    installation.report_store(metadata.environment).preflight()
    keys = mask_keys(
        metadata.environment,
        metadata.tenant,
        vault=installation.vault(),
        env_local=settings.env_local,
        ci=settings.is_ci,
    )
    with keys, connected(installation.database_url()) as connection:
        telemetry = _proven_telemetry(installation, manifest)
        try:
            yield Session(
                connection=connection,
                keys=keys,
                telemetry=telemetry,
                worker=worker,
                lease_seconds=settings.lease_seconds,
                flags=flag.as_flags(),
            )
        except BaseException:
            # What was seen until here still goes out; the error that ended the step is the one to report.
            telemetry.finish()
            raise


def telemetry_for(installation: Installation, manifest: Manifest) -> Telemetry:
    """Telemetry that says which manifest it is about; nothing has been sent yet."""
    settings, metadata = installation.settings, manifest.metadata
    return open_telemetry(
        about={"tenant_id": metadata.tenant, "manifest_version": metadata.version, "mode": manifest.mode.value},
        environment=metadata.environment,
        home=settings.home,
        otlp_endpoint=settings.otlp_endpoint,
    )


def _proven_telemetry(installation: Installation, manifest: Manifest) -> Telemetry:
    """Telemetry whose first span has arrived."""
    telemetry = telemetry_for(installation, manifest)
    try:
        telemetry.preflight()
    except BaseException:
        # Who takes no first span takes no other: nobody has to wait for it twice.
        telemetry.finish(0.0)
        raise
    return telemetry


def say_rejected(installation: Installation, *, environment: str, tenant: str, error: SeedError) -> None:
    """Tell telemetry of a manifest that was turned away; where it cannot be told, the refusal says it alone."""
    with suppress(TelemetryUnavailable), _telling(installation, environment, tenant=tenant) as telemetry:
        telemetry.metrics.manifest_rejected(error_code=error.code)
        with telemetry.span("seed.manifest.validate", error_code=error.code):
            pass


def say_overdue(installation: Installation, *, environment: str, reports: int) -> None:
    """Tell telemetry how many reports of an environment are late; where it cannot be told, the log says it alone."""
    with suppress(TelemetryUnavailable), _telling(installation, environment) as telemetry:
        telemetry.metrics.reports_overdue(reports)


@contextmanager
def _telling(installation: Installation, environment: str, *, tenant: str | None = None) -> Iterator[Telemetry]:
    """Telemetry for something that is said outside of a seed run; whether it arrives decides nothing."""
    settings = installation.settings
    telemetry = open_telemetry(
        about={"tenant_id": tenant},
        environment=environment,
        home=settings.home,
        otlp_endpoint=settings.otlp_endpoint,
    )
    try:
        yield telemetry
    finally:
        telemetry.finish()

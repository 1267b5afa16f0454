"""An installation and its sessions: what every door opens before it calls flow.py, and closes after it.

Everything here refuses when in doubt: no database, no key, no write-once store or no telemetry means no session.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Self
from uuid import UUID

from seed_pipelines.control import migrations, roles
from seed_pipelines.control.data_keys import data_key_of
from seed_pipelines.control.endings import Ending, measure
from seed_pipelines.errors import (
    DatabaseNotConfigured,
    EnvironmentNotServed,
    LendingServiceNotReady,
    LendingServiceRefused,
    LendingServiceUnavailable,
    SeedError,
    StoreNotWriteOnce,
    TelemetryUnavailable,
)
from seed_pipelines.evidence.signature import Signer
from seed_pipelines.evidence.signers import assert_can_sign, signer_of
from seed_pipelines.flow import Session
from seed_pipelines.generate.feasible import assert_feasible
from seed_pipelines.generate.oracle import OURS, Oracle
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.load.checks import CheckResult
from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.manifest.load import check_location, parse_manifest
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.mapping.load import parse_mapping
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.mask.domains import assert_large_enough, smallest_domains
from seed_pipelines.mask.keys import FieldKeys, mask_keys
from seed_pipelines.outside.error_reports import errors_told
from seed_pipelines.outside.flags import FlagWatch
from seed_pipelines.outside.lending_service import LendingService, server_of
from seed_pipelines.outside.manifest_folder import ManifestFolder
from seed_pipelines.outside.mapping_file import mapping_content
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.outside.report_store import ReportStore, open_report_store
from seed_pipelines.outside.telemetry import Telemetry, open_telemetry
from seed_pipelines.outside.vault_session import SERVICE_ACCOUNT_TOKEN, VaultSettings
from seed_pipelines.plan import Plan, Publisher, plan_of
from seed_pipelines.prices import STANDARD_PRICES
from seed_pipelines.settings import DEV, Settings

# Nothing waits for what is said outside of a step, but for this long; a worker that is told to stop has little time.
_TELLING_SECONDS = 5.0

_SIGNING = "signing-key"
# Each was tried, and raised nothing, before a session is there.
_PROVEN = tuple(
    CheckResult(check=name, ok=True, detail=promise)
    for name, promise in {
        "report-store": "the report store took an object",
        _SIGNING: "the key that signs reports signed",
        "masking-key": "the masking key was used at its pinned version",
        "telemetry": "a span arrived",
    }.items()
)


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
        """The manifest's plan, at this installation's prices; raises BadInput where it cannot be, or not be masked."""
        settings = self.settings
        given = {
            "million_rows_micro_brl": settings.price_million_rows,
            "gib_month_micro_brl": settings.price_gib_month,
            "worker_hour_micro_brl": settings.price_worker_hour,
        }
        prices = replace(STANDARD_PRICES, **{name: price for name, price in given.items() if price is not None})
        plan = replace(plan_of(manifest, counters=COUNTERS, prices=prices), canary_required=settings.canary_required)
        assert_large_enough(plan.rows, smallest_domains())
        assert_feasible(plan.rows, as_of=manifest.metadata.reference_datetime.date())
        mapping = self.mapping()
        return plan if mapping is None else mapped(plan, mapping)

    def mapping(self) -> SchemaMapping | None:
        """The mapping of the application's schema that this installation fills; None where it fills `app`.

        Raises MappingNotFound or MappingRejected.
        """
        path = self.settings.target_mapping
        return None if path is None else parse_mapping(mapping_content(path), source=str(path))

    def database_url(self) -> str:
        """The loader's connection; raises DatabaseNotConfigured."""
        if self.settings.database_url:
            return self.settings.database_url
        local = LocalDatabase(self.settings.home)
        if not local.is_running():
            raise DatabaseNotConfigured(self.settings.environment or DEV)
        return local.loader_url()

    def api_database_url(self) -> str:
        """The API's own connection, of a role that sees one tenant at a time; raises DatabaseNotConfigured."""
        settings = self.settings
        if settings.api_database_url:
            return settings.api_database_url
        local = LocalDatabase(settings.home)
        if not local.is_running() or settings.database_url not in (None, local.loader_url()):
            raise DatabaseNotConfigured(settings.environment or DEV, variable="SEED_API_DATABASE_URL")
        return local.url(roles.API)

    def report_store(self, environment: str) -> ReportStore:
        """Where reports of an environment go; raises StoreNotWriteOnce where that would not lock them."""
        url = self.settings.report_store_url
        if environment != DEV and not url.startswith("s3://"):
            raise StoreNotWriteOnce(environment, url=url)
        return open_report_store(url)

    def signer(self, environment: str) -> Signer:
        """Who signs the reports of an environment: Vault, or in dev the key of this machine."""
        return signer_of(environment, vault=self.vault(), home=self.settings.home)

    def assert_can_sign(self, environment: str) -> None:
        """Whether the reports of an environment can be signed; raises what keeps them from it."""
        assert_can_sign(environment, vault=self.vault())

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


def mapped(plan: Plan, mapping: SchemaMapping) -> Plan:
    """The plan of the same rows for an application's tables; raises EntityNotMapped or TenantNotMapped."""
    metadata = plan.manifest.metadata
    mapping.stored(tuple(plan.rows))
    mapping.tenant_value(metadata.environment, metadata.tenant, tenant_id=UUID(bytes=plan.tenant_id))
    return replace(plan, mapping=mapping, publisher=Publisher.INSERT)


@contextmanager
def opened(installation: Installation, manifest: Manifest, *, worker: str) -> Iterator[Session]:
    """A session for one step, after everything that it needs has been tried: flag, store, keys, database, telemetry."""
    settings, environment = installation.settings, manifest.metadata.environment
    with errors_told(settings.sentry_dsn, environment=environment) as about:
        flag = FlagWatch(
            settings.flags_file, environment=environment, tenant=manifest.metadata.tenant, mode=manifest.mode.value
        )
        flags = {**flag.assert_enabled().as_flags(), "lending_oracle": lending_oracle_name(settings)}
        installation.report_store(environment).preflight()
        installation.assert_can_sign(environment)
        with (
            connected(installation.database_url()) as connection,
            oracle_of(settings) as oracle,
            keys_of(installation, manifest.metadata.tenant, connection, environment=environment) as keys,
        ):
            telemetry = _proven_telemetry(installation, manifest)
            try:
                yield Session(
                    connection=connection,
                    keys=keys,
                    telemetry=telemetry,
                    worker=worker,
                    lease_seconds=settings.lease_seconds,
                    assert_enabled=flag.assert_enabled,
                    oracle=oracle,
                    # In dev without Vault, nobody can refuse to sign, and nobody was asked.
                    proven=tuple(held for held in _PROVEN if held.check != _SIGNING or installation.vault()),
                    flags=flags,
                )
            except BaseException:
                # What was seen until here still goes out; the error that ended the step is the one to report.
                about.update(telemetry.facts)
                telemetry.finish()
                raise


def keys_of(installation: Installation, tenant: str, connection: Connection, *, environment: str) -> FieldKeys:
    """The keys of a tenant, its data key among them; raises what mask_keys and data_key_of raise."""
    settings, vault = installation.settings, installation.vault()
    if vault is not None:
        # Without its table a data key could not be kept, and the reason would not be seen.
        migrations.assert_applied(connection)
    return mask_keys(
        environment,
        tenant,
        vault=vault,
        env_local=settings.env_local,
        ci=settings.is_ci,
        data_key_of=partial(data_key_of, connection, environment=environment, tenant=tenant),
    )


@contextmanager
def oracle_of(settings: Settings) -> Iterator[Oracle]:
    """Whose calculation the batches are compared with; raises LendingServiceNotReady."""
    ours = replace(OURS, loans_per_batch=settings.lending_oracle_loans or OURS.loans_per_batch)
    if settings.lending_oracle_url is None:
        yield ours
        return
    with LendingService(settings.lending_oracle_url) as service:
        try:
            service.assert_ready()
        except (LendingServiceUnavailable, LendingServiceRefused) as error:
            raise LendingServiceNotReady(error.address, why=error.why) from error
        yield replace(ours, official=service)


def lending_oracle_name(settings: Settings) -> str:
    """What a report says about it: this package's own, or where the service is."""
    return "own" if settings.lending_oracle_url is None else server_of(settings.lending_oracle_url)


def telemetry_for(installation: Installation, manifest: Manifest) -> Telemetry:
    """Telemetry that says which manifest it is about; nothing has been sent yet."""
    settings, metadata = installation.settings, manifest.metadata
    return open_telemetry(
        about={
            "tenant_id": metadata.tenant,
            "manifest_version": metadata.version,
            "profile_version": f"{metadata.profile}@{metadata.version}",
            "mode": manifest.mode.value,
            "dry_run": False,
        },
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


def say_ended(installation: Installation, ending: Ending) -> None:
    """Tell telemetry how a seed run came to a stop, where no step of its own can."""
    with suppress(TelemetryUnavailable), _telling(installation, ending.environment, tenant=ending.tenant) as telemetry:
        measure(telemetry.metrics, ending)


def say_report_errors(installation: Installation, errors: Iterable[tuple[str, SeedError]]) -> None:
    """Tell telemetry, by environment, which errors kept reports from being written."""
    found = sorted((environment, error.code) for environment, error in errors)
    for environment, codes in groupby(found, key=itemgetter(0)):
        with suppress(TelemetryUnavailable), _telling(installation, environment) as telemetry:
            for _, code in codes:
                telemetry.metrics.report_failed(error_code=code)


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
        telemetry.finish(_TELLING_SECONDS)

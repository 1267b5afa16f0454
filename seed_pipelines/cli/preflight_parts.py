"""What `seed-data preflight` looks at: everything that a seed run would have to find in order, tried one by one.

A part that fails does not keep the others from being tried. Nothing is written to the database; the report store and
the telemetry receive what their own preflight sends.
"""

from collections.abc import Callable, Iterator

from seed_pipelines.control import data_keys, runs
from seed_pipelines.control.admission import assert_admitted
from seed_pipelines.errors import OutsideWindow, SeedError
from seed_pipelines.load import preflight
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.load.mapped_checks import MAPPED_CHECKS
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.outside.flags import assert_enabled
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.outside.telemetry import require_complete
from seed_pipelines.outside.vault import Vault
from seed_pipelines.plan import Plan
from seed_pipelines.session import Installation, telemetry_for

FLAG = Check(
    name="feature-flag",
    promise="no feature flag stops this environment, tenant or mode",
    why="a seed run that somebody has switched off must not begin",
    remedy="Ask whoever switched it off, or correct the file that SEED_FLAGS_FILE names.",
)
REPORT_STORE = Check(
    name="report-store",
    promise="the report store takes a report and locks it",
    why="a seed run whose evidence cannot be kept must not begin",
    remedy="Correct SEED_WORM_URL, the bucket's Object Lock or its default retention.",
)
MASKING_KEY = Check(
    name="masking-key",
    promise="the masking key of the tenant and environment can be used at its pinned version",
    why="without the key nothing may be written, since nothing is written unmasked",
    remedy="Correct the Vault settings, or make the tenant's key; in dev, look at .env.local.",
)
SIGNING_KEY = Check(
    name="signing-key",
    promise="the key that signs reports is protected, and signs",
    why="a seed run whose report cannot be signed has no evidence, and must not begin",
    remedy="Make the environment's signing key in Vault, and let the worker's policy use it (infra/vault).",
)
DATA_KEY = Check(
    name="data-key",
    promise="the key that encrypts the tenant's columns at rest opens, or can be made",
    why="what cannot be encrypted at rest may not be written, and what is there must stay readable",
    remedy="Make the tenant's wrapping key in Vault, and let the worker's policy use it (infra/vault).",
)
TELEMETRY = Check(
    name="telemetry",
    promise="a span arrives where spans go",
    why="a seed run that nobody can follow must not begin",
    remedy="Correct OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or start the collector.",
)
DATABASE = Check(
    name="database",
    promise="the database answers",
    why="everything else about the database is asked of it",
    remedy="Correct SEED_DATABASE_URL, or start the server.",
)
ADMISSION = Check(
    name="admission",
    promise="the manifest may follow what is published, and its canary is not missing",
    why="readers must not be given an older dataset, nor a wide one whose canary failed",
    remedy="Raise the manifest's version, or publish its canary first.",
)
WINDOW = Check(
    name="window",
    promise="the manifest's window is open, by the database's clock",
    why="outside its window a seed run is refused",
    remedy="Wait for the opening, or start the run with --wait-for-window.",
)

CHECKS = (
    *(FLAG, REPORT_STORE, SIGNING_KEY, MASKING_KEY, TELEMETRY, DATABASE),
    *(*preflight.CHECKS, *MAPPED_CHECKS, DATA_KEY, ADMISSION, WINDOW),
)


def examine(installation: Installation, plan: Plan) -> Iterator[CheckResult]:
    """Every part, in the order in which a seed run meets them."""
    manifest = plan.manifest
    yield tried(FLAG, lambda: _assert_flag(installation, manifest))
    yield tried(REPORT_STORE, lambda: installation.report_store(manifest.metadata.environment).preflight())
    yield tried(SIGNING_KEY, lambda: installation.assert_can_sign(manifest.metadata.environment))
    yield tried(MASKING_KEY, lambda: _use_key(installation, manifest))
    yield tried(TELEMETRY, lambda: _send_span(installation, manifest))
    yield from _of_database(installation, plan)


def _of_database(installation: Installation, plan: Plan) -> tuple[CheckResult, ...]:
    try:
        with connected(installation.database_url(), application="seed-data") as connection:
            return (
                DATABASE.result(()),
                *preflight.examine(connection, tuple(plan.rows), mapping=plan.mapping),
                tried(DATA_KEY, lambda: _use_data_key(installation, connection, plan.manifest)),
                tried(ADMISSION, lambda: assert_admitted(connection, plan)),
                tried(WINDOW, lambda: _assert_window(connection, plan.manifest)),
            )
    except SeedError as error:
        return (DATABASE.result([str(error)]),)


def tried(check: Check, attempt: Callable[[], None]) -> CheckResult:
    """What came of trying something; an error of ours speaks against it."""
    try:
        attempt()
    except SeedError as error:
        return check.result([str(error)])
    return check.result(())


def _assert_flag(installation: Installation, manifest: Manifest) -> None:
    metadata, file = manifest.metadata, installation.settings.flags_file
    assert_enabled(file, environment=metadata.environment, tenant=metadata.tenant, mode=manifest.mode.value)


def _use_key(installation: Installation, manifest: Manifest) -> None:
    metadata, settings = manifest.metadata, installation.settings
    with mask_keys(
        metadata.environment,
        metadata.tenant,
        vault=installation.vault(),
        env_local=settings.env_local,
        ci=settings.is_ci,
    ):
        pass


def _use_data_key(installation: Installation, connection: Connection, manifest: Manifest) -> None:
    settings = installation.vault()
    if settings is None:
        # In dev what encrypts at rest is derived, like every other key.
        return
    metadata = manifest.metadata
    with Vault(settings) as vault:
        data_keys.check(connection, vault, environment=metadata.environment, tenant=metadata.tenant)


def _send_span(installation: Installation, manifest: Manifest) -> None:
    telemetry = telemetry_for(installation, manifest)
    try:
        telemetry.preflight()
    finally:
        state = telemetry.finish()
    require_complete(state)


def _assert_window(connection: Connection, manifest: Manifest) -> None:
    window, now = manifest.window, runs.database_now(connection)
    if not window.is_open(now):
        raise OutsideWindow(str(window), now=now, opens=window.next_opening(now))

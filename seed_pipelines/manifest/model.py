"""The manifest as the other rooms hold it: frozen, typed, complete.

The model says what the JSON Schema says, once more and independently; a property test holds the two together. It is
made by load.py out of strict YAML, so it never converts: text is text, an integer is an integer. It does not check
the hash, which belongs to a text and not to values.
"""

from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    model_validator,
)

from seed_pipelines.catalog import ENTITY_NAMES, STATES
from seed_pipelines.manifest.rules import broken_rules
from seed_pipelines.manifest.semver import SemVer
from seed_pipelines.manifest.window import Window

SUPPORTED_SCHEMA_MAJOR = 1
MAX_CAP = 10_000_000_000
_MICRO = 10**6


class Mode(StrEnum):
    """What the data are for."""

    # Everyday tests: small and always there.
    BASELINE = "baseline"
    # Load tests: large, with states other than the happy one.
    CARGA = "carga"
    # Recovery drills: measures RPO and RTO.
    DR = "dr"
    # A first try on a share of the data or on some tenants.
    CANARY = "canary"


def _semver(text: str) -> str:
    # VersionNotSemVer is no ValueError, which is all that pydantic reports.
    if SemVer.find(text) is None:
        raise ValueError("not SemVer")
    return text


def _schema_version(text: str) -> str:
    found = SemVer.find(text)
    if found is None or found.prerelease or found.major != SUPPORTED_SCHEMA_MAJOR:
        raise ValueError("not a version of this contract")
    return text


def _moment(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) != len("2026-11-02T00:00:00Z") or not value.isascii():
        raise ValueError("not a moment in UTC")
    moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if not 2000 <= moment.year <= 2099:
        raise ValueError("outside 2000 to 2099")
    return moment


def _integer(value: Any) -> Any:
    """50.0 is the integer 50, as in JSON Schema."""
    whole = isinstance(value, Decimal) and abs(value) < 10**15 and value == value.to_integral_value()
    return int(value) if whole else value


def _decimal(value: Any) -> Any:
    return Decimal(value) if type(value) is int else value


def _known_entity(name: str) -> str:
    if name not in ENTITY_NAMES:
        raise ValueError("unknown entity")
    return name


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Salt = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Version = Annotated[str, AfterValidator(_semver)]
SchemaVersion = Annotated[str, AfterValidator(_schema_version)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Moment = Annotated[InstanceOf[datetime], BeforeValidator(_moment)]
Integer = Annotated[int, BeforeValidator(_integer)]
Number = Annotated[Decimal, BeforeValidator(_decimal)]
Percent = Annotated[Number, Field(ge=0, le=100)]
Seconds = Annotated[Integer, Field(ge=1, le=86_400)]
Milliseconds = Annotated[Integer, Field(ge=1, le=3_600_000)]
Days = Annotated[Integer, Field(ge=0, le=3_650)]
Cap = Annotated[Integer, Field(ge=1, le=MAX_CAP)]
Batches = Annotated[Integer, Field(ge=1, le=1_000_000)]
Entity = Annotated[str, AfterValidator(_known_entity)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_null(cls, data: Any) -> Any:
        # A field may be left out; one that is there has a value.
        if isinstance(data, dict) and None in data.values():
            raise ValueError("null")
        return data


class Metadata(_Section):
    """Whose data, and which."""

    tenant: Slug
    environment: Slug
    profile: Name
    version: Version
    schema_version: SchemaVersion
    salt_version: Salt
    reference_datetime: Moment


class _WindowTimes(_Section):
    start_utc: TimeOfDay
    end_utc: TimeOfDay


def _window(value: Any) -> Window:
    times = _WindowTimes.model_validate(value)
    if times.start_utc == times.end_utc:
        raise ValueError("never open")
    return Window(start=time.fromisoformat(times.start_utc), end=time.fromisoformat(times.end_utc))


class Volume(_Section):
    """How many records of one entity: `target_pct` of `cap`, with these shares in states other than the happy one."""

    cap: Cap
    target_pct: Percent | None = None
    states: Annotated[dict[str, Percent], Field(min_length=1)] | None = None


class RateLimit(_Section):
    """How many write batches in how long, and how many at once."""

    limit: Batches
    window_seconds: Seconds
    burst: Batches | None = None


class Backoff(_Section):
    """How a batch that failed for a passing reason is tried again."""

    base_seconds: Seconds
    jitter_factor: Annotated[Number, Field(ge=0, le=1)]
    max_retries: Annotated[Integer, Field(ge=0, le=100)]
    max_interval_seconds: Seconds


class Budget(_Section):
    """What a run may cost."""

    cost_cap_brl: Annotated[Number, Field(ge=0, le=1_000_000_000)]
    error_budget_pct: Percent

    @property
    def cost_cap_micro_brl(self) -> int:
        """The cap in millionths of a real, exactly."""
        return int(self.cost_cap_brl * _MICRO)


class Slo(_Section):
    """What the run is measured against."""

    p95_target_ms: Milliseconds
    p99_target_ms: Milliseconds
    throughput_target_rps: Annotated[Number, Field(ge=Decimal("0.1"), le=1_000_000_000)]


class Ttl(_Section):
    """How long datasets are kept, by mode."""

    baseline_days: Days
    carga_days: Days
    dr_days: Days


class Canary(_Section):
    """Either a share of every entity or the tenants that the canary is for."""

    percentage: Annotated[Number, Field(gt=0, le=100)] | None = None
    tenants: Annotated[tuple[Slug, ...], Field(strict=False, min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.percentage is None) == (self.tenants is None):
            raise ValueError("percentage or tenants")
        if self.tenants and len(set(self.tenants)) < len(self.tenants):
            raise ValueError("repeated tenant")
        return self


class Integrity(_Section):
    """The seal."""

    manifest_hash: Sha256
    schema_version: SchemaVersion


class Manifest(_Section):
    """One tenant's wish in one environment. Made by `load.parse_manifest`, which also reports what is wrong."""

    metadata: Metadata
    mode: Annotated[Mode, Field(strict=False)]
    window: Annotated[InstanceOf[Window], BeforeValidator(_window)]
    volumetry: Annotated[dict[Entity, Volume], Field(min_length=1)]
    rate_limit: RateLimit
    backoff: Backoff
    budget: Budget
    slo: Slo
    ttl: Ttl
    integrity: Integrity
    canary: Canary | None = None
    caps_override: Annotated[dict[Entity, Cap], Field(min_length=1)] | None = None

    @property
    def manifest_hash(self) -> str:
        return self.integrity.manifest_hash

    @model_validator(mode="before")
    @classmethod
    def _rules_hold(cls, data: Any) -> Any:
        if broken := broken_rules(data):
            raise ValueError(broken[0].message)
        return data

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        if (self.canary is not None) != (self.mode is Mode.CANARY):
            raise ValueError("canary belongs to mode canary")
        if self.caps_override is not None and self.metadata.environment != "dev":
            raise ValueError("caps_override belongs to environment dev")
        return self

    @model_validator(mode="after")
    def _states_fit(self) -> Self:
        for entity, volume in self.volumetry.items():
            if volume.states is None:
                continue
            if self.mode not in (Mode.CARGA, Mode.DR) or set(volume.states) - set(STATES.get(entity, ())):
                raise ValueError("states that cannot be here")
        return self

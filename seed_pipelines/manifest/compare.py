"""What replacing one manifest by another means for the people who use the data.

Any change of what decides values or rows needs a reseed. It is breaking if rows or values that somebody may rely on
change or go; a change that only adds rows is not. Rows and cost come from the plan, which this room does not know:
the caller measures both manifests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from seed_pipelines.errors import ManifestGoesBackwards
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.manifest.semver import SemVer

# What decides every value of a dataset.
_DECIDING_FIELDS = ("version", "salt_version", "reference_datetime")
_OWN_SECTIONS = ("window", "rate_limit", "backoff", "budget", "slo", "ttl", "canary")
_LABELS = ("profile", "schema_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one manifest comes to."""

    rows: Mapping[str, int]
    cost_micro_brl: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestChange:
    """From an old manifest to a new one. `problems` say why the new one would be refused as its successor."""

    rows_added: Mapping[str, int]
    rows_removed: Mapping[str, int]
    breaking: bool
    reseed_needed: bool
    reasons: tuple[str, ...]
    problems: tuple[str, ...]
    cost_before_micro_brl: int | None = None
    cost_after_micro_brl: int | None = None


@dataclass(slots=True, kw_only=True)
class _Findings:
    breaking: list[str] = field(default_factory=list)
    reseeding: list[str] = field(default_factory=list)
    harmless: list[str] = field(default_factory=list)


def compare(old: Manifest, new: Manifest, *, before: Measured, after: Measured) -> ManifestChange:
    """What the step from `old` to `new` means."""
    added, removed = _difference(before.rows, after.rows), _difference(after.rows, before.rows)
    findings = _Findings()
    findings.breaking += [*_value_changes(old, new), *_row_changes(removed, "loses")]
    findings.breaking += _state_changes(old, new)
    findings.reseeding += _row_changes(added, "gains")
    findings.harmless += _own_changes(old, new)
    return ManifestChange(
        rows_added=added,
        rows_removed=removed,
        breaking=bool(findings.breaking),
        reseed_needed=bool(findings.breaking or findings.reseeding),
        reasons=(*findings.breaking, *findings.reseeding, *findings.harmless),
        problems=tuple(_problems(old, new)),
        cost_before_micro_brl=before.cost_micro_brl,
        cost_after_micro_brl=after.cost_micro_brl,
    )


def refuse_regression(published_version: str, published_reference: datetime, new: Manifest) -> None:
    """Raises ManifestGoesBackwards where the new manifest cannot follow the last published dataset."""
    version = new.metadata.version
    if SemVer.parse(version) < SemVer.parse(published_version):
        raise ManifestGoesBackwards(
            version,
            published=published_version,
            why="the version goes backwards",
            what_to_do=f"Set metadata.version to {published_version} or later and seal again.",
        )
    reference = new.metadata.reference_datetime
    if version == published_version and reference != published_reference:
        raise ManifestGoesBackwards(
            version,
            published=published_version,
            why=f"reference_datetime changed from {_moment(published_reference)} to {_moment(reference)} "
            "without a new version",
            what_to_do="Raise metadata.version and seal again.",
        )


def _problems(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = old.metadata, new.metadata
    if (was.environment, was.tenant) != (now.environment, now.tenant):
        yield (
            f"these are manifests of {was.environment}/{was.tenant} and {now.environment}/{now.tenant}: "
            "neither replaces the other."
        )
        return
    try:
        refuse_regression(was.version, was.reference_datetime, new)
    except ManifestGoesBackwards as refusal:
        yield str(refusal)


def _value_changes(old: Manifest, new: Manifest) -> Iterator[str]:
    for name in _DECIDING_FIELDS:
        was, now = getattr(old.metadata, name), getattr(new.metadata, name)
        if was != now:
            yield f"metadata.{name} changes from {_told(was)} to {_told(now)}: every value changes"
    if old.mode is not new.mode:
        yield f"mode changes from {old.mode} to {new.mode}: another dataset; the old one stays until it expires"


def _row_changes(rows: Mapping[str, int], verb: str) -> list[str]:
    return [f"{entity} {verb} {count} rows" for entity, count in rows.items()]


def _state_changes(old: Manifest, new: Manifest) -> Iterator[str]:
    for entity, volume in new.volumetry.items():
        if entity in old.volumetry and (volume.states or {}) != (old.volumetry[entity].states or {}):
            yield f"volumetry.{entity}.states changes: rows change their state"


def _own_changes(old: Manifest, new: Manifest) -> Iterator[str]:
    """Changes of how the run behaves, which leave every row as it is."""
    for label in _LABELS:
        was, now = getattr(old.metadata, label), getattr(new.metadata, label)
        if was != now:
            yield f"metadata.{label} changes from {was} to {now}: a name only"
    for section in _OWN_SECTIONS:
        if getattr(old, section) != getattr(new, section):
            yield f"{section} changes: no row does"


def _difference(smaller: Mapping[str, int], larger: Mapping[str, int]) -> dict[str, int]:
    """By entity, how many more rows `larger` has, where it has more."""
    return {entity: rows - smaller.get(entity, 0) for entity, rows in larger.items() if rows > smaller.get(entity, 0)}


def _told(value: object) -> str:
    return _moment(value) if isinstance(value, datetime) else str(value)


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

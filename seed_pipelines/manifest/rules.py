"""The rules that compare one field of a manifest with another, which JSON Schema cannot say.

The schema names them in its `$comment`; the schema check and the model both ask `broken_rules`, so they agree.
A rule looks at plain data of any shape and is silent where its fields are missing or of another type: that is the
schema's to report.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from seed_pipelines import catalog
from seed_pipelines.manifest.problems import Fault, did_you_mean, dotted, listed, shown

MONEY_DECIMALS = 2


def broken_rules(data: object) -> tuple[Fault, ...]:
    """Every rule that the data breaks."""
    return tuple(fault for rule in RULES.values() for fault in rule(data))


def _window_opens(data: object) -> Iterator[Fault]:
    start, end = _text(data, "window", "start_utc"), _text(data, "window", "end_utc")
    if start is not None and start == end:
        yield Fault(
            path=("window", "end_utc"),
            rule="window-opens",
            message=f"window.end_utc {shown(end)} equals window.start_utc: the window is never open. "
            "Set another time; for almost the whole day, end one minute before the start.",
            value=end,
        )


def _not_below(rule: str, *, field: tuple[str, str], floor: tuple[str, str]) -> Callable[[object], Iterator[Fault]]:
    def check(data: object) -> Iterator[Fault]:
        value, least = _number(data, *field), _number(data, *floor)
        if value is not None and least is not None and value < least:
            yield Fault(
                path=field,
                rule=rule,
                message=f"{dotted(field)} {shown(value)} is below {dotted(floor)} {shown(least)}. "
                f"Set it to {shown(least)} or more.",
                value=shown(value),
            )

    return check


def _whole_cents(data: object) -> Iterator[Fault]:
    cost = _number(data, "budget", "cost_cap_brl")
    # `multipleOf` would say it, but readers that hold 0.01 as a double refuse good amounts.
    cents = Decimal(0) if cost is None else Decimal(cost).scaleb(MONEY_DECIMALS)
    if cents != cents.to_integral_value():
        yield Fault(
            path=("budget", "cost_cap_brl"),
            rule="whole-cents",
            message=f"budget.cost_cap_brl {shown(cost)} has parts of a cent. Write at most 2 decimals.",
            value=shown(cost),
        )


def _states_within_100(data: object) -> Iterator[Fault]:
    for entity, volume in _mapping(data, "volumetry").items():
        states = _mapping(volume, "states")
        percents = [_number(states, state) for state in states]
        total = sum((percent for percent in percents if percent is not None), Decimal(0))
        if total > 100:
            yield Fault(
                path=("volumetry", entity, "states"),
                rule="states-within-100",
                message=f"the states of {shown(entity)} add up to {shown(total)} percent. "
                "Keep them at 100 or less; the rest is the happy path.",
                value=shown(total),
                on_key=True,
            )


def _parents_present(data: object) -> Iterator[Fault]:
    volumetry = _mapping(data, "volumetry")
    for entity in volumetry:
        known = catalog.ENTITIES.get(entity)
        for parent in known.parents if known else ():
            if parent.required and parent.entity not in volumetry:
                yield Fault(
                    path=("volumetry", entity),
                    rule="parents-present",
                    message=f"volumetry has {entity} but not {parent.entity}, which its rows refer to. "
                    f"Add volumetry.{parent.entity}.",
                    on_key=True,
                )


def _overrides_planned(data: object) -> Iterator[Fault]:
    volumetry = _mapping(data, "volumetry")
    for entity in _mapping(data, "caps_override"):
        if volumetry and entity in catalog.ENTITY_NAMES and entity not in volumetry:
            yield Fault(
                path=("caps_override", entity),
                rule="overrides-planned",
                message=f"caps_override has {entity}, which volumetry has not.{did_you_mean(entity, known=volumetry)} "
                f"Entities in volumetry: {listed(sorted(map(shown, volumetry)))}.",
                allowed=tuple(sorted(volumetry)),
                on_key=True,
            )


def _schema_version_agrees(data: object) -> Iterator[Fault]:
    stated, sealed = _text(data, "metadata", "schema_version"), _text(data, "integrity", "schema_version")
    if stated is not None and sealed is not None and stated != sealed:
        yield Fault(
            path=("integrity", "schema_version"),
            rule="schema-version-agrees",
            message=f"integrity.schema_version {shown(sealed)} is not metadata.schema_version {shown(stated)}. "
            "Write the same in both.",
            value=sealed,
            allowed=(stated,),
        )


RULES: Mapping[str, Callable[[object], Iterator[Fault]]] = MappingProxyType(
    {
        "window-opens": _window_opens,
        "p99-not-below-p95": _not_below(
            "p99-not-below-p95", field=("slo", "p99_target_ms"), floor=("slo", "p95_target_ms")
        ),
        "burst-not-below-limit": _not_below(
            "burst-not-below-limit", field=("rate_limit", "burst"), floor=("rate_limit", "limit")
        ),
        "max-interval-not-below-base": _not_below(
            "max-interval-not-below-base",
            field=("backoff", "max_interval_seconds"),
            floor=("backoff", "base_seconds"),
        ),
        "whole-cents": _whole_cents,
        "states-within-100": _states_within_100,
        "parents-present": _parents_present,
        "overrides-planned": _overrides_planned,
        "schema-version-agrees": _schema_version_agrees,
    }
)


def _at(data: object, *path: str) -> object:
    for name in path:
        if not isinstance(data, Mapping) or name not in data:
            return None
        data = data[name]
    return data


def _mapping(data: object, *path: str) -> Mapping[str, object]:
    found = _at(data, *path)
    return found if isinstance(found, Mapping) else {}


def _text(data: object, *path: str) -> str | None:
    found = _at(data, *path)
    return found if isinstance(found, str) else None


def _number(data: object, *path: str) -> int | Decimal | None:
    found = _at(data, *path)
    return found if isinstance(found, int | Decimal) and not isinstance(found, bool) else None

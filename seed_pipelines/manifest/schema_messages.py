"""What a JSON Schema error means to the person who wrote the manifest.

One message for each keyword that the schema uses; the words for a form come from the schema's own descriptions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from jsonschema import ValidationError

from seed_pipelines.manifest.problems import Fault, Path, did_you_mean, dotted, listed, shown

_TYPE_WORDS = MappingProxyType(
    {
        "object": "a mapping",
        "array": "a list",
        "string": "text",
        "integer": "an integer",
        "number": "a number",
    }
)
_OF_ENTITIES = ("volumetry", "caps_override")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broken:
    """One keyword of the schema that a value breaks: the keyword, what it says, and the schema that it stands in."""

    path: Path
    keyword: str
    wanted: Any
    value: Any
    schema: Mapping[str, Any]


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """The faults that one error stands for."""
    broken = _Broken(
        path=tuple(error.absolute_path),
        keyword=str(error.validator),
        wanted=error.validator_value,
        value=error.instance,
        schema=cast(Mapping[str, Any], error.schema),
    )
    yield from _MESSAGES[broken.keyword](broken)


def _unknown_fields(broken: _Broken) -> Iterator[Fault]:
    known = tuple(broken.schema["properties"])
    kind = "entity" if broken.path[-1:] and broken.path[-1] in _OF_ENTITIES else "field"
    plural = "entities" if kind == "entity" else "fields"
    for name in broken.value:
        if name not in known:
            yield Fault(
                path=(*broken.path, name),
                rule=f"unknown-{kind}",
                message=f"{kind} {shown(name)} is not known in {dotted(broken.path)}.{did_you_mean(name, known=known)} "
                f"Known {plural}: {listed(known)}.",
                value=shown(name),
                allowed=known,
                on_key=True,
            )


def _missing_fields(broken: _Broken) -> Iterator[Fault]:
    for name in broken.wanted:
        if name not in broken.value:
            yield Fault(
                path=broken.path,
                rule="missing-field",
                message=f"{dotted(broken.path)} lacks {name}. Add it; nothing has a default.",
                allowed=(name,),
                on_key=True,
            )


def _wrong_type(broken: _Broken) -> Iterator[Fault]:
    wanted = str(broken.wanted)
    hint = " in quotes" if wanted == "string" and not isinstance(broken.value, dict | list) else ""
    yield _fault(broken, "wrong-type", f"is not {_TYPE_WORDS[wanted]}. Write {_TYPE_WORDS[wanted]}{hint}.")


def _not_in_form(broken: _Broken) -> Iterator[Fault]:
    yield _fault(broken, "not-in-form", f"is not in form. Write {broken.schema['description']}.")


def _not_one_of(broken: _Broken) -> Iterator[Fault]:
    allowed = tuple(map(str, broken.wanted))
    near = did_you_mean(broken.value, known=allowed) if isinstance(broken.value, str) else ""
    why = f"is not known.{near} Known: {listed(allowed)}."
    yield _fault(broken, "not-one-of", why, allowed=allowed)


def _out_of_bounds(broken: _Broken) -> Iterator[Fault]:
    words, remedy = {
        "minimum": ("too small", "{} or more"),
        "maximum": ("too large", "{} or less"),
        "exclusiveMinimum": ("too small", "more than {}"),
        "minItems": ("too short", "{} or more items"),
        "maxItems": ("too long", "{} or fewer items"),
        "maxLength": ("too long", "{} or fewer characters"),
    }[broken.keyword]
    bound = remedy.format(shown(broken.wanted))
    yield _fault(broken, words.replace(" ", "-"), f"is {words}. Write {bound}.", allowed=(bound,))


def _empty(broken: _Broken) -> Iterator[Fault]:
    known = tuple(broken.schema["properties"])
    yield Fault(
        path=broken.path,
        rule="empty",
        message=f"{dotted(broken.path)} is empty. Name one or more of: {listed(known)}.",
        allowed=known,
        on_key=True,
    )


def _repeated(broken: _Broken) -> Iterator[Fault]:
    seen = set()
    for index, item in enumerate(broken.value):
        # Items may be of any type here, and lists cannot be looked up.
        told = repr(item)
        if told in seen:
            where = (*broken.path, index)
            message = f"{dotted(where)} {shown(item)} stands twice in the list. Remove one."
            yield Fault(path=where, rule="repeated", message=message, value=shown(item))
        seen.add(told)


def _not_here(broken: _Broken) -> Iterator[Fault]:
    message = f"{dotted(broken.path)} cannot stand here: {broken.schema['description']}. Remove it."
    yield Fault(path=broken.path, rule="not-here", message=message, on_key=True)


def _choose_one(broken: _Broken) -> Iterator[Fault]:
    choices = tuple(name for choice in broken.wanted for name in choice["required"])
    message = f"{dotted(broken.path)} needs exactly one of: {listed(choices)}. Keep one."
    yield Fault(path=broken.path, rule="choose-one", message=message, allowed=choices, on_key=True)


_MESSAGES: Mapping[str, Callable[[_Broken], Iterator[Fault]]] = MappingProxyType(
    {
        "additionalProperties": _unknown_fields,
        "required": _missing_fields,
        "type": _wrong_type,
        "pattern": _not_in_form,
        "format": _not_in_form,
        "enum": _not_one_of,
        "minimum": _out_of_bounds,
        "maximum": _out_of_bounds,
        "exclusiveMinimum": _out_of_bounds,
        "minItems": _out_of_bounds,
        "maxItems": _out_of_bounds,
        "maxLength": _out_of_bounds,
        "minProperties": _empty,
        "uniqueItems": _repeated,
        "not": _not_here,
        "oneOf": _choose_one,
    }
)


def _fault(broken: _Broken, rule: str, why: str, *, allowed: tuple[Any, ...] = ()) -> Fault:
    value = shown(broken.value)
    return Fault(
        path=broken.path, rule=rule, message=f"{dotted(broken.path)} {value} {why}", value=value, allowed=allowed
    )

"""What a new contract takes away from those who use the old one: `python infra/contracts/breaking.py`.

Holds contracts/openapi.yaml against the last released contract, by the rules of Semantic Versioning: whatever breaks a
caller needs a new major version, whatever is new a new minor one. Exits with 1 where the version does not say so.

Callers send requests and read answers, so the two are compared in opposite directions: a request may ask for less than
before, an answer may promise more. A schema of an answer that is closed may still grow: clients ignore what they do not
know (docs/reference/api.md).
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CONTRACT = Path("contracts/openapi.yaml")
RELEASED = Path("contracts/released")
_METHODS = ("get", "put", "post", "delete", "patch")
_LARGER_IS_STRICTER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SMALLER_IS_STRICTER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FIXED = ("pattern", "format", "const", "contentMediaType", "multipleOf", "uniqueItems")
_CHOICES = ("anyOf", "oneOf")
# Schemas inside a schema, as they are called in a line, and the type of a value that has such an inside.
_INSIDE = {"items": "[]", "contentSchema": "content"}
_INSIDE_OF = {"items": "array", "contentSchema": "string"}
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

Node = Mapping[str, Any]


class Version(NamedTuple):
    """A Semantic Version without pre-release."""

    major: int
    minor: int
    patch: int

    @classmethod
    def of(cls, text: str) -> "Version":
        return cls(*(int(number) for number in text.split(".")))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """The same place in an old document and in a new one."""

    old_document: Node
    new_document: Node
    place: str
    old: Node
    new: Node

    def at(self, name: str, old: Node, new: Node) -> "_Pair":
        """A place inside this one, with references followed."""
        return _Pair(
            old_document=self.old_document,
            new_document=self.new_document,
            place=f"{self.place} {name}".strip(),
            old=_followed(self.old_document, old),
            new=_followed(self.new_document, new),
        )

    def turned(self) -> "_Pair":
        """The other direction: what the old one has more."""
        return _Pair(
            old_document=self.new_document,
            new_document=self.old_document,
            place=self.place,
            old=self.new,
            new=self.old,
        )


def broken(old: Node, new: Node) -> list[str]:
    """What of `old` a caller can no longer rely on, a line each."""
    whole = _Pair(old_document=old, new_document=new, place="", old=old, new=new)
    return sorted(set(_broken_paths(whole)))


def required_version(old: Node, new: Node) -> Version:
    """The least version that `new` may have."""
    major, minor, patch = Version.of(old["info"]["version"])
    if broken(old, new):
        return Version(major + 1, 0, 0)
    if broken(new, old):
        return Version(major, minor + 1, 0)
    return Version(major, minor, patch)


def _broken_paths(whole: _Pair) -> Iterator[str]:
    for path, operations in whole.old["paths"].items():
        for method in (name for name in _METHODS if name in operations):
            place = f"{method.upper()} {path}"
            if method not in whole.new["paths"].get(path, {}):
                yield f"{place} is gone"
                continue
            old, new = (_operation(document, path, method) for document in (whole.old, whole.new))
            yield from _broken_operation(whole.at(place, old, new))


def _operation(document: Node, path: str, method: str) -> Node:
    """With what the path and the whole document say of it."""
    item = document["paths"][path]
    parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
    whole = {"security": document.get("security", []), **item[method]}
    return whole | {"parameters": [_followed(document, parameter) for parameter in parameters]}


def _broken_operation(pair: _Pair) -> Iterator[str]:
    yield from _broken_parameters(pair)
    yield from _broken_request(pair)
    yield from _broken_responses(pair)
    if pair.new["security"] and pair.old["security"] != pair.new["security"]:
        yield f"{pair.place} asks for other credentials"


def _broken_parameters(pair: _Pair) -> Iterator[str]:
    old, new = (_parameters(side) for side in (pair.old, pair.new))
    for key in old.keys() - new.keys():
        yield f"{pair.place} no longer knows the {key[0]} parameter {key[1]}"
    for key, parameter in new.items():
        before = old.get(key)
        if parameter.get("required", False) and not (before or {}).get("required", False):
            yield f"{pair.place} needs the {key[0]} parameter {key[1]}"
        if before is not None:
            inner = pair.at(f"parameter {key[1]}", before.get("schema", {}), parameter.get("schema", {}))
            yield from _narrowed(inner)


def _parameters(operation: Node) -> dict[tuple[str, str], Node]:
    return {(each["in"], each["name"]): each for each in operation["parameters"]}


def _broken_request(pair: _Pair) -> Iterator[str]:
    old, new = (side.get("requestBody", {}) for side in (pair.old, pair.new))
    if new.get("required", False) and not old.get("required", False):
        yield f"{pair.place} needs a body"
    for kind, body in old.get("content", {}).items():
        if kind not in new.get("content", {}):
            yield f"{pair.place} no longer reads {kind}"
            continue
        yield from _narrowed(pair.at("request", body.get("schema", {}), new["content"][kind].get("schema", {})))


def _broken_responses(pair: _Pair) -> Iterator[str]:
    """Every status that is documented: a caller who knows what is wrong goes by the problem that tells it."""
    for status, before in pair.old["responses"].items():
        after = pair.new["responses"].get(status)
        if after is None:
            yield f"{pair.place} no longer answers {status}"
            continue
        yield from _broken_response(pair.at(status, before, after))


def _broken_response(pair: _Pair) -> Iterator[str]:
    old, new = pair.old.get("headers", {}), pair.new.get("headers", {})
    for name in old.keys() - new.keys():
        yield f"{pair.place} lost the header {name}"
    for name in old.keys() & new.keys():
        yield from _broken_answer(pair.at(f"header {name}", old[name], new[name]))
    for kind, body in pair.old.get("content", {}).items():
        if kind not in pair.new.get("content", {}):
            yield f"{pair.place} is no longer {kind}"
            continue
        yield from _broken_answer(pair.at("answer", body, pair.new["content"][kind]))


def _broken_answer(pair: _Pair) -> Iterator[str]:
    inner = pair.at("", pair.old.get("schema", {}), pair.new.get("schema", {}))
    # What an answer may be has to be what it could be before: the other direction of a request.
    yield from _narrowed(inner.turned(), is_answer=True)


def _narrowed(pair: _Pair, *, is_answer: bool = False) -> Iterator[str]:
    """Values that the old schema of the pair takes, and the new one does not."""
    olds = _alternatives(pair.old_document, pair.old)
    for new in _conditions(pair.new_document, pair.new):
        choices = _choices(new)
        if len(olds) == len(choices) == 1:
            yield from _narrowed_part(pair.at("", olds[0], choices[0]), is_answer=is_answer)
            continue
        for old in olds:
            candidates = (pair.at("", old, choice) for choice in choices)
            if not any(not list(_narrowed_choice(each, is_answer=is_answer)) for each in candidates):
                yield f"{pair.place} {'may also be' if is_answer else 'no longer takes'} {_shown(old)}"


def _narrowed_choice(pair: _Pair, *, is_answer: bool) -> Iterator[str]:
    for new in _conditions(pair.new_document, pair.new):
        if any(name in new for name in _CHOICES):
            yield from _narrowed(pair.at("", pair.old, new), is_answer=is_answer)
        else:
            yield from _narrowed_part(pair.at("", pair.old, new), is_answer=is_answer)


def _narrowed_part(pair: _Pair, *, is_answer: bool) -> Iterator[str]:
    """The same of two schemas that are neither a choice nor made of others."""
    yield from _narrowed_value(pair)
    yield from _narrowed_object(pair, is_answer=is_answer)
    for keyword, name in _INSIDE.items():
        # A text has no items, and an object no content: what cannot be there is not narrowed.
        if keyword in pair.new and (not _types(pair.old) or _INSIDE_OF[keyword] in _types(pair.old)):
            inner = pair.at(name, pair.old.get(keyword, {}), pair.new[keyword])
            yield from _narrowed(inner, is_answer=is_answer)


def _narrowed_value(pair: _Pair) -> Iterator[str]:
    old, new = pair.old, pair.new
    if "type" in new and not (_types(old) and set(_types(old)) <= set(_types(new))):
        yield f"{pair.place} is of type {'/'.join(_types(new))} and {'/'.join(_types(old)) or 'any'}"
    if "enum" in new and not set(map(json.dumps, old.get("enum", ["?"]))) <= set(map(json.dumps, new["enum"])):
        lost = [value for value in old.get("enum", ["any other"]) if value not in new["enum"]]
        yield f"{pair.place} has other values: {', '.join(map(str, lost))}"
    for name in _LARGER_IS_STRICTER:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{pair.place} has another {name}"
    for name in _SMALLER_IS_STRICTER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{pair.place} has another {name}"
    for name in _FIXED:
        if name in new and new[name] != old.get(name):
            yield f"{pair.place} has another {name}"


def _narrowed_object(pair: _Pair, *, is_answer: bool) -> Iterator[str]:
    old, new = (side.get("properties", {}) for side in (pair.old, pair.new))
    for name in set(pair.new.get("required", ())) - set(pair.old.get("required", ())):
        yield f"{pair.place} {'no longer promises' if is_answer else 'needs'} {name}"
    for name in old.keys() & new.keys():
        yield from _narrowed(pair.at(name, old[name], new[name]), is_answer=is_answer)
    if "object" in _types(pair.old) or not _types(pair.old):
        yield from _narrowed_rest(pair, is_answer=is_answer)


def _narrowed_rest(pair: _Pair, *, is_answer: bool) -> Iterator[str]:
    """Fields that one of the two does not name, and those that neither names."""
    old, new = (side.get("properties", {}) for side in (pair.old, pair.new))
    old_rest, new_rest = (side.get("additionalProperties", True) for side in (pair.old, pair.new))
    if is_answer:
        # A field that an answer no longer names is missed, though it may not have been promised.
        yield from (f"{pair.place} no longer has {name}" for name in new.keys() - old.keys())
    elif new_rest is False:
        yield from (f"{pair.place} no longer takes {name}" for name in old.keys() - new.keys())
        if old_rest is not False:
            yield f"{pair.place} no longer takes other fields"
    if not isinstance(new_rest, Mapping):
        return
    for name in old.keys() - new.keys():
        yield from _narrowed(pair.at(name, old[name], new_rest), is_answer=is_answer)
    if old_rest is not False:
        rest = old_rest if isinstance(old_rest, Mapping) else {}
        yield from _narrowed(pair.at("*", rest, new_rest), is_answer=is_answer)


def _conditions(document: Node, schema: Node) -> list[Node]:
    """Schemas without `allOf`, all of which a value has to be; each has one choice at most, and nothing beside it."""
    schema = _followed(document, schema)
    choices = [{name: schema[name]} for name in _CHOICES if name in schema]
    # The title is that of the whole, not of a choice.
    left_out = (*_CHOICES, "allOf", *(["title"] if choices else []))
    own = {name: value for name, value in schema.items() if name not in left_out}
    parts = [part for each in schema.get("allOf", ()) for part in _conditions(document, each)]
    return [own, *choices, *parts]


def _alternatives(document: Node, schema: Node) -> list[Node]:
    """Schemas without a choice and without `allOf`, one of which a value is."""
    found: list[Node] = [{}]
    for condition in _conditions(document, schema):
        choices = _choices(condition)
        if choices != [condition]:
            choices = [each for choice in choices for each in _alternatives(document, choice)]
        found = [_both(one, other) for one in found for other in choices]
    return found


def _both(one: Node, other: Node) -> Node:
    """What takes no more than a value that is both; of keywords that differ the first is kept."""
    merged = {**other, **one}
    if "properties" in one and "properties" in other:
        shared = {name: {"allOf": [one["properties"][name], other["properties"][name]]} for name in _shared(one, other)}
        merged["properties"] = {**other["properties"], **one["properties"], **shared}
    if "required" in one or "required" in other:
        merged["required"] = [*one.get("required", ()), *other.get("required", ())]
    return merged


def _shared(one: Node, other: Node) -> set[str]:
    return set(one["properties"]) & set(other["properties"])


def _choices(schema: Node) -> list[Node]:
    found = [choice for name in _CHOICES for choice in schema.get(name, ())]
    return found or [schema]


def _types(schema: Node) -> list[str]:
    found = schema.get("type", _types_of_values(schema))
    types = [found] if isinstance(found, str) else list(found)
    # Every integer is a number.
    return [*types, "integer"] if "number" in types else types


def _types_of_values(schema: Node) -> list[str]:
    """The types of the values that are listed, where none is named."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return sorted({_TYPES[type(value)] for value in values})


def _shown(schema: Node) -> str:
    return str(schema.get("title") or schema.get("type") or "something else")


def _followed(document: Node, node: Node) -> Node:
    while "$ref" in node:
        found: Any = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def last_released(folder: Path) -> Node:
    """The contract of the highest version in `folder`."""
    files = [file for file in folder.glob("*.yaml") if re.fullmatch(r"\d+\.\d+\.\d+", file.stem)]
    newest = max(files, key=lambda file: Version.of(file.stem))
    document: Node = yaml.safe_load(newest.read_text())
    return document


def main() -> int:
    old, new = last_released(RELEASED), yaml.safe_load(CONTRACT.read_text())
    for line in broken(old, new):
        sys.stdout.write(f"breaking: {line}\n")
    needed, found = required_version(old, new), Version.of(new["info"]["version"])
    if found < needed:
        wanted = ".".join(map(str, needed))
        sys.stdout.write(f"the contract says {new['info']['version']}, and has to say {wanted} at least\n")
    return int(found < needed)


if __name__ == "__main__":
    sys.exit(main())

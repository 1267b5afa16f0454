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
            new = whole.new["paths"].get(path, {}).get(method)
            if new is None:
                yield f"{place} is gone"
                continue
            yield from _broken_operation(whole.at(place, operations[method], new))


def _broken_operation(pair: _Pair) -> Iterator[str]:
    yield from _broken_parameters(pair)
    yield from _broken_request(pair)
    yield from _broken_responses(pair)
    if pair.new.get("security") and pair.old.get("security") != pair.new["security"]:
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
    return {(each["in"], each["name"]): each for each in operation.get("parameters", ())}


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
    for status, before in pair.old["responses"].items():
        if not status.startswith("2"):
            continue
        after = pair.new["responses"].get(status)
        if after is None:
            yield f"{pair.place} no longer answers {status}"
            continue
        yield from _broken_response(pair.at(status, before, after))


def _broken_response(pair: _Pair) -> Iterator[str]:
    for name in pair.old.get("headers", {}).keys() - pair.new.get("headers", {}).keys():
        yield f"{pair.place} lost the header {name}"
    for kind, body in pair.old.get("content", {}).items():
        if kind not in pair.new.get("content", {}):
            yield f"{pair.place} is no longer {kind}"
            continue
        inner = pair.at("answer", body.get("schema", {}), pair.new["content"][kind].get("schema", {}))
        # What an answer may be has to be what it could be before: the other direction of a request.
        yield from _narrowed(inner.turned(), is_answer=True)


def _narrowed(pair: _Pair, *, is_answer: bool = False) -> Iterator[str]:
    """Values that the old schema of the pair takes, and the new one does not."""
    if _has_choices(pair.old) or _has_choices(pair.new):
        yield from _narrowed_choices(pair, is_answer=is_answer)
        return
    yield from _narrowed_value(pair)
    yield from _narrowed_object(pair, is_answer=is_answer)
    if isinstance(pair.old.get("items"), Mapping) and isinstance(pair.new.get("items"), Mapping):
        yield from _narrowed(pair.at("[]", pair.old["items"], pair.new["items"]), is_answer=is_answer)


def _narrowed_choices(pair: _Pair, *, is_answer: bool) -> Iterator[str]:
    for choice in _choices(pair.old):
        candidates = (pair.at("", choice, other) for other in _choices(pair.new))
        if not any(not list(_narrowed(each, is_answer=is_answer)) for each in candidates):
            yield f"{pair.place} {_verb(is_answer)} {_shown(_followed(pair.old_document, choice))}"


def _narrowed_value(pair: _Pair) -> Iterator[str]:
    old, new = pair.old, pair.new
    if "type" in new and not set(_types(old)) <= set(_types(new)):
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
    if not is_answer and pair.new.get("additionalProperties") is False:
        for name in old.keys() - new.keys():
            yield f"{pair.place} no longer takes {name}"
    for name in old.keys() & new.keys():
        yield from _narrowed(pair.at(name, old[name], new[name]), is_answer=is_answer)


def _verb(is_answer: bool) -> str:
    return "may also be" if is_answer else "no longer takes"


def _has_choices(schema: Node) -> bool:
    return any(name in schema for name in _CHOICES)


def _choices(schema: Node) -> list[Node]:
    found = [choice for name in _CHOICES for choice in schema.get(name, ())]
    return found or [schema]


def _types(schema: Node) -> list[str]:
    found = schema.get("type", [])
    types = [found] if isinstance(found, str) else list(found)
    # Every integer is a number.
    return [*types, "integer"] if "number" in types else types


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

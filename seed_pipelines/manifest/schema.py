"""The published JSON Schema (2020-12) and the check against it.

`schema_problems` is the whole contract on plain data: the schema, and the rules between fields that no schema can
say. The model in model.py says the same a second time; a property test holds the two together. Numbers are integers
and Decimals here; a float is refused, because its text is lost.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, TypeChecker
from jsonschema.validators import extend

from seed_pipelines.manifest.problems import Fault
from seed_pipelines.manifest.rules import broken_rules
from seed_pipelines.manifest.schema_messages import faults_of

FILE_NAME = "seed-profile.schema.json"
# Beyond it no field has room, and turning 1E+999999 into an integer would take all memory.
LARGEST_INTEGER = 10**15
MOMENT_FORM = "%Y-%m-%dT%H:%M:%SZ"


@cache
def schema_text() -> str:
    """The schema as it is published."""
    return files("seed_pipelines.manifest").joinpath(FILE_NAME).read_text(encoding="utf-8")


@cache
def schema() -> dict[str, Any]:
    """The schema; its decimals are Decimals."""
    loaded: dict[str, Any] = json.loads(schema_text(), parse_float=Decimal)
    return loaded


def schema_problems(data: object) -> tuple[Fault, ...]:
    """Every way in which plain data break the contract; none: the model takes them."""
    return tuple(dict.fromkeys((*_schema_faults(data), *broken_rules(data))))


def _schema_faults(data: object) -> Iterator[Fault]:
    for error in _validator().iter_errors(data):
        yield from faults_of(error)


@cache
def _validator() -> Draft202012Validator:
    strict = extend(Draft202012Validator, type_checker=_strict_types())  # type: ignore[no-untyped-call]  # theirs
    # Our own formats: which ones the library checks depends on what else is installed.
    formats = FormatChecker(formats=())
    formats.checks("date-time", raises=ValueError)(_is_moment)
    validator: Draft202012Validator = strict(_without_references(schema(), schema()), format_checker=formats)
    return validator


def _strict_types() -> TypeChecker:
    types: TypeChecker = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: is_integer(value), "number": lambda _, value: type(value) in (int, Decimal)}
    )
    return types


def is_integer(value: object) -> bool:
    """Whether a value is an integer as JSON Schema has it: 50.0 is one, true is not."""
    if type(value) is Decimal:
        return abs(value) < LARGEST_INTEGER and value == value.to_integral_value()
    return type(value) is int


def _is_moment(value: object) -> bool:
    # What is not text is the type rule's to refuse.
    return not isinstance(value, str) or bool(datetime.strptime(value, MOMENT_FORM))  # noqa: DTZ007 (a test of form)


def _without_references(part: Any, root: dict[str, Any]) -> Any:
    """The schema with every $ref replaced by what it names: looking them up takes most of a check's time."""
    if isinstance(part, list):
        return [_without_references(item, root) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _without_references(root["$defs"][part["$ref"].rsplit("/", 1)[-1]], root)
    return {name: _without_references(value, root) for name, value in part.items() if name != "$defs"}

"""A manifest without comments, in the schema's order, written one way: what `seed-data manifest show` prints."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from seed_pipelines.manifest.problems import Plain
from seed_pipelines.manifest.schema import schema


def as_yaml(data: Plain) -> str:
    """Strict YAML that reads back as the same data, and so keeps the hash."""
    return "".join(f"{line}\n" for line in _lines(ordered(data), indent=""))


def as_json(data: Plain) -> str:
    """The same as JSON."""
    return json.dumps(ordered(data), indent=2, ensure_ascii=False, default=_json_number)


def ordered(data: Plain) -> Plain:
    """The data with its fields in the order in which the schema names them."""
    return _ordered(data, schema())


def _ordered(data: Plain, rules: Any) -> Plain:
    if not isinstance(data, dict):
        return data
    if "$ref" in rules:
        rules = schema()["$defs"][rules["$ref"].rsplit("/", 1)[-1]]
    properties = rules.get("properties", {})
    names = [*(name for name in properties if name in data), *(name for name in data if name not in properties)]
    return {name: _ordered(data[name], properties.get(name, {})) for name in names}


def _lines(data: Plain, indent: str) -> Iterator[str]:
    for name, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{name}: [{', '.join(map(_scalar, value))}]"
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _scalar(value: Plain) -> str:
    if isinstance(value, Decimal):
        return format(_shortest(value), "f")
    return json.dumps(value)


def _json_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _shortest(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()

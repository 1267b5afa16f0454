"""Manifests for tests: the schema's own examples, changed in one place, and as text."""

import json
from copy import deepcopy
from decimal import Decimal

from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.schema import schema
from seed_pipelines.manifest.seal import canonical_hash

MODES = ("baseline", "carga", "dr", "canary")
REMOVED = object()


def example(like="baseline", **changes):
    """A valid manifest's data. A change is named by its place with `__` between fields; REMOVED takes it out."""
    data = deepcopy(next(each for each in schema()["examples"] if each["mode"] == like))
    for place, value in changes.items():
        *sections, field = place.split("__")
        at = data
        for section in sections:
            at = at.setdefault(section, {})
        if value is REMOVED:
            del at[field]
        else:
            at[field] = value
    return data


def sealed(data):
    data = deepcopy(data)
    data["integrity"]["manifest_hash"] = canonical_hash(data)
    return data


def text_of(data):
    return as_yaml(data)


def content_of(data):
    return as_yaml(data).encode()


def as_loaded(instance):
    """What JSON data are once they went through text: decimals and no floats."""
    return json.loads(json.dumps(instance), parse_float=Decimal)

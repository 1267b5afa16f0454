"""The JSON Schema and the model say the same, whatever they are shown, and no input crashes the loader."""

import json
import random
import re
from copy import deepcopy
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from manifest_cases import MODES, REMOVED, as_loaded, example, text_of
from pydantic import ValidationError

from seed_pipelines import catalog
from seed_pipelines.manifest.load import examine
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.manifest.schema import schema, schema_problems, schema_text

RULES = json.loads(schema_text())


def model_takes(data):
    try:
        Manifest.model_validate(data)
    except ValidationError:
        return False
    return True


def from_rules(rules):
    """Data that a part of the schema takes, but for its conditions; hypothesis-jsonschema makes the leaves."""
    while "$ref" in rules:
        rules = RULES["$defs"][rules["$ref"].rsplit("/", 1)[-1]]
    if rules.get("type") == "object":
        fields = {name: from_rules(below) for name, below in rules["properties"].items() if "not" not in below}
        needed = {name: fields.pop(name) for name in rules["required"]} if "required" in rules else {}
        return st.fixed_dictionaries(needed, optional=fields)
    if rules.get("type") == "array":
        return st.lists(from_rules(rules["items"]), min_size=1, max_size=3)
    return from_schema({name: value for name, value in rules.items() if name not in ("format", "description")})


def within_the_rules(data):
    """The same with every rule between fields kept, so that nothing is left to refuse."""
    keep_the_mode(data)
    for section, low, high in (
        ("slo", "p95_target_ms", "p99_target_ms"),
        ("rate_limit", "limit", "burst"),
        ("backoff", "base_seconds", "max_interval_seconds"),
    ):
        least = data[section][low]
        data[section][high] = max(least, data[section].get(high, least))
    data["window"] = {"start_utc": "22:00", "end_utc": "09:00"}
    data["metadata"]["reference_datetime"] = data["metadata"]["reference_datetime"].replace("-31T", "-28T")
    data["metadata"]["reference_datetime"] = re.sub("02-(29|30)", "02-28", data["metadata"]["reference_datetime"])
    data["budget"]["cost_cap_brl"] = round(data["budget"]["cost_cap_brl"], 2)
    data["integrity"]["schema_version"] = data["metadata"]["schema_version"]
    return data


def keep_the_mode(data):
    """Only the sections and states that the mode and the environment allow, and every parent."""
    volumetry = data["volumetry"]
    for child in reversed(catalog.ENTITIES.values()):
        for parent in child.parents if child.name in volumetry else ():
            if parent.required:
                volumetry.setdefault(parent.entity, {"cap": 1})
    volumetry.setdefault("tenants", {"cap": 1})
    for volume in volumetry.values():
        states = {state: min(percent, 25) for state, percent in volume.pop("states", {}).items()}
        if states and data["mode"] in ("carga", "dr"):
            volume["states"] = states
    overrides = {entity: cap for entity, cap in data.pop("caps_override", {}).items() if entity in volumetry}
    if overrides and data["metadata"]["environment"] == "dev":
        data["caps_override"] = overrides
    canary = data.pop("canary", {}) or {"percentage": 5}
    if data["mode"] == "canary":
        data["canary"] = {"tenants": sorted(set(canary["tenants"]))} if "tenants" in canary else canary


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**11),
    st.decimals(-1, 101, places=3),
    st.sampled_from(["", "dev", "acme\n", "Acme", "22:00", "24:00", "1.0", "1.0.0", "2.0.0", "1.0.0-rc.1", "٣"]),
    st.sampled_from(["2026-02-31T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-02", "carga", "loans", "0" * 64]),
    st.text(max_size=5),
    st.builds(list),
    st.builds(dict),
    st.lists(st.sampled_from(["acme", "globex", "", 1]), max_size=3),
)
NAMES = st.sampled_from(["states", "cap", "canary", "caps_override", "tenants", "percentage", "burst", "loans", "x"])


@st.composite
def mutated(draw, steps=3):
    """An example with up to three fields set, taken out or added anywhere."""
    data = deepcopy(draw(st.sampled_from(schema()["examples"])))
    for _ in range(draw(st.integers(1, steps))):
        at = data
        while isinstance(at, dict) and at and draw(st.integers(0, 3)):
            below = at[draw(st.sampled_from(sorted(at)))]
            if not isinstance(below, dict):
                break
            at = below
        name = draw(st.one_of(st.sampled_from(sorted(at)), NAMES) if at else NAMES)
        if draw(st.booleans()):
            at.pop(name, None)
        else:
            at[name] = draw(LEAVES)
    return data


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(from_rules(RULES))
def test_the_schema_and_the_model_agree_on_what_the_schema_describes(instance):
    data = as_loaded(instance)
    assert model_takes(data) == (schema_problems(data) == ())
    kept = as_loaded(within_the_rules(instance))
    assert schema_problems(kept) == ()
    assert model_takes(kept)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_the_schema_and_the_model_agree_on_mutations_of_valid_manifests(data):
    event(f"accepted: {model_takes(data)}")
    assert model_takes(data) == (schema_problems(data) == ())


@settings(max_examples=200)
@given(st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=8))
def test_the_schema_and_the_model_refuse_what_is_no_manifest(data):
    assert not model_takes(data)
    assert schema_problems(data)


TEXTS = (
    "",
    "dev",
    "staging",
    "acme",
    "acme\n",
    "Acme",
    "a" * 63,
    "a" * 64,
    "a_b",
    "a:b",
    "1",
    "-a",
    "A.1_x-",
    "é",
    "٣",
)
TEXTS += (
    "1.0.0",
    "1.0.0\n",
    "1.0",
    "1.9.0",
    "2.0.0",
    "1.0.0-rc.1",
    "1.0.0-01",
    "1.0.0+x",
    "01.0.0",
    "1.0.0-" + "a" * 59,
)
TEXTS += ("22:00", "22:00\n", "24:00", "9:00", "09:00", "22:60", "baseline", "carga", "dr", "canary", "BASELINE")
TEXTS += tuple(f"{day}T00:00:00Z" for day in ("2026-11-02", "2026-02-29", "2028-02-29", "1999-12-31", "2100-01-01"))
TEXTS += ("2026-11-02T00:00:00Z\n", "2026-11-02T24:00:00Z", "2026-11-02T23:59:60Z", "2026-11-02T00:00:00.0Z")
TEXTS += ("2026-11-02T00:00:00+00:00", "2026-11-02 00:00:00Z", "0" * 64, "f" * 64 + "\n", "g" * 64, "F" * 64, "0" * 63)
SHAPES = ({}, [], {"cap": 1}, {"cap": 1, "states": {"blocked": 1}}, {"blocked": 1}, {"delinquent": 100, "cancelled": 1})
SHAPES += ({"delinquent": 50, "cancelled": 50}, {"percentage": 1}, {"tenants": ["a", "b"]}, {"tenants": ["a", "a"]})
SHAPES += (
    {"tenants": ["A"]},
    {"tenants": []},
    {"percentage": 1, "tenants": ["a"]},
    {"customers": 5},
    {"users": 5},
    ["a"],
)


def bounds(part):
    """Every bound in the schema, and what lies beside it."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("minimum", "maximum", "exclusiveMinimum"):
                yield from (value - 1, value, value + 1, Decimal(str(value)) + Decimal("0.001"))
            yield from bounds(value)
    elif isinstance(part, list):
        for item in part:
            yield from bounds(item)


def places(rules, path=()):
    """Every field, those of three entities, and one that is not known."""
    while "$ref" in rules:
        rules = schema()["$defs"][rules["$ref"].rsplit("/", 1)[-1]]
    for name, below in rules.get("properties", {}).items():
        if len(path) != 1 or path[0] not in ("volumetry", "caps_override") or name in ("tenants", "customers", "loans"):
            yield (*path, name)
            yield from places(below, (*path, name))
    if "properties" in rules:
        yield (*path, "unknown")


def with_value(data, path, value):
    data = deepcopy(data)
    at = data
    for name in path[:-1]:
        at = at.get(name)
        if not isinstance(at, dict):
            return None
    if value is REMOVED:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = value
    return data


@pytest.mark.parametrize("mode", ["carga", "canary"])
def test_the_schema_and_the_model_agree_on_every_field_with_every_telling_value(mode):
    numbers = sorted({*bounds({name: part for name, part in schema().items() if name != "examples"})})
    values = (REMOVED, None, True, False, *numbers, *TEXTS, *SHAPES)
    valid = example(mode)
    for path in places(schema()):
        for value in values:
            data = with_value(valid, path, value if value is REMOVED else deepcopy(value))
            if data is not None:
                assert model_takes(data) == (schema_problems(data) == ()), (path, value)


@pytest.mark.parametrize("version", TEXTS)
def test_the_schema_and_the_model_agree_on_the_versions_of_the_contract(version):
    data = example(metadata__schema_version=version, integrity__schema_version=version)
    assert model_takes(data) == (schema_problems(data) == ())


@pytest.mark.parametrize("mode", MODES)
def test_both_take_the_schemas_examples(mode):
    assert schema_problems(example(mode)) == ()
    assert model_takes(example(mode))


PIECES = ("\t", "&a ", "*a", "!!int ", "<<: ", "{", "}", "[", "]", '"', "'", "\n", "  ", ":", "#", "-", "|", ">", "%")
PIECES += ("null", "~", "0", "1e9", "NaN", "é", "é", "\u202e", "\x00", "999999999999999999", "---\n", "true", "\r")


def broken(text, chance):
    """The text with one to three pieces put in, taken out, repeated or swapped."""
    for _ in range(chance.randint(1, 3)):
        at, stop = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        stop = min(stop, at + 30)
        text = chance.choice(
            (
                lambda text=text, at=at: text[:at] + chance.choice(PIECES) + text[at:],
                lambda text=text, at=at, stop=stop: text[:at] + text[stop:],
                lambda text=text, at=at, stop=stop: text[:stop] + text[at:stop] + text[stop:],
                lambda text=text, at=at: text[:at] + chr(chance.randrange(32, 127)) + text[at + 1 :],
            )
        )()
    return text


def test_ten_thousand_broken_texts_neither_crash_nor_pass_nor_lack_a_place():
    chance = random.Random(20261102)
    texts = [text_of(example(mode)) for mode in MODES]
    for number in range(10_000):
        content = broken(texts[number % 4], chance).encode("utf-8", "surrogatepass")
        examined = examine(content, source="dev/acme.yaml")
        if examined.manifest is not None:
            assert schema_problems(examined.document.data) == ()
        else:
            assert examined.problems
        lines = content.count(b"\n") + 1
        for problem in examined.problems:
            assert 1 <= problem.line <= lines, (content, problem)
            assert problem.column >= 1


def test_a_float_is_refused_by_both_because_its_text_is_lost():
    data = example(budget__cost_cap_brl=10.5)
    assert schema_problems(data)
    assert not model_takes(data)


@pytest.mark.parametrize(
    ("value", "taken"), [(Decimal("5.0"), True), (Decimal("5.5"), False), (Decimal("1E+999"), False)]
)
def test_an_integer_may_be_written_with_a_decimal_of_nought(value, taken):
    data = example(backoff__max_retries=value)
    assert model_takes(data) is taken
    assert (schema_problems(data) == ()) is taken

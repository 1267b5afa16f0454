"""The manifest contract: what is refused, with which words, and on which line."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from manifest_cases import MODES, REMOVED, content_of, example, sealed

from seed_pipelines import catalog
from seed_pipelines.errors import ManifestRejected
from seed_pipelines.manifest.load import check_location, examine, parse_manifest
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.manifest.rules import RULES
from seed_pipelines.manifest.schema import schema, schema_problems, schema_text
from seed_pipelines.manifest.schema_messages import faults_of

REPOSITORY = Path(__file__).parents[2]
REFERENCE = REPOSITORY / "docs/reference/manifest.md"


def rejected(data, **changes):
    with pytest.raises(ManifestRejected) as refusal:
        parse_manifest(content_of(sealed(data)), source="dev/acme.yaml", **changes)
    return refusal.value.problems


@pytest.mark.parametrize("mode", MODES)
def test_the_schemas_examples_are_manifests_with_their_own_hash(mode):
    manifest = parse_manifest(content_of(example(mode)), source="example")
    assert manifest.mode is Mode(mode)
    assert manifest.manifest_hash == example(mode)["integrity"]["manifest_hash"]


@pytest.mark.parametrize(
    ("mode", "place", "value", "rule", "words"),
    [
        ("baseline", "mode", "cargo", "not-one-of", "Did you mean 'carga'?"),
        ("baseline", "volumetry__loan", {"cap": 1}, "unknown-entity", "Did you mean 'loans'? Known entities: tenants,"),
        ("baseline", "volumetry__loans__cap", 0, "too-small", "volumetry.loans.cap 0 is too small. Write 1 or more."),
        ("baseline", "volumetry__loans__cap", REMOVED, "missing-field", "volumetry.loans lacks cap."),
        ("baseline", "volumetry__loans__cap", "many", "wrong-type", "is not an integer"),
        ("baseline", "volumetry__loans__cap", True, "wrong-type", "true is not an integer"),
        ("baseline", "volumetry__loans__target_pct", 101, "too-large", "Write 100 or less."),
        ("baseline", "volumetry__customers", REMOVED, "parents-present", "Add volumetry.customers."),
        ("baseline", "volumetry", {}, "empty", "volumetry is empty"),
        ("baseline", "volumetry__loans__states", {"delinquent": 1}, "not-here", "only in modes carga and dr"),
        ("carga", "volumetry__tenants__states", {"blocked": 1}, "not-here", "only users, consultants, customers,"),
        ("carga", "volumetry__loans__states", {"delinqent": 1}, "unknown-field", "Did you mean 'delinquent'?"),
        (
            "carga",
            "volumetry__loans__states",
            {"delinquent": 60, "cancelled": 41},
            "states-within-100",
            "add up to 101",
        ),
        ("carga", "volumetry__loans__states", {}, "empty", "Name one or more of: delinquent,"),
        ("baseline", "window__end_utc", "22:00", "window-opens", "the window is never open"),
        ("baseline", "window__start_utc", "9:00", "not-in-form", 'a time of day from "00:00" to "23:59"'),
        ("baseline", "window__start_utc", "24:00", "not-in-form", "'24:00' is not in form"),
        ("baseline", "window__start_utc", 1320, "wrong-type", "1320 is not text. Write text in quotes."),
        ("baseline", "metadata__tenant", "Acme", "not-in-form", "a lower-case name"),
        ("baseline", "metadata__tenant", "acme\n", "not-in-form", r"'acme\n' is not in form"),
        ("baseline", "metadata__environment", "dev:prod", "not-in-form", "'dev:prod'"),
        ("baseline", "metadata__tenant", "a" * 200, "not-in-form", "aaa…' is not in form"),
        ("baseline", "metadata__version", "1.0", "not-in-form", "a Semantic Version"),
        ("baseline", "metadata__version", "1.0.0+build", "not-in-form", "without build metadata"),
        ("baseline", "metadata__version", "01.0.0", "not-in-form", "a Semantic Version"),
        ("baseline", "metadata__schema_version", "2.0.0", "not-in-form", "another major version is another contract"),
        ("baseline", "integrity__schema_version", "1.1.0", "schema-version-agrees", "is not metadata.schema_version"),
        ("baseline", "metadata__reference_datetime", "2026-02-31T00:00:00Z", "not-in-form", "an existing moment"),
        ("baseline", "metadata__reference_datetime", "2026-11-02T00:00:00-03:00", "not-in-form", "in UTC"),
        ("baseline", "metadata__reference_datetime", "2026-11-02", "not-in-form", "in UTC"),
        ("baseline", "metadata__owner", "me", "unknown-field", "field 'owner' is not known in metadata"),
        ("baseline", "rate_limit__burst", 199, "burst-not-below-limit", "is below rate_limit.limit 200"),
        ("baseline", "rate_limit__limit", 0, "too-small", "Write 1 or more."),
        ("baseline", "backoff__max_interval_seconds", REMOVED, "missing-field", "backoff lacks max_interval_seconds"),
        ("baseline", "backoff__base_seconds", 61, "max-interval-not-below-base", "below backoff.base_seconds 61"),
        ("baseline", "backoff__jitter_factor", 2, "too-large", "Write 1 or less."),
        ("baseline", "budget__cost_cap_brl", -1, "too-small", "Write 0 or more."),
        ("baseline", "slo__p99_target_ms", 499, "p99-not-below-p95", "is below slo.p95_target_ms 500"),
        ("baseline", "slo__throughput_target_rps", 0, "too-small", "Write 0.1 or more."),
        ("baseline", "ttl__dr_days", -1, "too-small", "Write 0 or more."),
        ("baseline", "canary", {"percentage": 5}, "not-here", "only in mode canary"),
        ("canary", "canary", REMOVED, "missing-field", "the manifest lacks canary"),
        ("canary", "canary", {}, "choose-one", "exactly one of: percentage, tenants"),
        ("canary", "canary", {"percentage": 5, "tenants": ["acme"]}, "choose-one", "exactly one of"),
        ("canary", "canary", {"percentage": 0}, "too-small", "Write more than 0."),
        ("canary", "canary", {"tenants": []}, "too-short", "1 or more items"),
        ("canary", "canary", {"tenants": ["a", "b", "a"]}, "repeated", "canary.tenants[2] 'a' stands twice"),
        ("canary", "metadata__environment", "staging", "not-here", "only in environment dev"),
        ("canary", "caps_override", {"users": 5}, "overrides-planned", "Entities in volumetry: 'customers',"),
        ("canary", "caps_override", {"user": 5}, "unknown-entity", "Did you mean 'users'?"),
    ],
)
def test_a_broken_rule_is_told_with_its_value_and_what_to_do(mode, place, value, rule, words):
    problems = rejected(example(mode, **{place: value}))
    assert words in next(problem.message for problem in problems if problem.rule == rule)


@pytest.mark.parametrize("cost", ["0.001", "10.555"])
def test_a_budget_has_no_parts_of_a_cent(cost):
    content = content_of(example()).replace(b"cost_cap_brl: 10", f"cost_cap_brl: {cost}".encode())
    assert "whole-cents" in {problem.rule for problem in examine(content, source="x").problems}


def test_a_budget_in_cents_is_exact():
    content = content_of(example()).replace(b"cost_cap_brl: 10", b"cost_cap_brl: 10.07")
    examined = examine(content, source="x", sealed=False)
    assert examined.problems == ()
    assert Manifest.model_validate(examined.document.data).budget.cost_cap_micro_brl == 10_070_000


def test_all_problems_come_at_once_in_the_order_of_the_lines():
    data = example(metadata__tenant="Acme", volumetry__loan={"cap": 1}, ttl__dr_days=-1, extra=1)
    problems = rejected(data)
    assert [problem.rule for problem in problems] == ["not-in-form", "unknown-entity", "too-small", "unknown-field"]
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        (b'tenant: "acme"', b'tenant: "Acme"', 2, 11),
        (b"  loans:", b"  loan:", 18, 3),
        (b"mode: ", b"mood: ", 9, 1),
    ],
)
def test_a_problem_points_at_the_line_and_column(old, new, line, column):
    problems = examine(content_of(example()).replace(old, new), source="dev/acme.yaml").problems
    assert (line, column) in {(problem.line, problem.column) for problem in problems}
    assert any(str(problem).startswith(f"dev/acme.yaml:{line}:{column}: ") for problem in problems)


def test_a_place_that_the_reader_refuses_is_not_refused_again_by_the_schema():
    content = content_of(example()).replace(b'mode: "baseline"', b"mode: null")
    assert [problem.rule for problem in examine(content, source="x").problems] == ["no-value"]


def test_a_manifest_that_was_changed_and_not_sealed_again_is_refused():
    content = content_of(example()).replace(b"cap: 2000\n", b"cap: 2001\n")
    (problem,) = examine(content, source="x").problems
    assert problem.rule == "seal-broken"
    assert problem.pointer == "/integrity/manifest_hash"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("staging/acme.yaml", "/metadata/environment"),
        ("dev/globex.yaml", "/metadata/tenant"),
        ("dev/acme.yml", "/metadata/tenant"),
        ("acme.yaml", "/metadata/environment"),
        ("teams/dev/acme.yaml", "/metadata/environment"),
    ],
)
def test_a_manifest_in_another_place_than_its_names_say_is_refused(path, pointer):
    (problem,) = rejected(example(), relative_path=path)
    assert (problem.rule, problem.pointer) == ("misplaced", pointer)
    with pytest.raises(ManifestRejected):
        check_location(parse_manifest(content_of(example()), source="x"), path)


def test_a_manifest_in_its_own_place_is_taken():
    manifest = parse_manifest(content_of(example()), source="x", relative_path="dev/acme.yaml")
    check_location(manifest, "dev/acme.yaml")


def test_a_manifest_cannot_be_changed():
    manifest = parse_manifest(content_of(example()), source="x")
    with pytest.raises(ValueError, match="frozen"):
        manifest.mode = Mode.DR


def test_huge_input_makes_no_huge_message():
    names = {f"entity_{number}_{'x' * 10_000}": {"cap": 1} for number in range(10)}
    for fault in schema_problems(example(volumetry=names)):
        assert len(fault.message) < 500


# The published file itself.


def test_the_schema_is_valid_json_schema():
    Draft202012Validator.check_schema(json.loads(schema_text()))


def test_every_object_of_the_schema_refuses_fields_that_it_does_not_name():
    objects = [part for part in parts_of(schema()) if part.get("type") == "object"]
    assert len(objects) > 10
    assert all(part["additionalProperties"] is False for part in objects)
    assert not [part for part in parts_of(schema()) if "default" in part]


def test_a_pattern_takes_no_trailing_line_break_in_any_engine():
    patterns = [part["pattern"] for part in parts_of(schema()) if isinstance(part.get("pattern"), str)]
    assert patterns
    assert all(pattern.startswith("^") and pattern.endswith(r"(?!\n)$") for pattern in patterns)
    assert not re.search(schema()["$defs"]["slug"]["pattern"], "acme\n")


def test_every_keyword_that_can_fail_has_a_message():
    structure = {"$ref", "properties", "items", "allOf", "if", "then", "$defs"}
    notes = {"$schema", "jsonSchemaDialect", "$id", "title", "description", "$comment", "examples"}
    used = {keyword for part in parts_of(schema()) for keyword in part}
    messages = set(faults_of.__globals__["_MESSAGES"])
    assert used - structure - notes - {"const"} == messages


def test_the_schemas_comment_names_every_rule_between_fields():
    assert all(name in schema()["$comment"] for name in RULES)


def test_the_schema_and_the_catalogue_know_the_same_entities_and_states():
    entities = schema()["properties"]["volumetry"]["properties"]
    assert tuple(entities) == catalog.ENTITY_NAMES
    assert tuple(schema()["properties"]["caps_override"]["properties"]) == catalog.ENTITY_NAMES
    for name, reference in entities.items():
        states = schema()["$defs"][reference["$ref"].rsplit("/", 1)[-1]]["properties"]["states"]
        assert tuple(states.get("properties", ())) == catalog.STATES.get(name, ())


def test_the_reference_describes_every_field_and_every_rule():
    text = REFERENCE.read_text(encoding="utf-8")
    for field in fields_of(schema(), ""):
        assert f"`{field}`" in text, field
    for rule in (*RULES, "seal-broken", "misplaced"):
        assert f"`{rule}`" in text, rule
    assert all(entity in text for entity in catalog.ENTITY_NAMES)


def test_the_shipped_manifests_are_valid_and_in_their_places():
    paths = sorted((REPOSITORY / "manifests").glob("*/*.yaml"))
    names = [path.relative_to(REPOSITORY / "manifests").as_posix() for path in paths]
    assert {"dev/acme.yaml", "dev/globex.yaml", "staging/acme.yaml"} <= set(names)
    for name, path in zip(names, paths, strict=True):
        parse_manifest(path.read_bytes(), source=name, relative_path=name)


def parts_of(part):
    """Every object in the schema that is a schema itself, examples and maps of names left out."""
    yield part
    for name, below in part.items():
        if name in ("properties", "$defs"):
            for each in below.values():
                yield from parts_of(each)
        elif name in ("allOf", "oneOf"):
            for each in below:
                yield from parts_of(each)
        elif isinstance(below, dict):
            yield from parts_of(below)


def fields_of(rules, prefix):
    """Dotted names of every field; entities and states stand for each other."""
    for name, below in rules["properties"].items():
        below = schema()["$defs"][below["$ref"].rsplit("/", 1)[-1]] if "$ref" in below else below
        if "not" in below:
            continue
        shown = "<entity>" if name in catalog.ENTITY_NAMES and prefix in ("volumetry.", "caps_override.") else name
        if below.get("type") != "object" or name == "states":
            yield f"{prefix}{shown}"
        else:
            yield from fields_of(below, f"{prefix}{shown}.")

"""A contract that takes something away needs a new major version, whatever it takes."""

import importlib.util
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONTRACT = yaml.safe_load((ROOT / "contracts/openapi.yaml").read_text())
EVENTS = "/api/v1/seed-runs/{seed_run_id}/events"
START, LIST, CANCEL = "/api/v1/seed-runs", "/api/v1/seed-runs", "/api/v1/seed-runs/{seed_run_id}/cancel"
Document = dict[str, Any]


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"infra/contracts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def breaking() -> ModuleType:
    return module("breaking")


def changed(change: Callable[[Document], object]) -> Document:
    document = deepcopy(CONTRACT)
    change(document)
    return document


def operation(document: Document, method: str, path: str) -> Document:
    return document["paths"][path][method]


def schema(document: Document, name: str) -> Document:
    return document["components"]["schemas"][name]


def request_of(document: Document) -> Document:
    return schema(document, "SeedRunRequest")


def test_the_contract_that_is_kept_is_the_code_s() -> None:
    text = (ROOT / "contracts/openapi.yaml").read_text()
    assert text == module("document").contract_text(), "run: make contract"


def test_the_contract_keeps_what_was_released(breaking: ModuleType) -> None:
    released = breaking.last_released(ROOT / "contracts/released")
    assert breaking.broken(released, CONTRACT) == []
    assert breaking.Version.of(CONTRACT["info"]["version"]) >= breaking.required_version(released, CONTRACT)


BREAKS: dict[str, tuple[Callable[[Document], object], str]] = {
    "a path": (lambda d: d["paths"].pop(CANCEL), "is gone"),
    "a method": (lambda d: d["paths"][LIST].pop("get"), "is gone"),
    "an answer": (lambda d: operation(d, "post", START)["responses"].pop("201"), "no longer answers 201"),
    "a kind of answer": (
        lambda d: operation(d, "get", LIST)["responses"]["200"].update(content={"text/plain": {}}),
        "is no longer application/json",
    ),
    "a header of an answer": (
        lambda d: operation(d, "post", START)["responses"]["201"]["headers"].pop("Location"),
        "lost the header Location",
    ),
    "a field of an answer": (
        lambda d: schema(d, "SeedRunAccepted")["required"].remove("manifest_hash"),
        "no longer promises manifest_hash",
    ),
    "the type in an answer": (
        lambda d: schema(d, "SeedRunAccepted")["properties"]["manifest_hash"].update(type="integer"),
        "manifest_hash is of type",
    ),
    "a new value in an answer": (
        lambda d: schema(d, "SeedRunAccepted")["properties"]["status"]["enum"].append("lost"),
        "has other values: lost",
    ),
    "a field that a request needs": (
        lambda d: request_of(d).update(required=[*request_of(d)["required"], "canary"]),
        "needs canary",
    ),
    "a field that a request may have": (
        lambda d: request_of(d)["properties"].pop("dry_run"),
        "no longer takes dry_run",
    ),
    "a value that a request may have": (
        lambda d: (
            schema(d, "Mode")["enum"].remove("canary")
            if "Mode" in d["components"]["schemas"]
            else request_of(d)["properties"]["mode"]["enum"].remove("canary")
        ),
        "has other values",
    ),
    "a shorter text in a request": (
        lambda d: request_of(d)["properties"]["manifest_path"].update(maxLength=10),
        "has another maxLength",
    ),
    "a type in a request": (
        lambda d: request_of(d)["properties"]["dry_run"].update(type="string"),
        "dry_run is of type",
    ),
    "a null in a request": (
        lambda d: request_of(d)["properties"]["idempotency_key"]["anyOf"].pop(),
        "no longer takes null",
    ),
    "a parameter that is needed": (
        lambda d: operation(d, "get", LIST)["parameters"].append(
            {"name": "X-New", "in": "header", "required": True, "schema": {"type": "string"}}
        ),
        "needs the header parameter X-New",
    ),
    "a parameter": (lambda d: operation(d, "get", LIST)["parameters"].pop(), "no longer knows the query parameter"),
    "another token": (
        lambda d: operation(d, "get", LIST).update(security=[{"other": []}]),
        "asks for other credentials",
    ),
    "a field of every problem": (
        lambda d: (schema(d, "Problem")["required"].remove("detail"), schema(d, "Problem")["properties"].pop("detail")),
        "409 answer no longer promises detail",
    ),
    "a field of an answer that was not promised": (
        lambda d: schema(d, "Problem")["properties"].pop("violations"),
        "409 answer no longer has violations",
    ),
    "a problem that a caller waits for": (
        lambda d: operation(d, "post", START)["responses"].pop("409"),
        "no longer answers 409",
    ),
    "the kind of a problem": (
        lambda d: operation(d, "post", START)["responses"]["409"].update(content={"text/plain": {}}),
        "409 is no longer application/problem+json",
    ),
    "the type of a header": (
        lambda d: operation(d, "post", START)["responses"]["201"]["headers"]["Location"].update(
            schema={"type": "integer"}
        ),
        "header Location is of type",
    ),
    "the values of a table in an answer": (
        lambda d: schema(d, "ValidProfile")["properties"]["caps"]["additionalProperties"].update(type="string"),
        "caps * is of type",
    ),
    "the values of another table in an answer": (
        lambda d: schema(d, "SeedRunState")["properties"]["planned_rows"].update(additionalProperties=True),
        "planned_rows * is of type",
    ),
    "a field of an event": (
        lambda d: schema(d, "SeedRunProgress")["required"].remove("batches"),
        f"GET {EVENTS} 200 answer data content no longer promises batches",
    ),
    "a field that comes from a part of an answer": (
        lambda d: schema(d, "SeedRunAccepted").update(
            allOf=[{"required": ["seed_run_id"], "properties": schema(d, "SeedRunAccepted").pop("properties")}],
            required=["status"],
        ),
        "no longer promises manifest_hash",
    ),
    "a condition beside the others of a request": (
        lambda d: request_of(d).update(allOf=[{"properties": {"manifest_path": {"maxLength": 10}}}]),
        "has another maxLength",
    ),
    "a condition beside a choice": (
        lambda d: request_of(d)["properties"]["idempotency_key"].update(maxLength=10),
        "idempotency_key no longer takes string",
    ),
    "a field of a part that may be null": (
        lambda d: schema(d, "BudgetProgress")["required"].remove("faults"),
        "budget may also be BudgetProgress",
    ),
    "anything in an answer": (
        lambda d: schema(d, "SeedRunAccepted")["properties"].update(manifest_hash={}),
        "manifest_hash is of type string and any",
    ),
    "a token for everything": (
        lambda d: (operation(d, "get", "/healthz").pop("security", None), d.update(security=[{"other": []}])),
        "asks for other credentials",
    ),
    "a parameter of a whole path": (
        lambda d: d["paths"][LIST].update(
            parameters=[{"name": "X-New", "in": "header", "required": True, "schema": {"type": "string"}}]
        ),
        "needs the header parameter X-New",
    ),
    "a body's kind": (
        lambda d: operation(d, "post", START)["requestBody"].update(content={"text/plain": {}}),
        "no longer reads application/json",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_breaks_a_caller_is_named_and_needs_a_major_version(breaking: ModuleType, what: str) -> None:
    change, says = BREAKS[what]
    new = changed(change)
    found = breaking.broken(CONTRACT, new)
    assert any(says in line for line in found), found
    assert breaking.required_version(CONTRACT, new) == (2, 0, 0)


GROWS: dict[str, Callable[[Document], object]] = {
    "another answer": lambda d: operation(d, "get", LIST)["responses"].update({"410": {"description": "gone"}}),
    "a field in an event": lambda d: schema(d, "SeedRunProgress")["properties"].update(note={"type": "string"}),
    "a path": lambda d: d["paths"].update({"/api/v1/new": {"get": {"responses": {"200": {"description": "ok"}}}}}),
    "a field in a request": lambda d: request_of(d)["properties"].update(note={"type": "string"}),
    "a promise in an answer": lambda d: operation(d, "post", START)["responses"]["201"]["headers"].update(
        {"X-New": {}}
    ),
    "an optional parameter": lambda d: operation(d, "get", LIST)["parameters"].append(
        {"name": "order", "in": "query", "schema": {"type": "string"}}
    ),
}


@pytest.mark.parametrize("what", GROWS)
def test_what_is_only_new_needs_a_minor_version(breaking: ModuleType, what: str) -> None:
    new = changed(GROWS[what])
    assert breaking.broken(CONTRACT, new) == []
    assert breaking.required_version(CONTRACT, new) == (1, 1, 0)


def test_the_same_said_in_parts_needs_no_new_version(breaking: ModuleType) -> None:
    def in_parts(document: Document) -> None:
        accepted = schema(document, "SeedRunAccepted")
        accepted["allOf"] = [{"properties": accepted.pop("properties")}, {"required": accepted.pop("required")}]

    assert breaking.required_version(CONTRACT, changed(in_parts)) == (1, 0, 0)


def test_other_words_need_no_new_version(breaking: ModuleType) -> None:
    new = changed(lambda d: operation(d, "get", LIST).update(summary="Other words", description="And more of them."))
    assert breaking.required_version(CONTRACT, new) == (1, 0, 0)

"""The API's contract and its forms: headers, problems that repeat nothing, and a document that says it all."""

import io
import json
import logging
import subprocess
import sys

import pytest
import structlog
from factories import manifest_data

from seed_pipelines.api import etags, idempotency
from seed_pipelines.api.contract import SeedRunQuery, SeedRunRequest
from seed_pipelines.api.problems import answer_of, problem_of, status_of, unexpected
from seed_pipelines.api.service import read_as
from seed_pipelines.api.unechoed import violation_of, without_values
from seed_pipelines.errors import (
    HeaderNotUsable,
    KeysUnavailable,
    LendingServiceNotReady,
    ManifestNotFound,
    ManifestRejected,
    PreconditionMissing,
    ReportNotFound,
    ReportNotVerified,
    RequestRejected,
    SeedError,
    VaultUnavailable,
)
from seed_pipelines.manifest.load import examine
from seed_pipelines.outside.logs import configure_logs

SECRET = "123.456.789-09"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("plain", "plain"),
        (None, None),
    ],
)
def test_a_key_may_be_quoted_or_not(header, key):
    assert idempotency.key_in(header) == key


@pytest.mark.parametrize("header", ["", '""', "two words", '"', '"a"b"', "é", "x" * 201, "a\\b"])
def test_a_key_that_could_be_read_in_two_ways_is_refused(header):
    with pytest.raises(HeaderNotUsable):
        idempotency.key_in(header)


def test_a_fingerprint_knows_no_order_and_no_spelling():
    said = {"manifest_path": "dev/acme.yaml", "mode": "baseline", "ignore_window": False}
    assert idempotency.fingerprint_of(said) == idempotency.fingerprint_of(dict(reversed(said.items())))
    assert idempotency.fingerprint_of(said) != idempotency.fingerprint_of(said | {"ignore_window": True})
    left_out = json.dumps({"mode": "baseline", "manifest_path": "dev/acme.yaml"}).encode()
    spelled_out = json.dumps(said).encode()
    one, other = (read_as(SeedRunRequest, body).model_dump() for body in (left_out, spelled_out))
    assert idempotency.fingerprint_of(one) == idempotency.fingerprint_of(other)


@pytest.mark.parametrize(
    ("header", "strong", "weak", "any_"),
    [
        ('"1-ab"', ("1-ab",), (), False),
        ('W/"1-ab"', (), ("1-ab",), False),
        ('"1", W/"2", "3"', ("1", "3"), ("2",), False),
        ("*", (), (), True),
    ],
)
def test_if_match_is_a_list_or_an_asterisk(header, strong, weak, any_):
    found = etags.if_match(header)
    assert (found.strong, found.weak, found.any) == (strong, weak, any_)


@pytest.mark.parametrize("header", ["1-ab", "", '"1', 'w/"1"', '"1" "2"'])
def test_an_etag_without_its_quotation_marks_is_refused(header):
    with pytest.raises(HeaderNotUsable):
        etags.if_match(header)


def test_a_missing_if_match_is_told_apart():
    with pytest.raises(PreconditionMissing):
        etags.if_match(None)


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', "*", '"b", "a"'])
def test_if_none_match_is_compared_weakly(header):
    assert etags.is_known(header, "a")
    assert not etags.is_known('"b"', "a")
    assert not etags.is_known(None, "a")
    assert not etags.is_known("a", "a")


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b'{"mode": "baseline"}', "/manifest_path"),
        (b'{"manifest_path": "dev/acme.yaml", "mode": "nightly"}', "/mode"),
        (b'{"manifest_path": 7, "mode": "baseline"}', "/manifest_path"),
        (b'{"manifest_path": "dev/acme.yaml", "mode": "baseline", "dry_run": "true"}', "/dry_run"),
        (b'{"manifest_path": "dev/acme.yaml", "mode": "baseline", "dry_run": 1}', "/dry_run"),
        (b'{"manifest_path": "dev/acme.yaml", "mode": "baseline", "idempotency_key": "a b"}', "/idempotency_key"),
        (b'{"manifest_path": "dev/acme.yaml", "mode": "baseline", "123.456.789-09": 1}', ""),
        (b"\xff", ""),
    ],
)
def test_a_body_is_read_strictly_and_what_is_wrong_has_its_place(body, location):
    with pytest.raises(RequestRejected) as refusal:
        read_as(SeedRunRequest, body)
    ((where, _),) = refusal.value.violations
    assert where == location
    told = problem_of(refusal.value, instance="/x").model_dump_json()
    for sent in ("nightly", SECRET, "a b"):
        assert sent not in told


def test_a_query_is_read_by_its_texts():
    assert SeedRunQuery.model_validate_strings({"limit": "5"}).limit == 5


@pytest.mark.parametrize(
    "change",
    [
        {"profile": SECRET},
        {"version": "nobody@example.org"},
        {SECRET: "x"},
        {"tenant": "João da Silva"},
    ],
    ids=str,
)
def test_no_value_of_a_manifest_is_repeated(change):
    data = manifest_data()
    data["metadata"] |= change
    text = json.dumps(data, default=float)
    problems = examine(text.encode(), source="body").problems
    assert problems
    told = problem_of(ManifestRejected(problems), instance="/x")
    assert told.status == 422
    assert len(told.violations) == len(problems)
    for sent in (*change, *change.values()):
        if sent not in ("profile", "version", "tenant", "x"):
            assert sent not in told.model_dump_json()
    assert all(violation.line for violation in told.violations)


def test_a_violation_names_its_place_and_the_words_that_are_allowed():
    data = manifest_data()
    data["mode"] = "nightly"
    problems = examine(json.dumps(data, default=float).encode(), source="body").problems
    (violation,) = [violation_of(problem) for problem in problems if problem.pointer == "/mode"]
    assert violation.location == "/mode"
    assert "baseline" in violation.message
    assert "nightly" not in violation.message


def test_a_message_is_told_without_what_it_quotes():
    told = without_values(str(ManifestNotFound("dev/secret.yaml", why="'secret.yaml' does not exist")))
    assert "secret" not in told
    assert "does not exist" in told


def test_every_error_has_a_status_and_a_type_of_its_own():
    found = list(_below(SeedError))
    for kind in found:
        status = status_of(kind.__new__(kind))
        assert 400 <= status < 600, kind
    codes = [kind.code for kind in found if kind.__module__ == "seed_pipelines.errors"]
    assert len(codes) == len(set(codes))


def _below(kind):
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def test_a_bug_is_known_by_its_class_and_place_and_never_by_its_text():
    try:
        raise ValueError(SECRET)
    except ValueError as bug:
        ours = unexpected(bug)
    assert "ValueError at test_api_contract:" in str(ours)
    told = problem_of(ours, instance="/x")
    assert (told.status, told.code) == (500, "unexpected")
    assert SECRET not in f"{ours}{told.model_dump_json()}"


@pytest.fixture
def logged():
    """What is logged meanwhile."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logs(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


INSIDE = "s3://evidence/staging/1.json?versionId=7"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (VaultUnavailable(INSIDE, doing="mask", why="does not answer"), 503),
        (LendingServiceNotReady(INSIDE, why="does not answer"), 503),
        (KeysUnavailable(INSIDE, why="it is not there"), 503),
        (ReportNotVerified(INSIDE, why="signature"), 500),
        (ReportNotFound(INSIDE, why=f"it is not in {INSIDE}"), 404),
        (unexpected(ValueError()), 500),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_of_the_inside_the_log_is_told_and_the_caller_is_not(logged, error, status):
    answer = answer_of(error, {"type": "http", "headers": []})
    told = json.loads(answer.body)
    assert (answer.status_code, told["type"]) == (status, f"urn:seed-pipelines:problem:{error.code}")
    for word in ("evidence", "s3:", "signature", "it is not"):
        assert word not in told["detail"]
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["error_code"] for line in lines] == ([error.code] if status >= 500 else [])
    assert all(INSIDE in line["event"] for line in lines if error.code != "unexpected")


def test_the_contract_and_the_client_need_no_server():
    program = (
        "import sys, seed_pipelines.api.contract\n"
        "heavy = {'fastapi', 'starlette', 'dagster', 'psycopg', 'uvicorn'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

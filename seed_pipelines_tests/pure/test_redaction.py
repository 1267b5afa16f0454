"""What may leave in logs, spans and metrics."""

import pytest

from seed_pipelines.errors import ReportNotStored
from seed_pipelines.redaction import ALLOWED_KEYS, allowed, facts_of, scrubbed


class DatabaseError(Exception):
    sqlstate = "23505"


@pytest.mark.parametrize(
    "text",
    [
        "529.982.247-25",
        "52998224725",
        "12.ABC.345/01DE-35",
        "11.222.333/0001-81",
        "11222333000181",
        "maria.souza+x@bank.test",
        "MARIA_S@mail.bank.com.br",
        "+5511987654321",
        "+55 (11) 98765-4321",
    ],
)
@pytest.mark.parametrize("frame", ["{}", "for {}.", "a={},b", "Key (x)=({}) exists", "'{}'", "\n{}\n"])
def test_documents_and_addresses_are_taken_out_of_text(text, frame):
    assert text not in scrubbed(frame.format(text))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 64,
        "0192f0c1-7b1e-7c3a-9d55-0d8a4f3b2c11",
        "12345678901a2345678901b",
        "2026-11-02T22:00:00.000000Z",
        "loans of shard 0003, batch 12, rows 1000000000000001",
        "dev/acme.yaml",
        "R$ 1.20",
    ],
)
def test_hashes_times_and_names_of_things_stay(text):
    assert scrubbed(text) == text


def test_long_text_is_cut():
    assert len(scrubbed("x" * 50_000)) == 1_000


def test_only_allowed_keys_leave():
    values = {"rows": 5, "email": "x", "row": {"cpf": 1}, "shard": "0001", "mode": None}
    assert allowed(values) == {"rows": 5, "shard": "0001"}


def test_a_value_that_is_not_plain_leaves_as_scrubbed_text():
    assert allowed({"entity": ["52998224725"]}) == {"entity": "['[cpf]']"}


@pytest.mark.parametrize("key", ["email", "document_number", "name", "phone", "row", "customer_id", "token", "dsn"])
def test_keys_of_people_and_secrets_are_not_on_the_list(key):
    assert key not in ALLOWED_KEYS


def test_of_our_error_the_class_and_code_are_said():
    assert facts_of(ReportNotStored("s3://b/k", why="x")) == {
        "error_class": "ReportNotStored",
        "error_code": "report-not-stored",
    }


def test_of_a_database_error_the_sqlstate_is_said_also_below_ours():
    error = ReportNotStored("s3://b/k", why="x")
    error.__cause__ = DatabaseError("Failing row contains (52998224725)")
    assert facts_of(error)["sqlstate"] == "23505"
    assert facts_of(DatabaseError("x")) == {"error_class": "DatabaseError", "sqlstate": "23505"}

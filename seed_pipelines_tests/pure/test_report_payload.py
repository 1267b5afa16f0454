"""What a report says, and the envelope in which it says it."""

import json
from datetime import datetime
from decimal import Decimal

import pytest
from report_factory import make_evidence, make_signer

from seed_pipelines.errors import BudgetTooSmall, ReportNotCanonical
from seed_pipelines.evidence.facts import Outcome
from seed_pipelines.evidence.report import json_of, problem_of, report_of, sealed_envelope

SPECIFIED = [
    "run_id",
    "tenant",
    "environment",
    "manifest_path",
    "manifest_hash_sha256",
    "schema_version",
    "mode",
    "reference_datetime",
    "caps",
    "planned_rows",
    "actual_rows",
    "rate_limit_usage",
    "budget_usage",
    "slo",
    "batches",
    "checkpoints",
    "errors",
    "otel_trace_id",
    "otel_span_id",
    "started_at",
    "finished_at",
    "outcome",
    "masking_key",
    "generator_version",
    "vocabulary_sha256",
    "flags",
    "preflight",
    "dataset_hash",
    "telemetry",
    "previous_report_hash",
    "statement",
]


class ForeignError(Exception):
    sqlstate = "23505"


@pytest.mark.parametrize("name", SPECIFIED)
def test_every_specified_field_is_in_the_payload(name):
    assert name in report_of(make_evidence()).payload


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_way_to_end_has_a_report(outcome):
    assert report_of(make_evidence(outcome=outcome)).payload["outcome"] == outcome.value


def test_the_same_evidence_gives_the_same_bytes():
    assert report_of(make_evidence()).content == report_of(make_evidence()).content


def test_two_signatures_of_one_report_differ_and_their_payloads_do_not():
    first, second = (json.loads(sealed_envelope(make_evidence(), signer=make_signer())) for _ in range(2))
    assert first["signature"]["value"] != second["signature"]["value"]
    assert first["payload"] == second["payload"]


def test_an_unsigned_envelope_says_so_and_invents_nothing():
    envelope = json.loads(sealed_envelope(make_evidence(), signer=None))
    assert envelope["signature"] == {
        "algorithm": "none",
        "key": None,
        "key_version": None,
        "public_key_sha256": None,
        "value": None,
    }
    assert envelope["payload"]["flags"]["local_signing_key"] is False


def test_a_local_signing_key_is_said_in_the_flags():
    envelope = json.loads(sealed_envelope(make_evidence(flags={"dry_run": True}), signer=make_signer()))
    assert envelope["payload"]["flags"] == {"dry_run": True, "local_signing_key": True}


def test_the_statement_says_that_the_data_are_synthetic():
    assert "synthetic" in report_of(make_evidence()).payload["statement"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (True, True),
        (None, None),
        ("e\u0301", "\u00e9"),
        ("not \udcff UTF-8", "not \\udcff UTF-8"),
        (datetime.fromisoformat("2026-11-02T19:00:00-03:00"), "2026-11-02T22:00:00.000000Z"),
        ((1, "a"), [1, "a"]),
        ({"a": {"b": 2**60}}, {"a": {"b": "1152921504606846976"}}),
    ],
)
def test_values_are_said_in_one_way(value, said):
    assert json_of(value) == said


@pytest.mark.parametrize("value", [0.5, Decimal("1.5"), {1, 2}, b"x", object(), datetime(2026, 11, 2)])  # noqa: DTZ001
def test_what_has_no_one_form_is_refused(value):
    with pytest.raises(ReportNotCanonical):
        json_of(value)


def test_our_error_becomes_problem_details():
    problem = problem_of(BudgetTooSmall(2_000_000, cap_micro_brl=1_000_000))
    assert problem.type == "urn:seed-pipelines:problem:budget-too-small"
    assert problem.status == 422
    assert "R$ 2.00" in problem.detail


def test_a_foreign_error_gives_its_class_and_sqlstate_and_none_of_its_text():
    problem = problem_of(ForeignError("Key (email)=(alice@bank.test) already exists"))
    assert problem.detail == "ForeignError, SQLSTATE 23505"

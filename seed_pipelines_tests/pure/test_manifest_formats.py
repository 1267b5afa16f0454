"""Problems as text, JSON, GitHub annotations and SARIF."""

import json
from dataclasses import replace

import pytest

from seed_pipelines.manifest.problem_formats import FORMATS
from seed_pipelines.manifest.problems import Problem, did_you_mean, dotted, pointer_of, shown

PROBLEM = Problem(
    source="manifests/dev/a,b:c.yaml",
    line=14,
    column=3,
    pointer="/volumetry/loan",
    rule="unknown-entity",
    message="entity 'loan' is 100% unknown.\nDid you mean 'loans'?",
    value="'loan'",
    allowed=("loans", "tenants"),
)


def test_text_is_one_line_that_editors_can_follow():
    assert FORMATS["text"]([PROBLEM]).startswith("manifests/dev/a,b:c.yaml:14:3: entity 'loan'")
    assert FORMATS["text"]([PROBLEM]).endswith("[unknown-entity]")


def test_json_has_every_field():
    (problem,) = json.loads(FORMATS["json"]([PROBLEM]))["problems"]
    assert problem["pointer"] == "/volumetry/loan"
    assert problem["allowed"] == ["loans", "tenants"]
    assert set(problem) == {"source", "line", "column", "pointer", "rule", "message", "value", "allowed"}


def test_a_github_annotation_cannot_be_broken_out_of():
    assert FORMATS["github"]([PROBLEM]) == (
        "::error file=manifests/dev/a%2Cb%3Ac.yaml,line=14,col=3,title=manifest%3A unknown-entity"
        "::entity 'loan' is 100%25 unknown.%0ADid you mean 'loans'?"
    )


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_files_name_can_forge_nothing_and_need_not_be_unicode(name):
    report = FORMATS[name]([replace(PROBLEM, source="dev/a\n::error::b\x1b[2J\udcff.yaml", message="x")])
    assert "\n::error" not in report
    assert "\x1b" not in report
    assert report.encode()


def test_sarif_has_what_code_scanning_needs():
    log = json.loads(FORMATS["sarif"]([PROBLEM, PROBLEM]))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "unknown-entity"}]
    assert len(run["results"]) == 2
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "manifests/dev/a%2Cb%3Ac.yaml"
    assert place["region"] == {"startLine": 14, "startColumn": 3}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_problem_is_still_a_report_that_programs_can_read(name):
    text = FORMATS[name]([])
    assert text == "" if name in ("text", "github") else json.loads(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[31m\n", r"'a\x1b[31m\n'"),
        ("\u202eevil", r"'\u202eevil'"),
        ({"a": 1}, "a mapping of 1 fields"),
        ([1, 2], "a list of 2 items"),
        (True, "true"),
        (None, "nothing"),
    ],
)
def test_a_value_is_shown_on_one_line_without_control_characters(value, text):
    assert shown(value) == text


def test_a_huge_value_is_shown_shortened():
    assert len(shown("x" * 10**6)) <= 82
    assert len(dotted(("volumetry", "x" * 10**6))) < 100


def test_places_are_written_as_pointers_and_as_people_write_them():
    assert pointer_of(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"
    assert dotted(("canary", "tenants", 2)) == "canary.tenants[2]"
    assert dotted(("canary", "a\nb")) == r"canary.'a\nb'"


def test_a_near_name_is_suggested_and_a_far_one_is_not():
    assert did_you_mean("loan", known=("loans", "users")) == " Did you mean 'loans'?"
    assert did_you_mean("zzz", known=("loans", "users")) == ""

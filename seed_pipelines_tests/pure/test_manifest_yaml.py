"""Strict YAML: what stays text, what is refused, and where."""

import json
from decimal import Decimal

import pytest
from manifest_cases import content_of, example

from seed_pipelines.manifest.strict_yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, read_document


def read(text):
    return read_document(text if isinstance(text, bytes) else text.encode(), source="dev/acme.yaml")


def value_of(text):
    document = read(f"a: {text}")
    assert document.problems == ()
    return document.data["a"]


# YAML 1.1 makes a boolean, a number of minutes, an octal number, a date or another guess out of each.
GUESSED_AT = """
no NO off on yes y True 1:30 22:00 010 00123 1_000 1e3 +5 .5 5. 2026-11-02 2026-11-02T00:00:00Z 0x1f 0o17 0b1 = 1.2.3 ٣
"""


@pytest.mark.parametrize("text", GUESSED_AT.split())
def test_a_plain_scalar_that_yaml_would_guess_at_stays_the_text_that_it_is(text):
    assert value_of(text) == text


@pytest.mark.parametrize("text", ["true", "1", "null", "1.5", "", "~", "NaN"])
def test_a_quoted_scalar_is_always_text(text):
    assert value_of(json.dumps(text)) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("0", 0), ("-7", -7), ("3.10", Decimal("3.10")), ("50.0", Decimal(50))],
)
def test_booleans_and_decimal_numbers_resolve(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ('a: 1\n"a": 3\n', "duplicate-key", 2, 1),
        ("a: {b: 1, b: 2}\n", "duplicate-key", 1, 11),
        ('{"a": 1,\n "a": 2}', "duplicate-key", 2, 2),
        ("a: &x 1\n", "anchor", 1, 4),
        ("a: &x 1\nb: *x\n", "alias", 2, 4),
        ("a: {b: 1}\n<<: {c: 1}\n", "merge-key", 2, 1),
        ("a: 1\nb: !!int 3\n", "tag", 2, 4),
        ("a: ! 3\n", "tag", 1, 4),
        ("a: !!python/object/apply:os.system [x]\n", "tag", 1, 4),
        ("a: 1\nb:\n", "no-value", 2, 3),
        ("a: null\n", "no-value", 1, 4),
        ("a: ~\n", "no-value", 1, 4),
        ('{"a": null}', "no-value", 1, 7),
        ("a: .nan\n", "not-a-number", 1, 4),
        ('{"a": NaN}', "not-a-number", 1, 7),
        ("a: -Infinity\n", "not-a-number", 1, 4),
        ("a: 9999999999999999\n", "number-too-long", 1, 4),
        ("a: " + "9" * 5000 + "\n", "number-too-long", 1, 4),
        ("? [a, b]\n: 1\n", "key-not-text", 1, 3),
        ("%YAML 1.1\n---\na: 1\n", "directive", 1, 1),
        ("a: 1\n---\nb: 2\n", "several-documents", 2, 1),
        ("", "empty", 1, 1),
        ("# nothing\n", "empty", 1, 1),
        ("a: [1\nb: 2\n", "yaml-syntax", 2, 2),
        ("\ta: 1\n", "yaml-syntax", 1, 1),
        ("a: 1\n b: 2\n", "yaml-syntax", 2, 3),
        ("a: 1\nb: e\u0301\n", "not-nfc", 2, 1),
        ('a: "e\\u0301"\n', "not-nfc", 1, 4),
        ("a: 1\nb: x\u2028c: 2\n", "unseen-character", 2, 5),
        ("a: \u202e1\n", "unseen-character", 1, 4),
        ("\ufeffa: 1\n", "unseen-character", 1, 1),
        ("a: \x001\n", "unseen-character", 1, 4),
        ("a: 1\rb: 2\n", "unseen-character", 1, 5),
        (b"a: 1\nb: \xff\n", "not-utf8", 2, 4),
        ("a: 1".encode("utf-16"), "not-utf8", 1, 1),
    ],
)
def test_what_yaml_would_take_and_we_do_not_is_refused_where_it_stands(text, rule, line, column):
    problems = read(text).problems
    assert (rule, line, column) in {(problem.rule, problem.line, problem.column) for problem in problems}


def test_the_first_of_two_equal_keys_is_kept_and_the_rest_is_still_read():
    document = read("tenant: acme\ntenant: evil\nmode: x\n")
    assert document.data == {"tenant": "acme", "mode": "x"}
    assert "the first is on line 1" in document.problems[0].message


def test_every_problem_is_noted_not_only_the_first():
    rules = [problem.rule for problem in read("a: &x 1\nb: *x\nc: !t 2\nc: null\n").problems]
    assert rules == ["anchor", "alias", "tag", "duplicate-key", "no-value"]


def test_a_billion_laughs_end_at_the_first_alias():
    bomb = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
    document = read(bomb)
    assert {problem.rule for problem in document.problems} == {"anchor", "alias"}
    assert len(str(document.data)) < 500


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[" * 200, "too-deep"),
        ("{a: " * 50_000, "too-deep"),
        # The parser has a limit of its own, which comes first where nothing but brackets is read.
        ("[" * 200_000, "yaml-syntax"),
        ("- " * (MAX_DEPTH + 2) + "x", "too-deep"),
        ("[" + "1," * (MAX_NODES + 1) + "]", "too-many-nodes"),
        ("#" * (MAX_BYTES + 1), "too-big"),
    ],
)
def test_the_limits_on_size_depth_and_values_hold(text, rule):
    document = read(text)
    assert document.data is None
    assert [problem.rule for problem in document.problems] == [rule]


def test_what_is_within_the_limits_is_read():
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).problems == ()
    assert read(b"a: 1 #" + b"#" * (MAX_BYTES - 6)).problems == ()


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_says_the_same_as_yaml(indent):
    data = example("carga")
    as_json = json.dumps(data, indent=indent, default=float)
    assert read(as_json).data == read(content_of(data)).data == data


def test_values_and_keys_know_their_places():
    document = read("metadata:\r\n  # ação\r\n  tenant: 'acme'\r\n")
    assert (document.keys[("metadata", "tenant")].line, document.keys[("metadata", "tenant")].column) == (3, 3)
    mark = document.values[("metadata", "tenant")]
    assert "metadata:\r\n  # ação\r\n  tenant: 'acme'\r\n"[mark.start : mark.stop] == "'acme'"

"""The one form of a report's bytes."""

import functools
import json
import unicodedata
from decimal import Decimal

import hypothesis
import pytest
from hypothesis import strategies

from seed_pipelines.errors import ReportNotCanonical
from seed_pipelines.evidence.canonical import DEEPEST, LARGEST_INTEGER, canonical_bytes, is_canonical, parse

TEXTS = strategies.text(strategies.characters(exclude_categories=("Cs",))).map(
    functools.partial(unicodedata.normalize, "NFC")
)
VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | TEXTS,
    lambda inner: strategies.lists(inner) | strategies.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@hypothesis.given(VALUES)
def test_what_is_written_is_read_back_and_is_canonical(value):
    content = canonical_bytes(value)
    assert parse(content) == value
    assert is_canonical(content, value)


def test_keys_are_ordered_by_utf16_and_not_by_code_point():
    # U+1F600 is a surrogate pair that begins with D83D, so it comes before U+FF5E.
    assert canonical_bytes({"\uff5e": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\uff5e":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        Decimal("1"),
        float("nan"),
        LARGEST_INTEGER + 1,
        -LARGEST_INTEGER - 1,
        "e\u0301",
        {"e\u0301": 1},
        "\ud800",
        {1: 2},
        b"bytes",
        {1, 2},
        {"deep": [{"er": 0.5}]},
    ],
)
def test_what_two_readers_could_read_differently_is_not_written(value):
    with pytest.raises(ReportNotCanonical):
        canonical_bytes(value)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":1,"a":1}',
        b'{"b":{"a":1,"\\u0061":2}}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        '{"a":"e\u0301"}'.encode(),
        b"[" * 100_000,
        b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2),
        b"",
        b"{",
        b'{"a":1} {"a":1}',
    ],
)
def test_what_two_readers_could_read_differently_is_not_read(content):
    with pytest.raises(ReportNotCanonical):
        parse(content)


@pytest.mark.parametrize("content", [b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1}\n', b'{"a":-0}', b'{"a":"\\u0041"}'])
def test_another_form_of_the_same_value_is_found(content):
    assert not is_canonical(content, parse(content))


def test_the_message_names_the_place_and_not_the_value():
    with pytest.raises(ReportNotCanonical, match=r"\$\.batches\[1\]\.rows") as refused:
        canonical_bytes({"batches": [{"rows": 1}, {"rows": 0.125}]})
    assert "0.125" not in str(refused.value)


def test_python_json_reads_the_canonical_form():
    value = {"a": ["ç", 1, None, True], "b": {"c": "\u2028\x7f\x01"}}
    assert json.loads(canonical_bytes(value)) == value

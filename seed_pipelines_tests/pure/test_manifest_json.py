"""Manifests that are said to be JSON: JSON's own grammar decides, and then the rules of every manifest."""

import json

import pytest
from factories import manifest_data

from seed_pipelines.manifest.load import examine
from seed_pipelines.manifest.strict_json import examine_json

SMILE = r"\ud83d\ude00"


def problems_of(text):
    content = text if isinstance(text, bytes) else text.encode()
    return [(each.rule, each.line, each.column) for each in examine_json(content, source="body").problems]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"mode": "baseline",}', 1, 21),
        ('{\n  "mode": baseline\n}', 2, 11),
        ("mode: baseline\n", 1, 1),
        ("# A remark.\n{}", 1, 1),
        ("{'mode': 'baseline'}", 1, 2),
        ('{"mode": "base\nline"}', 1, 15),
        ('{"cap": 010}', 1, 10),
        ('{"a": 1} {"b": 2}', 1, 10),
        ("", 1, 1),
    ],
)
def test_what_is_no_json_is_refused_where_it_stops_being_any(text, line, column):
    assert problems_of(text) == [("json-syntax", line, column)]


def test_what_is_json_is_read_as_every_manifest_is():
    text = json.dumps(manifest_data(), default=float).encode()
    assert examine_json(text, source="body") == examine(text, source="body")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'"{SMILE}"', "\U0001f600"),
        (rf'"{SMILE}{SMILE}\u00e9\/"', "\U0001f600\U0001f600\u00e9/"),
        (r'"\\ud83d\\ude00"', SMILE),
        (rf'"\\{SMILE}"', "\\\U0001f600"),
        ('"\U0001f600"', "\U0001f600"),
    ],
)
def test_a_character_of_two_escapes_is_that_character(text, said):
    assert json.loads(text) == said
    examined = examine_json(f'{{"mode": {text}}}'.encode(), source="body")
    assert examined.document.data == {"mode": said}
    assert not examined.document.problems


def test_what_stands_after_such_a_character_keeps_its_place():
    text = f'{{"{SMILE}": "{SMILE}{SMILE}", "cap": null,\n"{SMILE}x": NaN}}'
    first, second = text.split("\n")
    found = problems_of(text)
    assert ("no-value", 1, first.index("null") + 1) in found
    assert ("not-a-number", 2, second.index("NaN") + 1) in found


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (r'{"a": "\ud83d"}', "yaml-syntax"),
        (r'{"a": "\ude00\ud83d"}', "yaml-syntax"),
        ('{"a": 1, "a": 2}', "duplicate-key"),
        ('{"a": ' + "1" * 5000 + "}", "number-too-long"),
        ("[" * 100_000, "yaml-syntax"),
        ('{"a": "' + "x" * 300_000, "too-big"),
        (b'{"a": "\xff"}', "not-utf8"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "long",
)
def test_the_rules_of_every_manifest_hold_for_json_too(text, rule):
    assert rule in {found for found, *_ in problems_of(text)}

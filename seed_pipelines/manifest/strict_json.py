"""Manifest text that is said to be JSON: it has to be, before it is read by the rules of every manifest.

The reader of YAML takes more than JSON, and one thing less: a character of two escapes, such as \\ud83d\\ude00. Text
that is no JSON is refused with the place where it stops being any; such escapes are read as the character they are.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from seed_pipelines.manifest.load import Examined, examine
from seed_pipelines.manifest.problems import Problem
from seed_pipelines.manifest.strict_yaml import MAX_BYTES, Document

# The second half finds every other escape, so that the backslash of an escaped one begins none.
_ESCAPES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\.")
# Twelve characters become one.
_SHORTER_BY = 11


def examine_json(content: bytes, *, source: str) -> Examined:
    """As `examine`. Its problems have their places in the text, its document those in the text without such escapes."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return examine(content, source=source)
    if len(content) > MAX_BYTES:
        return examine(content, source=source)
    problem = _syntax_problem(text, source)
    if problem is not None:
        document = Document(source=source, data=None, problems=(problem,), keys={}, values={})
        return Examined(document=document, manifest=None, problems=document.problems)
    examined = examine(_ESCAPES.sub(_character, text).encode(), source=source)
    lines = text.split("\n")
    return replace(examined, problems=tuple(_in_the_text(problem, lines) for problem in examined.problems))


def _syntax_problem(text: str, source: str) -> Problem | None:
    try:
        # Numbers stay text: how long one may be is decided by the reader, with its place.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as wrong:
        why = f"this is not JSON: {wrong.msg}. Correct it, or send YAML as application/yaml."
        line, column = wrong.lineno, wrong.colno
        return Problem(source=source, line=line, column=column, pointer="", rule="json-syntax", message=why)
    except RecursionError:
        # Nested deeper than the reader takes, which names the place.
        return None
    return None


def _character(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    return chr(0x10000 + (int(found[1], 16) - 0xD800) * 0x400 + int(found[2], 16) - 0xDC00)


def _in_the_text(problem: Problem, lines: list[str]) -> Problem:
    """The problem where it stands before the escapes of its line were read."""
    column = problem.column
    for index, start in enumerate(_starts_of_pairs(lines[problem.line - 1])):
        if start - index * _SHORTER_BY >= problem.column - 1:
            break
        column += _SHORTER_BY
    return replace(problem, column=column)


def _starts_of_pairs(line: str) -> Iterator[int]:
    return (found.start() for found in _ESCAPES.finditer(line) if found[1] is not None)

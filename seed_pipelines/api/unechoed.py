"""What may be told of a request's faults: where they are and what is wanted, never a value that was sent.

Our messages put a value that comes from outside in quotation marks; what stands in them is taken out, unless it is one
of the words that are allowed there. Documents, e-mails and phone numbers are taken out wherever they stand.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from seed_pipelines.api.contract import Violation
from seed_pipelines.manifest.problems import Problem
from seed_pipelines.manifest.schema import schema
from seed_pipelines.redaction import scrubbed

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_HIDDEN = "'…'"


def without_values(text: str, *, allowed: Iterable[str] = ()) -> str:
    """A message without what stands in quotation marks, but for the allowed words."""
    known = frozenset(allowed)

    def kept(found: re.Match[str]) -> str:
        word = found[1] if found[1] is not None else found[2]
        return found[0] if word in known else _HIDDEN

    return scrubbed(_QUOTED.sub(kept, text))


def violation_of(problem: Problem) -> Violation:
    """What is wrong in a manifest, without a value or a name that is not the contract's."""
    known, parts = _field_names(), problem.pointer.split("/")[1:]
    stop = next((index for index, part in enumerate(parts) if not (part in known or part.isdigit())), len(parts))
    message = problem.message
    value = problem.value or ""
    # A hash is shown by its beginning.
    for word in (value, *([value[:12]] if len(value) == 64 else []), *parts[stop:]):
        if word and word not in known:
            message = re.sub(rf"(?<![\w.]){re.escape(word)}(?![\w.])", _HIDDEN, message)
    return Violation(
        location="".join(f"/{part}" for part in parts[:stop]),
        message=without_values(message, allowed={*problem.allowed, *known}),
        rule=problem.rule,
        line=problem.line,
        column=problem.column,
    )


@cache
def _field_names() -> frozenset[str]:
    return frozenset(_names_in(schema()))


def _names_in(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from part.get("properties", {})
        for below in part.values():
            yield from _names_in(below)
    elif isinstance(part, list):
        for below in part:
            yield from _names_in(below)

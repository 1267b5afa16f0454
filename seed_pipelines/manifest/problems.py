"""What is wrong in a manifest, and where.

A `Fault` says what is wrong at a place of the data; a `Problem` is a fault with the line and column of its file.
Values are shown shortened and escaped, so that no file can forge or flood a terminal or a log.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

SHOWN_CHARACTERS = 80

# Where something stands in the data: field names and list indexes, outermost first.
Path: TypeAlias = tuple[str | int, ...]
# What a manifest's text becomes: no floats, no dates.
Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | Decimal | bool | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule that the data breaks. `on_key`: the name of the field is at fault, or something missing below it."""

    path: Path
    rule: str
    message: str
    value: str | None = None
    allowed: tuple[str, ...] = ()
    on_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A fault in a file; lines and columns count from 1, columns in characters."""

    source: str
    line: int
    column: int
    pointer: str
    rule: str
    message: str
    value: str | None = None
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{on_one_line(self.source)}:{self.line}:{self.column}: {self.message} [{self.rule}]"


def on_one_line(text: str) -> str:
    """A file's name or a message without anything that could forge a line or that is no Unicode."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def pointer_of(path: Path) -> str:
    """The JSON Pointer (RFC 6901) of a place; the whole document is the empty text."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def dotted(path: Path) -> str:
    """A place as people write it: `volumetry.loans.cap`, `canary.tenants[2]`; names are shortened and escaped."""
    text = ""
    for part in path:
        name = f"[{part}]" if isinstance(part, int) else _plain_name(part)
        text += name if isinstance(part, int) or not text else f".{name}"
    return text or "the manifest"


def shown(value: object) -> str:
    """A value as messages show it: one line, no control characters, at most 80 characters."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return f"a mapping of {len(value)} fields"
        case list():
            return f"a list of {len(value)} items"
        case Decimal():
            return _shortened(format(value, "f"))
        case str():
            return repr(_shortened(value))
        case None:
            return "nothing"
    return _shortened(str(value))


def listed(names: Iterable[object]) -> str:
    """Allowed names or values, in a sentence."""
    return ", ".join(str(name) for name in names)


def did_you_mean(name: str, *, known: Iterable[str]) -> str:
    """` Did you mean 'loans'?` where a known name is near, else nothing."""
    near = difflib.get_close_matches(name[:SHOWN_CHARACTERS], list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def _plain_name(name: str) -> str:
    short = _shortened(name)
    return short if short.isprintable() and " " not in short else repr(short)


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"

"""The one form of a report's bytes: RFC 8785 JSON, without the parts on which readers disagree.

Only null, true, false, integers up to 2^53-1, text in NFC, arrays and objects. A float or a Decimal is refused:
money is in millionths and larger integers are text, both made by the caller. `parse` takes no more than
`canonical_bytes` makes, apart from white space and the order of keys: a key said twice, NaN, a fraction and
text that is not UTF-8 are refused.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

import rfc8785

from seed_pipelines.errors import ReportNotCanonical

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32


def canonical_bytes(value: Json) -> bytes:
    """The bytes that are hashed, signed and stored."""
    _refuse_foreign(value, where="$", depth=0)
    return rfc8785.dumps(value)


def parse(content: bytes) -> Json:
    """The value in `content`; anything that two readers could read differently is refused."""
    try:
        text = content.decode("utf-8")
        value: Json = json.loads(
            text,
            object_pairs_hook=_object_once,
            parse_float=_refuse_fraction,
            parse_constant=_refuse_fraction,
        )
    except UnicodeDecodeError as error:
        raise ReportNotCanonical("the report", why=f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        why = f"it is not JSON at line {error.lineno}, column {error.colno}"
        raise ReportNotCanonical("the report", why=why) from None
    except (RecursionError, ValueError):
        raise ReportNotCanonical("the report", why="it is nested too deeply or a number is too long") from None
    _refuse_foreign(value, where="$", depth=0)
    return value


def is_canonical(content: bytes, value: Json) -> bool:
    """Whether `content`, which was parsed to `value`, is its canonical form."""
    return canonical_bytes(value) == content


def _object_once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ReportNotCanonical("an object", why=f"the key {twice[:80]!r} is there twice")
    return found


def _refuse_fraction(text: str) -> NoReturn:
    raise ReportNotCanonical("a number", why=f"{text[:40]!r} is not an integer")


def _refuse_foreign(value: object, *, where: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ReportNotCanonical("the report", why=f"it is nested more than {DEEPEST} deep")
    match value:
        case None | bool():
            return
        case int():
            if abs(value) > LARGEST_INTEGER:
                raise ReportNotCanonical(where, why="the integer is beyond 2^53-1; give it as text")
        case str():
            _refuse_text(value, where=where)
        case Mapping():
            for key, item in value.items():
                _refuse_key(key, where=where)
                _refuse_foreign(item, where=f"{where}.{key}", depth=depth + 1)
        case list() | tuple():
            for index, item in enumerate(value):
                _refuse_foreign(item, where=f"{where}[{index}]", depth=depth + 1)
        case _:
            raise ReportNotCanonical(where, why=f"a {type(value).__name__} has no canonical form")


def _refuse_key(key: object, *, where: str) -> None:
    if not isinstance(key, str):
        raise ReportNotCanonical(where, why=f"a key is a {type(key).__name__}, not text")
    _refuse_text(key, where=where)


def _refuse_text(text: str, *, where: str) -> None:
    if not unicodedata.is_normalized("NFC", text):
        raise ReportNotCanonical(where, why="the text is not in NFC")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ReportNotCanonical(where, why="the text holds half of a surrogate pair") from None

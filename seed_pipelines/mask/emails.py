"""Masked e-mail addresses: the local part keeps its length and punctuation, the domain is always a reserved one.

Letters and digits of the local part are permuted together, over all strings of that many letters and digits.
Addresses on reserved domains keep their domain, and no two of them get the same mask. Any other domain becomes
example.com, so that nothing is ever sent to anybody; two addresses that differ in such a domain only get the same
mask.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.errors import NotMaskable
from seed_pipelines.mask.aes_columns import Bytes
from seed_pipelines.mask.by_length import content, from_bytes
from seed_pipelines.mask.ff1_digits import DigitCipher

FALLBACK_DOMAIN = "example.com"

# 36^4 is the smallest power above a million.
_FEWEST_CHARACTERS = 4
_WANTED = f"an address in lower case with at least {_FEWEST_CHARACTERS} letters or digits before the @"
_RESERVED = r"@(?:[a-z0-9-]+\.)*example\.(?:com|net|org)$|@(?:[a-z0-9-]+\.)+(?:example|invalid|test)$"
_AT = ord("@")

_ALPHABET = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
# Of the shortest address that is taken.
DOMAIN = len(_ALPHABET) ** _FEWEST_CHARACTERS
_PUNCTUATION, _FORBIDDEN = 254, 255


def mask_emails(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other addresses; raises NotMaskable."""
    values = _on_reserved_domains(values)
    lengths = pc.binary_length(values).to_numpy()
    data = content(values).copy()
    places, counts = _maskable(data, lengths, column)
    cipher = DigitCipher(key=key, radix=len(_ALPHABET), tweak=b"email|local")
    data[places] = _ALPHABET[cipher.encrypt(_CODE_OF_CHARACTER[data[places]], counts)]
    return from_bytes(data, lengths, type_=pa.string())


def _on_reserved_domains(values: pa.Array) -> pa.Array:
    reserved = pc.match_substring_regex(values, pattern=_RESERVED)
    if pc.all(reserved, min_count=0).as_py():
        return values
    replaced = pc.replace_substring_regex(values, pattern="@[^@]+$", replacement=f"@{FALLBACK_DOMAIN}")
    return pc.if_else(reserved, values, replaced)


def _maskable(data: Bytes, lengths: NDArray[np.int32], column: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the letters and digits of the local parts are, and how many each row has."""
    ends = np.cumsum(lengths, dtype=np.intp)
    starts, ats = ends - lengths, np.flatnonzero(data == _AT)
    if len(ats) != len(lengths) or ((ats < starts) | (ats >= ends)).any():
        per_row = np.bincount(np.searchsorted(ends, ats, side="right"), minlength=len(lengths))
        raise NotMaskable(column, rows=int((per_row != 1).sum()), wanted=_WANTED)
    bounds = np.column_stack((ats - starts, ends - ats)).ravel()
    is_local = np.repeat(np.tile((True, False), len(lengths)), bounds)
    codes = _CODE_OF_CHARACTER[data]
    is_free = is_local & (codes < _PUNCTUATION)
    counts = np.add.reduceat(is_free, starts, dtype=np.intp)
    forbidden = np.add.reduceat(is_local & (codes == _FORBIDDEN), starts, dtype=np.intp)
    wrong = (counts < _FEWEST_CHARACTERS) | (forbidden > 0) | (ends - 1 == ats)
    if wrong.any():
        raise NotMaskable(column, rows=int(wrong.sum()), wanted=_WANTED)
    return np.flatnonzero(is_free), counts


def _code_table() -> Bytes:
    table = np.full(256, _FORBIDDEN, dtype=np.uint8)
    table[_ALPHABET] = np.arange(len(_ALPHABET))
    table[np.frombuffer(b".-_+", dtype=np.uint8)] = _PUNCTUATION
    return table


_CODE_OF_CHARACTER = _code_table()

"""Masked Pix keys and end-to-end ids.

A key that is the customer's document, phone or e-mail gets the mask of that column of customers, under that column's
key, so both stay equal; a random one becomes another random one. An end-to-end id keeps institution and time; its
free part is permuted.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.errors import NotMaskable
from seed_pipelines.mask.aes_columns import Bytes
from seed_pipelines.mask.by_length import content, from_matrix
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.documents import mask_documents
from seed_pipelines.mask.emails import mask_emails
from seed_pipelines.mask.ff1 import IntegerCipher
from seed_pipelines.mask.ff1_digits import DigitCipher
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.phones import mask_phones

KEY_TYPE_COLUMN = "pix_key_type"
_EVP = "evp"

# The column of customers whose values are keys of each type.
_SAME_AS = MappingProxyType(
    {
        "cpf": ("document_number", mask_documents),
        "cnpj": ("document_number", mask_documents),
        "phone": ("phone", mask_phones),
        "email": ("email", mask_emails),
    }
)
_UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_UUID_WIDTH = 36
# All digits but the dashes, the version and the variant.
_FREE_PLACES = np.array([place for place in range(_UUID_WIDTH) if place not in (8, 13, 14, 18, 19, 23)])

_REFERENCE_WANTED = "E, 20 digits and 11 lower-case letters or digits"
_REFERENCE_WIDTH, _TAIL_WIDTH = 32, 11
_LOWEST = np.frombuffer(b"E" + b"0" * 31, dtype=np.uint8)
# How far each character may be above the lowest; in the tail, what is between digits and letters is wrong too.
_SPAN = np.frombuffer(b"E" + b"9" * 20 + b"z" * 11, dtype=np.uint8) - _LOWEST
_BASE_36 = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_BASE_16 = _BASE_36[:16]
_FOREIGN = 255

RANDOM_KEY_DOMAIN = len(_BASE_16) ** len(_FREE_PLACES)
REFERENCE_DOMAIN = len(_BASE_36) ** _TAIL_WIDTH


def mask_pix_keys(
    rows: pa.RecordBatch, columns: Sequence[str], *, keys: FieldKeys, entity: str
) -> Mapping[str, pa.Array]:
    """One column of keys, beside it their types; null stays null. Raises NotMaskable."""
    (column,) = columns
    values, label = rows.column(column), f"{entity}.{column}"
    types = rows.column(KEY_TYPE_COLUMN)
    parts, order = [], []
    for type_ in (*_SAME_AS, _EVP):
        chosen = np.flatnonzero(pc.fill_null(pc.equal(types, type_), False).to_numpy(zero_copy_only=False))
        parts.append(_masked(values.take(pa.array(chosen)), type_, keys=keys, entity=entity, label=label))
        order.append(chosen)
    kept = np.concatenate(order)
    unknown = len(values) - values.null_count - len(kept)
    if unknown:
        raise NotMaskable(label, rows=unknown, wanted=f"a key type of {', '.join((*_SAME_AS, _EVP))}")
    places = np.full(len(values), -1, dtype=np.int64)
    places[kept] = np.arange(len(kept))
    return {column: pa.concat_arrays(parts).take(pa.array(places, mask=places < 0))}


def _masked(values: pa.Array, type_: str, *, keys: FieldKeys, entity: str, label: str) -> pa.Array:
    if values.null_count:
        raise NotMaskable(label, rows=values.null_count, wanted=f"a key where the type is {type_}")
    if type_ == _EVP:
        return _mask_uuids(values, key=keys.column(entity, label.removeprefix(f"{entity}.")).ff1, label=label)
    column, mask = _SAME_AS[type_]
    return mask(values, key=keys.column("customers", column).ff1, column=label)


def _mask_uuids(values: pa.Array, *, key: bytes, label: str) -> pa.Array:
    texts = _matrix(values, _UUID_PATTERN, width=_UUID_WIDTH, label=label, wanted="a UUID of version 4 in lower case")
    codes = _CODE_OF_CHARACTER[texts[:, _FREE_PLACES]]
    cipher = DigitCipher(key=key, radix=16, tweak=b"pix|evp")
    other = cipher.encrypt(codes.ravel(), np.full(len(codes), len(_FREE_PLACES)))
    masked = texts.copy()
    masked[:, _FREE_PLACES] = _BASE_16[other.reshape(codes.shape)]
    return from_matrix(masked, type_=pa.string())


def mask_pix_references(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other end-to-end ids of the same institutions and minutes; raises NotMaskable."""
    texts, codes = _references(values, column)
    cipher = IntegerCipher(key=key, radix=36, length=_TAIL_WIDTH, tweaks=(b"pix|reference",))
    tails = cipher.encrypt(numbers_of(codes, radix=36))
    masked = texts.copy()
    masked[:, -_TAIL_WIDTH:] = _BASE_36[digits_of(tails, radix=36, length=_TAIL_WIDTH)]
    return from_matrix(masked, type_=pa.string())


def _references(values: pa.Array, column: str) -> tuple[Bytes, Bytes]:
    """The ids, and the digits of their tails; a pattern over this many texts would take as long as their masks."""
    is_right = pc.binary_length(values).to_numpy() == _REFERENCE_WIDTH
    if is_right.all():
        texts = content(values).reshape(len(values), _REFERENCE_WIDTH)
        codes = _CODE_OF_CHARACTER[texts[:, -_TAIL_WIDTH:]]
        is_allowed = texts - _LOWEST <= _SPAN
        is_allowed[:, -_TAIL_WIDTH:] &= codes != _FOREIGN
        if is_allowed.all():
            return texts, codes
        is_right = is_allowed.all(axis=1)
    raise NotMaskable(column, rows=int((~is_right).sum()), wanted=_REFERENCE_WANTED)


def _matrix(values: pa.Array, pattern: str, *, width: int, label: str, wanted: str) -> Bytes:
    is_right = pc.match_substring_regex(values, pattern=pattern)
    wrong = len(values) - int(pc.sum(is_right, min_count=0).as_py())
    if wrong:
        raise NotMaskable(label, rows=wrong, wanted=wanted)
    return content(values).reshape(len(values), width)


def _code_table() -> Bytes:
    table = np.full(256, _FOREIGN, dtype=np.uint8)
    table[_BASE_36] = np.arange(len(_BASE_36))
    return table


_CODE_OF_CHARACTER = _code_table()

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

_REFERENCE_PATTERN = "^E[0-9]{20}[0-9a-z]{11}$"
_REFERENCE_WIDTH, _TAIL_WIDTH = 32, 11
_BASE_36 = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_BASE_16 = _BASE_36[:16]

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
    cipher = DigitCipher(key=key, radix=16, length=len(_FREE_PLACES), tweak=b"pix|evp")
    masked = texts.copy()
    masked[:, _FREE_PLACES] = _BASE_16[cipher.encrypt(_CODE_OF_CHARACTER[texts[:, _FREE_PLACES]])]
    return from_matrix(masked, type_=pa.string())


def mask_pix_references(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other end-to-end ids of the same institutions and minutes; raises NotMaskable."""
    wanted = "E, 20 digits and 11 lower-case letters or digits"
    texts = _matrix(values, _REFERENCE_PATTERN, width=_REFERENCE_WIDTH, label=column, wanted=wanted)
    cipher = IntegerCipher(key=key, radix=36, length=_TAIL_WIDTH, tweaks=(b"pix|reference",))
    tails = numbers_of(_CODE_OF_CHARACTER[texts[:, -_TAIL_WIDTH:]], radix=36)
    masked = texts.copy()
    masked[:, -_TAIL_WIDTH:] = _BASE_36[digits_of(cipher.encrypt(tails), radix=36, length=_TAIL_WIDTH)]
    return from_matrix(masked, type_=pa.string())


def _matrix(values: pa.Array, pattern: str, *, width: int, label: str, wanted: str) -> Bytes:
    is_right = pc.match_substring_regex(values, pattern=pattern)
    wrong = len(values) - int(pc.sum(is_right, min_count=0).as_py())
    if wrong:
        raise NotMaskable(label, rows=wrong, wanted=wanted)
    return content(values).reshape(len(values), width)


def _code_table() -> Bytes:
    table = np.zeros(256, dtype=np.uint8)
    table[_BASE_36] = np.arange(len(_BASE_36))
    return table


_CODE_OF_CHARACTER = _code_table()

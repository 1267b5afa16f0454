"""Masked CPF and CNPJ: still valid, never all digits equal, and no two of them the same.

A CPF keeps its fiscal region, the ninth digit; a CNPJ keeps its order, so that the branches of a company stay
together, and its kind of root: all digits, with letters, or with one of the letters that some issuers bar. Check
digits are computed anew. A document whose own check digits are wrong is refused: it could meet the mask of a right
one.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.identifiers import cnpj_check_digits, cpf_check_digits
from seed_pipelines.mask.aes_columns import Bytes, Words
from seed_pipelines.mask.by_length import by_length
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.ff1 import Index, IntegerCipher, walk

CPF_LENGTH = 11
CNPJ_LENGTH = 14

_CPF_TWEAKS = tuple(b"cpf|region|%d" % region for region in range(10))
_ROOT = 8
# A CPF within its region, or a CNPJ of digits only with its order.
DOMAIN = 10**_ROOT
_CPF_BASE, _CNPJ_BASE = 9, 12
_ZERO = ord("0")

_BARRED = b"FIOQU"
_DIGITS = bytes(range(_ZERO, _ZERO + 10))
_LETTERS = bytes(range(ord("A"), ord("Z") + 1))
# The characters that roots of each kind are permuted over; a root's kind is the highest kind of its characters.
_ALPHABETS = (
    _DIGITS,
    _DIGITS + bytes(letter for letter in _LETTERS if letter not in _BARRED),
    _DIGITS + _LETTERS,
)
_NO_KIND = 255


def mask_documents(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other documents; raises NotMaskable."""
    groups = by_length(values)
    masked = []
    for matrix in groups.matrices:
        if matrix.shape[1] == CPF_LENGTH:
            masked.append(_mask_cpfs(matrix, key, column))
        elif matrix.shape[1] == CNPJ_LENGTH:
            masked.append(_mask_cnpjs(matrix, key, column))
        else:
            raise NotMaskable(column, rows=len(matrix), wanted="a CPF of 11 or a CNPJ of 14 characters")
    return groups.restored(masked, type_=pa.string())


def _mask_cpfs(texts: Bytes, key: bytes, column: str) -> Bytes:
    digits = texts - np.uint8(_ZERO)
    valid = (digits < 10).all(axis=1) & (digits != digits[:, :1]).any(axis=1)
    valid &= (cpf_check_digits(texts[:, :_CPF_BASE]) == texts[:, _CPF_BASE:]).all(axis=1)
    _require(valid, column, "a valid CPF")
    region = digits[:, _ROOT].astype(np.intp)
    all_equal = region.astype(np.uint64) * np.uint64(11_111_111)
    cipher = IntegerCipher(key=key, length=_ROOT, tweaks=_CPF_TWEAKS)
    masked = walk(
        lambda part, rows: cipher.encrypt(part, region[rows]),
        numbers_of(digits[:, :_ROOT], radix=10),
        outside=lambda part, rows: part == all_equal[rows],
    )
    result = texts.copy()
    result[:, :_ROOT] = digits_of(masked, radix=10, length=_ROOT) + np.uint8(_ZERO)
    result[:, _CPF_BASE:] = cpf_check_digits(result[:, :_CPF_BASE])
    return result


def _mask_cnpjs(texts: Bytes, key: bytes, column: str) -> Bytes:
    base = texts[:, :_CNPJ_BASE]
    valid = (_kinds(base) != _NO_KIND) & (base != np.uint8(_ZERO)).any(axis=1)
    valid &= (cnpj_check_digits(base) == texts[:, _CNPJ_BASE:]).all(axis=1)
    _require(valid, column, "a valid CNPJ")
    kinds = _kinds(base[:, :_ROOT])
    result = texts.copy()
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        result[rows, :_ROOT] = _mask_roots(base[rows], key, int(kind))
    result[:, _CNPJ_BASE:] = cnpj_check_digits(result[:, :_CNPJ_BASE])
    return result


def _mask_roots(base: Bytes, key: bytes, kind: int) -> Bytes:
    """Other roots of the same kind; `base` holds root and order."""
    alphabet = np.frombuffer(_ALPHABETS[kind], dtype=np.uint8)
    codes = np.zeros(256, dtype=np.uint8)
    codes[alphabet] = np.arange(len(alphabet))
    order_is_zero = (base[:, _ROOT:] == np.uint8(_ZERO)).all(axis=1)
    cipher = IntegerCipher(key=key, radix=len(alphabet), length=_ROOT, tweaks=(b"cnpj|root|%d" % kind,))

    def is_outside(part: Words, rows: Index) -> NDArray[np.bool]:
        characters = alphabet[digits_of(part, radix=len(alphabet), length=_ROOT)]
        outside: NDArray[np.bool] = (_kinds(characters) != kind) | ((part == 0) & order_is_zero[rows])
        return outside

    roots = numbers_of(codes[base[:, :_ROOT]], radix=len(alphabet))
    masked = walk(lambda part, _: cipher.encrypt(part), roots, outside=is_outside)
    return alphabet[digits_of(masked, radix=len(alphabet), length=_ROOT)]


def _kinds(characters: Bytes) -> Bytes:
    """Of each row, 0 for digits only, 1 with letters, 2 with barred letters, _NO_KIND with anything else."""
    kinds: Bytes = _KIND_OF_CHARACTER[characters].max(axis=1)
    return kinds


def _kind_table() -> Bytes:
    table = np.full(256, _NO_KIND, dtype=np.uint8)
    for kind in reversed(range(len(_ALPHABETS))):
        table[np.frombuffer(_ALPHABETS[kind], dtype=np.uint8)] = kind
    return table


_KIND_OF_CHARACTER = _kind_table()


def _require(valid: NDArray[np.bool], column: str, wanted: str) -> None:
    if not valid.all():
        raise NotMaskable(column, rows=int((~valid).sum()), wanted=wanted)

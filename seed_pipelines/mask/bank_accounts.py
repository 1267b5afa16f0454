"""Masked bank accounts: the bank stays, agency and account are others, with check digits that the bank would give.

Agency and account are permuted together, since either alone is too small a domain; the digits of an account that say
its kind stay. An account whose own check digits are wrong is refused: it could meet the mask of a right one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.banks import AGENCY_WIDTH, BANKS, Bank, account_digits, agency_digits
from seed_pipelines.mask.aes_columns import Bytes
from seed_pipelines.mask.by_length import content, from_matrix
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.ff1 import IntegerCipher
from seed_pipelines.mask.keys import FieldKeys

BANK_COLUMN = "bank_code"
_ZERO = np.uint8(ord("0"))
_WANTED = "agency and account of one of the known banks, with their check digits"


def mask_bank_accounts(
    rows: pa.RecordBatch, columns: Sequence[str], *, keys: FieldKeys, entity: str
) -> Mapping[str, pa.Array]:
    """Four columns: agency, its digit, account, its digit; raises NotMaskable."""
    label = f"{entity}.{columns[0]}"
    key = keys.column(entity, columns[0]).ff1
    position = pc.index_in(rows.column(BANK_COLUMN), value_set=pa.array([bank.code for bank in BANKS]))
    if position.null_count:
        raise NotMaskable(label, rows=position.null_count, wanted=_WANTED)
    of_bank = position.to_numpy()
    parts = []
    for place, bank in enumerate(BANKS):
        chosen = pa.array(np.flatnonzero(of_bank == place))
        parts.append(_masked(bank, [rows.column(column).take(chosen) for column in columns], key=key, label=label))
    back = np.empty(rows.num_rows, dtype=np.int64)
    back[np.argsort(of_bank, kind="stable")] = np.arange(rows.num_rows)
    masked = (pa.concat_arrays(column).take(pa.array(back)) for column in zip(*parts, strict=True))
    return dict(zip(columns, masked, strict=True))


def _masked(bank: Bank, columns: Sequence[pa.Array], *, key: bytes, label: str) -> list[pa.Array]:
    agency, account = (
        _digits(columns[place], width=width, label=label)
        for place, width in ((0, AGENCY_WIDTH), (2, bank.account_width))
    )
    _require(pc.equal(columns[3], _text(account_digits(bank, agency, account))), label)
    agency_digit = agency_digits(bank, agency)
    is_right = pc.is_null(columns[1]) if agency_digit is None else pc.equal(columns[1], _text(agency_digit))
    _require(is_right, label)
    return _of_digits(bank, *_permuted(bank, agency, account, key=key))


def _permuted(bank: Bank, agency: Bytes, account: Bytes, *, key: bytes) -> tuple[Bytes, Bytes]:
    """Other digits in ASCII; the leading ones of the account stay."""
    fixed, free = account[:, : bank.fixed_width], account[:, bank.fixed_width :]
    width = AGENCY_WIDTH + bank.free_width
    cipher = IntegerCipher(key=key, length=width, tweaks=(b"bank|" + bank.code.encode(),))
    number = cipher.encrypt(numbers_of(np.hstack((agency, free)) - _ZERO, radix=10))
    digits = digits_of(number, radix=10, length=width) + _ZERO
    return digits[:, :AGENCY_WIDTH], np.hstack((fixed, digits[:, AGENCY_WIDTH:]))


def _of_digits(bank: Bank, agency: Bytes, account: Bytes) -> list[pa.Array]:
    agency_digit = agency_digits(bank, agency)
    return [
        _text(agency),
        pa.nulls(len(agency), pa.string()) if agency_digit is None else _text(agency_digit),
        _text(account),
        _text(account_digits(bank, agency, account)),
    ]


def _digits(values: pa.Array, *, width: int, label: str) -> Bytes:
    _require(pc.match_substring_regex(values, pattern=f"^[0-9]{{{width}}}$"), label)
    return content(values).reshape(len(values), width)


def _text(characters: Bytes) -> pa.Array:
    return from_matrix(np.ascontiguousarray(characters), type_=pa.string())


def _require(is_right: pa.Array, label: str) -> None:
    wrong = len(is_right) - (pc.sum(is_right, min_count=0).as_py() or 0)
    if wrong:
        raise NotMaskable(label, rows=int(wrong), wanted=_WANTED)

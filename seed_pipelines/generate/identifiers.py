"""CPF, CNPJ, phone and CEP, whole columns at a time, as fixed-width ASCII matrices.

The first eight characters of a CPF or a CNPJ are a permutation of the row's place among all that its tenant can ever
have of an entity, so no two rows of any mode share them, and none is of one repeated digit. Rows beyond a mode's places
are refused.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seed_pipelines.errors import UniquesExhausted
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.streams import Uint64s
from seed_pipelines.lending.rounding import Booleans, Int64s

# (rows, width) of ASCII codes.
AsciiRows = npt.NDArray[np.uint8]

_ZERO = np.uint8(ord("0"))
_REPEATED = 10
_ROOTS = 10**8 - _REPEATED
MODE_SLOTS = 4

# Every mode owns a quarter of the bases, of which the ten repeated ones are left out.
PLACES_PER_MODE = _ROOTS // MODE_SLOTS

# Letters of an alphanumeric CNPJ: some issuers bar I, O, U, Q and F, so none is made.
_LETTERS = b"ABCDEGHJKLMNPRSTVWXYZ"
_CHARACTERS = b"0123456789" + _LETTERS
_ROOT_WIDTH = 8
# Roots by the number of digits before their first letter.
_LETTERED = tuple(
    10**digits * len(_LETTERS) * len(_CHARACTERS) ** (_ROOT_WIDTH - 1 - digits) for digits in range(_ROOT_WIDTH)
)
LETTERED_ROOTS = sum(_LETTERED)

_BETWEEN_REPEATED = 11_111_110
_CPF_WEIGHTS = np.arange(10, 1, -1)
_CNPJ_WEIGHTS = np.array([5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])


def refuse_too_many(entity: str, rows: int) -> None:
    """Raises UniquesExhausted where a plan has more rows of an entity than a mode has places."""
    if rows > PLACES_PER_MODE:
        raise UniquesExhausted(entity, rows=rows, most=PLACES_PER_MODE)


def places(slot: int, *, entity: str, first_row: int, rows: int) -> Int64s:
    """The place of each row among all that its tenant can ever have of the entity; `slot` is the mode's."""
    refuse_too_many(entity, first_row + rows)
    start = slot * PLACES_PER_MODE + first_row
    return np.arange(start, start + rows, dtype=np.int64)


def cpf_rows(places: Int64s, *, fiscal_region: Int64s, key: int) -> AsciiRows:
    """A valid CPF for each place, its ninth digit the region; another place has other first eight digits."""
    bases = np.empty((len(places), 9), dtype=np.uint8)
    bases[:, :8] = _digit_roots(places, key=key)
    bases[:, 8] = fiscal_region + _ZERO
    return np.hstack((bases, cpf_check_digits(bases)))


def cnpj_rows(places: Int64s, *, order: Int64s, has_letters: Booleans, key: int) -> AsciiRows:
    """A valid CNPJ for each place, of the given order; another place has another root, with or without letters."""
    bases = np.empty((len(places), 12), dtype=np.uint8)
    bases[:, :_ROOT_WIDTH] = _digit_roots(places, key=key)
    if has_letters.any():
        numbers = Permutation(size=LETTERED_ROOTS, key=key).of(places[has_letters])
        bases[has_letters, :_ROOT_WIDTH] = lettered_roots(numbers)
    bases[:, _ROOT_WIDTH:] = digit_rows(order, width=4)
    return np.hstack((bases, cnpj_check_digits(bases)))


def lettered_roots(numbers: Int64s) -> AsciiRows:
    """The roots of eight digits and letters with at least one letter, each once, for 0 to LETTERED_ROOTS - 1."""
    ends = np.cumsum(_LETTERED)
    digits = np.searchsorted(ends, numbers, side="right")
    inside = numbers - (ends - _LETTERED)[digits]
    rows = np.empty((len(numbers), _ROOT_WIDTH), dtype=np.uint8)
    for before in np.unique(digits).tolist():
        chosen, after = digits == before, _ROOT_WIDTH - 1 - before
        rest, tail = np.divmod(inside[chosen], len(_CHARACTERS) ** after)
        head, letter = np.divmod(rest, len(_LETTERS))
        rows[chosen] = np.hstack(
            (
                digit_rows(head, width=before),
                _in_base(letter, base=len(_LETTERS), width=1, alphabet=_LETTERS),
                _in_base(tail, base=len(_CHARACTERS), width=after, alphabet=_CHARACTERS),
            )
        )
    return rows


def past_repeated(numbers: Int64s) -> Int64s:
    """The numbers from 0 to 10^8 - 11 among those of eight digits that are not one digit repeated.

    Only a base of one repeated digit can end as a CPF of one.
    """
    stepped: Int64s = numbers + numbers // _BETWEEN_REPEATED + 1
    return stepped


def cpf_check_digits(bases: AsciiRows) -> AsciiRows:
    """The two check digits of nine-digit bases."""
    digits = (bases - _ZERO).astype(np.int64)
    first = _modulo_eleven(digits @ _CPF_WEIGHTS)
    second = _modulo_eleven(digits @ (_CPF_WEIGHTS + 1) + 2 * first)
    return _as_digits(first, second)


def cnpj_check_digits(bases: AsciiRows) -> AsciiRows:
    """The two check digits of twelve-character bases, numeric or alphanumeric: a character counts as its code - 48."""
    values = (bases - _ZERO).astype(np.int64)
    first = _modulo_eleven(values @ _CNPJ_WEIGHTS)
    second_weights = np.concatenate(([6], _CNPJ_WEIGHTS[:-1]))
    second = _modulo_eleven(values @ second_weights + 2 * first)
    return _as_digits(first, second)


def phone_rows(ddds: AsciiRows, numbers: Int64s) -> AsciiRows:
    """Mobile numbers in E.164: +55, the DDD, 9, and eight digits."""
    phones = np.empty((len(numbers), 14), dtype=np.uint8)
    phones[:, :3] = np.frombuffer(b"+55", dtype=np.uint8)
    phones[:, 3:5] = ddds
    phones[:, 5] = ord("9")
    phones[:, 6:] = digit_rows(numbers, width=8)
    return phones


def cep_rows(prefixes: AsciiRows, numbers: Int64s) -> AsciiRows:
    """Postal codes: a city's five digits and three of the street."""
    return np.hstack((prefixes, digit_rows(numbers, width=3)))


def digit_rows(numbers: Int64s, *, width: int) -> AsciiRows:
    """Decimal digits with leading zeros."""
    return _in_base(numbers, base=10, width=width, alphabet=b"0123456789")


def base36_rows(numbers: Int64s, *, width: int) -> AsciiRows:
    """Digits and lower-case letters with leading zeros."""
    return _in_base(numbers, base=36, width=width, alphabet=b"0123456789abcdefghijklmnopqrstuvwxyz")


def hex_rows(words: Uint64s) -> AsciiRows:
    """Each word as sixteen hexadecimal digits."""
    shifts = np.arange(60, -4, -4, dtype=np.uint64)
    nibbles = (words[:, None] >> shifts) & np.uint64(15)
    rows: AsciiRows = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles]
    return rows


def ascii_table(words: tuple[str, ...]) -> AsciiRows:
    """Words of one length as rows."""
    return np.frombuffer("".join(words).encode("ascii"), dtype=np.uint8).reshape(len(words), -1)


def texts(rows: AsciiRows, *, present: Booleans | None = None) -> pa.StringArray:
    """A text column out of fixed-width rows; with `present`, which has as many rows for true, null wherever it is
    false."""
    count, width = rows.shape
    ends = np.arange(1, count + 1, dtype=np.int32) if present is None else np.cumsum(present, dtype=np.int32)
    offsets = np.concatenate((np.zeros(1, dtype=np.int32), ends * np.int32(width)))
    validity = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    content = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), content, validity)


def _digit_roots(places: Int64s, *, key: int) -> AsciiRows:
    """Eight digits for each place, other ones for another place, never one digit repeated."""
    return digit_rows(past_repeated(Permutation(size=_ROOTS, key=key).of(places)), width=8)


def _in_base(numbers: Int64s, *, base: int, width: int, alphabet: bytes) -> AsciiRows:
    rows = np.empty((len(numbers), width), dtype=np.uint8)
    letters, left = np.frombuffer(alphabet, dtype=np.uint8), numbers
    for column in range(width - 1, -1, -1):
        higher = left // base
        rows[:, column] = letters[left - higher * base]
        left = higher
    return rows


def _modulo_eleven(sums: Int64s) -> Int64s:
    remainders = sums % 11
    return np.where(remainders < 2, 0, 11 - remainders)


def _as_digits(first: Int64s, second: Int64s) -> AsciiRows:
    return np.stack((first, second), axis=1).astype(np.uint8) + _ZERO

"""FF1 over whole columns of numbers: a keyed permutation that keeps the number of digits.

`IntegerCipher` is NIST SP 800-38G's FF1 for numbers of `length` digits below 2^63, bit for bit what any other
implementation gives for the same digits. Each row may have one of several tweaks. `permute` is a permutation of 0 …
domain - 1 for a domain that is no power of a radix. FF1 gives no integrity, and equal inputs give equal outputs.
Longer strings are in ff1_digits.py.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.errors import SmallDomain
from seed_pipelines.mask.aes_columns import CHUNK_ROWS, AesColumn, Words
from seed_pipelines.mask.ff1_shape import LARGEST_RADIX, ROUNDS, SMALLEST_DOMAIN, Ff1Shape

# A number takes a quarter of the buffers that a message does.
_CHUNK_ROWS = 4 * CHUNK_ROWS
_LARGEST_VALUE = 1 << 63
_WORD_BITS = 64

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerCipher:
    """FF1 on numbers of `length` digits in `radix`; raises SmallDomain.

    With several `tweaks`, each row names its own by index: a tweak selects a permutation, so rows of different
    tweaks can meet unless something that is kept tells them apart.
    """

    key: bytes = field(repr=False)
    radix: int = 10
    length: int
    tweaks: tuple[bytes, ...] = (b"",)
    shape: Ff1Shape = field(init=False)

    def __post_init__(self) -> None:
        if self.radix**self.length > _LARGEST_VALUE:
            msg = f"{self.length} digits in radix {self.radix} do not fit a column of numbers: use DigitCipher"
            raise ValueError(msg)
        object.__setattr__(self, "shape", Ff1Shape(radix=self.radix, length=self.length))

    def encrypt(self, values: Words, tweak_index: Index | None = None) -> Words:
        """The permuted column; the values must be below radix ** length."""
        return self._crypt(values, tweak_index, decrypting=False)

    def decrypt(self, values: Words, tweak_index: Index | None = None) -> Words:
        """The column that `encrypt` made this one from."""
        return self._crypt(values, tweak_index, decrypting=True)

    def _crypt(self, values: Words, tweak_index: Index | None, *, decrypting: bool) -> Words:
        check_below(values, self.radix**self.length)
        prefixes = self._prefixes()
        feistel = _Feistel(self.key, self.shape, rows=min(len(values), _CHUNK_ROWS))
        result = np.empty_like(values)
        for start in range(0, len(values), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            prefix = prefixes[0] if tweak_index is None else prefixes[tweak_index[rows]].T
            feistel.crypt(values[rows], prefix, into=result[rows], decrypting=decrypting)
        return result

    def _prefixes(self) -> Words:
        """Of each tweak, its CBC state with the constant part of the last block already mixed in, as two words."""
        words = []
        for tweak in self.tweaks:
            state, block = self.shape.prefix(self.key, tweak)
            mixed = int.from_bytes(state, "big") ^ int.from_bytes(block, "big")
            words.append((mixed >> _WORD_BITS, mixed & (1 << _WORD_BITS) - 1))
        return np.array(words, dtype=np.uint64)


class _Feistel:
    """The ten rounds over one chunk, in buffers that all chunks share."""

    def __init__(self, key: bytes, shape: Ff1Shape, *, rows: int) -> None:
        self._shape = shape
        self._aes = AesColumn(key, rows=rows)
        self._split = np.uint64(shape.radix**shape.right)
        self._moduli = (np.uint64(shape.radix**shape.left), self._split)
        self._halves = np.empty((2, rows), dtype=np.uint64)
        self._sum = np.empty(rows, dtype=np.uint64)
        self._spare = np.empty(rows, dtype=np.uint64)

    def crypt(self, values: Words, prefix: Words, *, into: Words, decrypting: bool) -> None:
        rows = len(values)
        left, right = self._halves[0, :rows], self._halves[1, :rows]
        np.floor_divide(values, self._split, out=left)
        np.multiply(left, self._split, out=right)
        np.subtract(values, right, out=right)
        self._aes.plain[:rows, 0] = prefix[0]
        turn = self._subtract if decrypting else self._add
        for number in reversed(range(ROUNDS)) if decrypting else range(ROUNDS):
            # Even rounds change the left half by the right one; that holds in both directions.
            source, target = (right, left) if number % 2 == 0 else (left, right)
            self._round(source, prefix[1], number)
            turn(target, self._moduli[number % 2])
        np.multiply(left, self._split, out=into)
        np.add(into, right, out=into)

    def _round(self, source: Words, prefix: Words, number: int) -> None:
        """Leave the round's pseudorandom number, reduced, in the sum buffer."""
        rows = len(source)
        tweaked = prefix ^ np.uint64(number << 8 * self._shape.half_bytes)
        np.bitwise_xor(source, tweaked, out=self._aes.plain[:rows, 1])
        self._aes.encrypt(rows)
        total, modulus = self._sum[:rows], self._moduli[number % 2]
        np.copyto(total, self._aes.cipher[:rows, 0])
        self._reduce(total, modulus)
        # A wide half takes 12 bytes: the next four come in 16 bits at a time, or the sum would not fit a word.
        for shift in (48, 32) if self._shape.round_bytes > _WORD_BITS // 8 else ():
            next_bits = self._aes.cipher[:rows, 1] >> np.uint64(shift) & np.uint64(0xFFFF)
            np.left_shift(total, np.uint64(16), out=total)
            np.bitwise_or(total, next_bits, out=total)
            self._reduce(total, modulus)

    def _reduce(self, numbers: Words, modulus: np.uint64) -> None:
        # Dividing and multiplying back is several times faster than numpy's remainder.
        spare = self._spare[: len(numbers)]
        np.floor_divide(numbers, modulus, out=spare)
        np.multiply(spare, modulus, out=spare)
        np.subtract(numbers, spare, out=numbers)

    def _add(self, target: Words, modulus: np.uint64) -> None:
        total, spare = self._sum[: len(target)], self._spare[: len(target)]
        np.add(total, target, out=total)
        # Below zero wraps around to a huge number, so the smaller of the two is the one in range.
        np.subtract(total, modulus, out=spare)
        np.minimum(total, spare, out=target)

    def _subtract(self, target: Words, modulus: np.uint64) -> None:
        total, spare = self._sum[: len(target)], self._spare[: len(target)]
        np.subtract(target, total, out=total)
        np.add(total, modulus, out=spare)
        np.minimum(total, spare, out=target)


def permute(domain: int, values: Words, *, key: bytes, tweak: bytes = b"") -> Words:
    """A keyed permutation of 0 … domain - 1; raises SmallDomain."""
    return _walk(_covering(domain, key, tweak).encrypt, values, domain)


def unpermute(domain: int, values: Words, *, key: bytes, tweak: bytes = b"") -> Words:
    """The column that `permute` made this one from."""
    return _walk(_covering(domain, key, tweak).decrypt, values, domain)


def walk(
    step: Callable[[Words, Index], Words], values: Words, *, outside: Callable[[Words, Index], NDArray[np.bool]]
) -> Words:
    """Repeat a permutation, row by row, until no value is outside; `step` and `outside` are told which rows they see.

    What comes out is a permutation of the values that are not outside, if those that go in are among them.
    """
    result = step(values, np.arange(len(values)))
    rows = np.flatnonzero(outside(result, np.arange(len(values))))
    while rows.size:
        result[rows] = step(result[rows], rows)
        rows = rows[outside(result[rows], rows)]
    return result


def check_below(values: Words, bound: int) -> None:
    """A value out of range would break the permutation silently."""
    if len(values) and int(values.max()) >= bound:
        msg = f"a column to permute holds values of {bound} or more"
        raise ValueError(msg)


def _walk(step: Callable[[Words], Words], values: Words, domain: int) -> Words:
    check_below(values, domain)
    return walk(lambda part, _: step(part), values, outside=lambda part, _: part >= domain)


def _covering(domain: int, key: bytes, tweak: bytes) -> IntegerCipher:
    """The smallest square or fourth power that covers the domain, so that few values have to walk."""
    if domain < SMALLEST_DOMAIN:
        raise SmallDomain(domain, least=SMALLEST_DOMAIN)
    square = math.isqrt(domain - 1) + 1
    length, radix = (2, square) if square <= LARGEST_RADIX else (4, math.isqrt(math.isqrt(domain - 1)) + 1)
    # Another domain has another permutation, even where the covering power is the same.
    return IntegerCipher(key=key, radix=radix, length=length, tweaks=(domain.to_bytes(8, "big") + tweak,))

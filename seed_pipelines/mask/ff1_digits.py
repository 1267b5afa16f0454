"""FF1 over columns of digit strings of any length: what does not fit one number a row (ff1.py) comes here.

A half of the string is held as limbs: columns of numbers below a power of the radix that is itself below 2^32, the
lowest first, so that every product and remainder fits 64 bits. All rows have the same length.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.mask.aes_columns import BLOCK_BYTES, CHUNK_ROWS, AesColumn, Bytes, Words
from seed_pipelines.mask.ff1_shape import ROUNDS, Ff1Shape

_LARGEST_BASE = 1 << 32
_LARGEST_RADIX = 256
_LOW_WORD = np.uint64(0xFFFFFFFF)
_WORD_BITS = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitCipher:
    """FF1 on strings of `length` digits in `radix`, one byte a digit; raises SmallDomain."""

    key: bytes = field(repr=False)
    radix: int
    length: int
    tweak: bytes = b""
    shape: Ff1Shape = field(init=False)

    def __post_init__(self) -> None:
        if self.radix > _LARGEST_RADIX:
            msg = f"a digit is one byte, so the radix is at most {_LARGEST_RADIX}, not {self.radix}"
            raise ValueError(msg)
        object.__setattr__(self, "shape", Ff1Shape(radix=self.radix, length=self.length))

    def encrypt(self, digits: Bytes) -> Bytes:
        """The permuted strings; `digits` is (rows, length) of values below the radix."""
        return self._crypt(digits, decrypting=False)

    def decrypt(self, digits: Bytes) -> Bytes:
        """The strings that `encrypt` made these from."""
        return self._crypt(digits, decrypting=True)

    def _crypt(self, digits: Bytes, *, decrypting: bool) -> Bytes:
        if digits.shape[1] != self.length or (digits.size and int(digits.max()) >= self.radix):
            msg = f"the column is not one of {self.length} digits in radix {self.radix}"
            raise ValueError(msg)
        feistel = _Feistel(self, rows=min(len(digits), CHUNK_ROWS))
        result = np.empty_like(digits)
        for start in range(0, len(digits), CHUNK_ROWS):
            chunk = digits[start : start + CHUNK_ROWS]
            result[start : start + CHUNK_ROWS] = feistel.crypt(chunk, decrypting=decrypting)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limbs:
    """How a half of `digits` digits is cut into limbs of `width` digits; the last limb may be shorter."""

    radix: int
    digits: int
    width: int

    @classmethod
    def of(cls, radix: int, digits: int) -> Self:
        width = max(width for width in range(1, 33) if radix**width <= _LARGEST_BASE)
        return cls(radix=radix, digits=digits, width=width)

    @property
    def bases(self) -> list[int]:
        whole, rest = divmod(self.digits, self.width)
        return [self.radix**self.width] * whole + ([self.radix**rest] if rest else [])

    def from_digits(self, digits: Bytes) -> list[Words]:
        limbs = []
        for end in range(self.digits, 0, -self.width):
            part = digits[:, max(0, end - self.width) : end]
            limb = np.zeros(len(digits), dtype=np.uint64)
            for place in range(part.shape[1]):
                limb = limb * np.uint64(self.radix) + part[:, place]
            limbs.append(limb)
        return limbs

    def to_digits(self, limbs: list[Words], into: Bytes) -> None:
        for place in range(self.digits - 1, -1, -1):
            number = (self.digits - 1 - place) // self.width
            limbs[number], into[:, place] = np.divmod(limbs[number], np.uint64(self.radix))

    def to_words(self, limbs: list[Words], count: int) -> list[Words]:
        """The half as one number, in 32-bit words, the lowest first."""
        words = [np.zeros_like(limbs[0]) for _ in range(count)]
        for base, limb in zip(reversed(self.bases), reversed(limbs), strict=True):
            carry = limb
            for place, word in enumerate(words):
                product = word * np.uint64(base) + carry
                words[place], carry = product & _LOW_WORD, product >> _WORD_BITS
        return words

    def reduce_words(self, words: list[Words]) -> list[Words]:
        """A number in 32-bit words, the highest first, modulo radix ** digits; `words` are used up."""
        limbs = []
        for base in self.bases:
            rest = np.zeros_like(words[0])
            for place, word in enumerate(words):
                dividend = rest << _WORD_BITS | word
                words[place] = dividend // np.uint64(base)
                rest = dividend - words[place] * np.uint64(base)
            limbs.append(rest)
        return limbs

    def add(self, limbs: list[Words], others: list[Words]) -> list[Words]:
        """The sum modulo radix ** digits: the last carry falls away."""
        carry: NDArray[np.uint64 | np.bool] = np.zeros(len(limbs[0]), dtype=np.uint64)
        result = []
        for base, limb, other in zip(self.bases, limbs, others, strict=True):
            total = limb + other + carry
            carry = total >= base
            result.append(total - carry * np.uint64(base))
        return result

    def subtract(self, limbs: list[Words], others: list[Words]) -> list[Words]:
        """The difference modulo radix ** digits: the last borrow falls away."""
        borrow: NDArray[np.uint64 | np.bool] = np.zeros(len(limbs[0]), dtype=np.uint64)
        result = []
        for base, limb, other in zip(self.bases, limbs, others, strict=True):
            taken = other + borrow
            borrow = limb < taken
            result.append(limb + borrow * np.uint64(base) - taken)
        return result


class _Feistel:
    """The ten rounds over one chunk."""

    def __init__(self, cipher: DigitCipher, *, rows: int) -> None:
        self._shape = cipher.shape
        self._left = _Limbs.of(cipher.radix, self._shape.left)
        self._right = _Limbs.of(cipher.radix, self._shape.right)
        state, self._open = self._shape.prefix(cipher.key, cipher.tweak)
        self._state = np.frombuffer(state, dtype=">u8").astype(np.uint64)
        self._aes = AesColumn(cipher.key, rows=rows)

    def crypt(self, digits: Bytes, *, decrypting: bool) -> Bytes:
        left = self._left.from_digits(digits[:, : self._left.digits])
        right = self._right.from_digits(digits[:, self._left.digits :])
        for number in reversed(range(ROUNDS)) if decrypting else range(ROUNDS):
            if number % 2 == 0:
                change = self._left.reduce_words(self._round(right, self._right, number))
                left = (self._left.subtract if decrypting else self._left.add)(left, change)
            else:
                change = self._right.reduce_words(self._round(left, self._left, number))
                right = (self._right.subtract if decrypting else self._right.add)(right, change)
        result = np.empty_like(digits)
        self._left.to_digits(left, result[:, : self._left.digits])
        self._right.to_digits(right, result[:, self._left.digits :])
        return result

    def _round(self, source: list[Words], limbs: _Limbs, number: int) -> list[Words]:
        """The round's pseudorandom number in 32-bit words, the highest first."""
        blocks = self._blocks(limbs.to_words(source, -(-self._shape.half_bytes // 4)), number)
        rows = len(source[0])
        self._aes.cipher[:rows] = self._state
        for block in range(blocks.shape[1] // 2):
            np.bitwise_xor(self._aes.cipher[:rows], blocks[:, 2 * block : 2 * block + 2], out=self._aes.plain[:rows])
            self._aes.encrypt(rows)
        return self._stretched(rows)

    def _blocks(self, half: list[Words], number: int) -> Words:
        """The last blocks of the round's input: tweak and padding, round number, and the half right-aligned."""
        blocks = np.zeros((len(half[0]), len(self._open) // 8), dtype=np.uint64)
        for place, word in enumerate(half):
            blocks[:, -1 - place // 2] |= word << np.uint64(32 * (place % 2))
        fixed = bytearray(self._open)
        fixed[-1 - self._shape.half_bytes] = number
        return blocks ^ np.frombuffer(bytes(fixed), dtype=">u8").astype(np.uint64)

    def _stretched(self, rows: int) -> list[Words]:
        """As many words as the round takes: the CBC-MAC, then the encryptions of it mixed with 1, 2, …"""
        first = self._aes.cipher[:rows].astype(np.uint64)
        words: list[Words] = []
        for block in range(-(-self._shape.round_bytes // BLOCK_BYTES)):
            if block:
                np.bitwise_xor(first, np.array([0, block], dtype=np.uint64), out=self._aes.plain[:rows])
                self._aes.encrypt(rows)
            for half in (0, 1):
                pair = self._aes.cipher[:rows, half].astype(np.uint64)
                words += [pair >> _WORD_BITS, pair & _LOW_WORD]
        return words[: self._shape.round_bytes // 4]

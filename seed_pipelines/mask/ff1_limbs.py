"""Columns of numbers too long for a word, for FF1: halves of digit strings, cut into limbs.

A limb is a column of numbers below a power of the radix that is itself at most 2^32, so that every product and
remainder fits 64 bits; the lowest limb comes first. The last limb may be shorter, by other numbers of digits in other
rows.
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np

from seed_pipelines.mask.aes_columns import Bytes, Words
from seed_pipelines.mask.digits import digits_of, numbers_of

_LARGEST_BASE = 1 << 32
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF_BITS = np.uint64(32)


@cache
def limb_width(radix: int) -> int:
    """Digits of a whole limb."""
    return max(width for width in range(1, 33) if radix**width <= _LARGEST_BASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limbs:
    """Numbers of as many limbs as there are `bases`: whole ones, then that of the last limb, one for each row."""

    radix: int
    bases: tuple[np.uint64 | Words, ...]

    @classmethod
    def of(cls, radix: int, top: Words, *, count: int) -> Self:
        """Limbs whose last base is `top`."""
        return cls(radix=radix, bases=(np.uint64(radix ** limb_width(radix)),) * (count - 1) + (top,))

    def from_digits(self, digits: Bytes) -> list[Words]:
        """Numbers out of strings that fill all limbs, with zeros in front."""
        width = limb_width(self.radix)
        ends = range(digits.shape[1], 0, -width)
        return [numbers_of(digits[:, end - width : end], radix=self.radix) for end in ends]

    def to_digits(self, limbs: list[Words]) -> Bytes:
        width = limb_width(self.radix)
        return np.hstack([digits_of(limb, radix=self.radix, length=width) for limb in reversed(limbs)])

    def to_words(self, limbs: list[Words]) -> list[Words]:
        """Each number in 64-bit words, the lowest first."""
        *lower, highest = limbs
        halves = [highest]
        for base, carry in zip(reversed(self.bases[:-1]), reversed(lower), strict=True):
            for place, half in enumerate(halves):
                product = half * base + carry
                halves[place], carry = product & _LOW_HALF, product >> _HALF_BITS
            halves.append(carry)
        if len(halves) % 2:
            halves.append(np.zeros_like(highest))
        return [low | high << _HALF_BITS for low, high in zip(halves[::2], halves[1::2], strict=True)]

    def reduced(self, words: list[Words]) -> list[Words]:
        """Numbers of any length, modulo what the limbs hold.

        The highest word comes first and has 64 bits, the others have 32; the list is used up.
        """
        limbs = []
        for base in self.bases:
            rest: Words | None = None
            for place, word in enumerate(words):
                dividend = word if rest is None else rest << _HALF_BITS | word
                words[place] = dividend // base
                rest = dividend - words[place] * base
            if rest is not None:
                limbs.append(rest)
        return limbs

    def add(self, limbs: list[Words], others: list[Words]) -> list[Words]:
        """The sum modulo what the limbs hold: the last carry falls away."""
        carry: Words | np.uint64 = np.uint64(0)
        result = []
        for base, limb, other in zip(self.bases, limbs, others, strict=True):
            total = limb + other + carry
            carry = (total >= base).astype(np.uint64)
            # Below zero wraps around to a huge number, so the smaller of the two is the one in range.
            result.append(np.minimum(total, total - base))
        return result

    def subtract(self, limbs: list[Words], others: list[Words]) -> list[Words]:
        """The difference modulo what the limbs hold: the last borrow falls away."""
        borrow: Words | np.uint64 = np.uint64(0)
        result = []
        for base, limb, other in zip(self.bases, limbs, others, strict=True):
            taken = other + borrow
            borrow = (limb < taken).astype(np.uint64)
            difference = limb - taken
            result.append(np.minimum(difference, difference + base))
        return result

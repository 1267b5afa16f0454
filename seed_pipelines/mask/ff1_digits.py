"""FF1 over columns of digit strings of any length: what does not fit one number a row (ff1.py) comes here.

Strings of all lengths are worked on together, the halves of each as limbs (ff1_limbs.py): a pass for each length
would be many passes over few rows.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.mask.aes_columns import BLOCK_BYTES, CHUNK_ROWS, AesColumn, Bytes, Words
from seed_pipelines.mask.ff1_limbs import Limbs, limb_width
from seed_pipelines.mask.ff1_shape import ROUNDS, Ff1Shape

_LARGEST_RADIX = 256
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF_BITS = np.uint64(32)

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitCipher:
    """FF1 on strings of digits in `radix`, one byte a digit, one string after the other.

    `lengths` says how many digits each string has; raises SmallDomain where that is too few.
    """

    key: bytes = field(repr=False)
    radix: int
    tweak: bytes = b""

    def __post_init__(self) -> None:
        if self.radix > _LARGEST_RADIX:
            msg = f"a digit is one byte, so the radix is at most {_LARGEST_RADIX}, not {self.radix}"
            raise ValueError(msg)

    def encrypt(self, digits: Bytes, lengths: Index) -> Bytes:
        """The permuted strings, of the same lengths."""
        return self._crypt(digits, lengths, decrypting=False)

    def decrypt(self, digits: Bytes, lengths: Index) -> Bytes:
        """The strings that `encrypt` made these from."""
        return self._crypt(digits, lengths, decrypting=True)

    def _crypt(self, digits: Bytes, lengths: Index, *, decrypting: bool) -> Bytes:
        if len(digits) != lengths.sum() or (digits.size and int(digits.max()) >= self.radix):
            msg = f"the column is not one of {lengths.sum()} digits in radix {self.radix}"
            raise ValueError(msg)
        result = np.empty_like(digits)
        distinct, shape_of_row = np.unique(lengths, return_inverse=True)
        shapes = [Ff1Shape(radix=self.radix, length=length) for length in distinct.tolist()]
        for alike in _alike(shapes):
            is_chosen = (shape_of_row >= alike.start) & (shape_of_row < alike.stop)
            places = np.flatnonzero(np.repeat(is_chosen, lengths))
            feistel, chosen = _Feistel(self, shapes[alike]), shape_of_row[is_chosen] - alike.start
            result[places] = feistel.crypt(digits[places], chosen, decrypting=decrypting)
        return result


def _alike(shapes: Sequence[Ff1Shape]) -> Iterator[slice]:
    """Where the shapes are whose rounds take the same steps; the shapes come in the order of their lengths."""
    start = 0
    for _, same in itertools.groupby(shapes, lambda shape: (_limbs_of(shape), shape.round_bytes, shape.open_blocks)):
        yield slice(start, start := start + len(list(same)))


def _limbs_of(shape: Ff1Shape) -> int:
    return -(-shape.right // limb_width(shape.radix))


class _Feistel:
    """The ten rounds, over strings of shapes that take the same steps; rows name their shapes by position."""

    def __init__(self, cipher: DigitCipher, shapes: Sequence[Ff1Shape]) -> None:
        self._radix, self._shape, self._count = cipher.radix, shapes[0], _limbs_of(shapes[0])
        half = self._count * limb_width(cipher.radix)
        whole = half - limb_width(cipher.radix)
        self._tops = np.array(
            [[cipher.radix ** (digits - whole) for digits in (shape.left, shape.right)] for shape in shapes],
            dtype=np.uint64,
        )
        self._is_digit = np.array([_ends(shape.left, half) + _ends(shape.right, half) for shape in shapes])
        self._opens = np.array([_words(_begun(shape, cipher)) for shape in shapes]).T
        self._turns = np.array([_words(_turn(shape)) for shape in shapes]).T
        self._aes = AesColumn(cipher.key, rows=CHUNK_ROWS)

    def crypt(self, digits: Bytes, shape_of_row: Index, *, decrypting: bool) -> Bytes:
        result, done = np.empty_like(digits), 0
        for start in range(0, len(shape_of_row), CHUNK_ROWS):
            shapes = shape_of_row[start : start + CHUNK_ROWS]
            is_digit = self._is_digit[shapes]
            # Places are several times faster to read and write by than a mask.
            places = np.flatnonzero(is_digit)
            padded, part = np.zeros(is_digit.shape, dtype=np.uint8), slice(done, done := done + len(places))
            padded.ravel()[places] = digits[part]
            result[part] = self._permuted(padded, shapes, decrypting=decrypting).ravel()[places]
        return result

    def _permuted(self, padded: Bytes, shapes: Index, *, decrypting: bool) -> Bytes:
        """Strings whose halves have zeros in front."""
        opens, turns = self._opens[:, shapes], self._turns[:, shapes]
        sides = [Limbs.of(self._radix, self._tops[shapes, side], count=self._count) for side in (0, 1)]
        halves = [limbs.from_digits(digits) for limbs, digits in zip(sides, np.hsplit(padded, 2), strict=True)]
        for number in reversed(range(ROUNDS)) if decrypting else range(ROUNDS):
            # Even rounds change the left half by the right one; that holds in both directions.
            target, source = number % 2, 1 - number % 2
            limbs = sides[target]
            words = self._round(sides[source].to_words(halves[source]), opens ^ turns * np.uint64(number))
            turn = limbs.subtract if decrypting else limbs.add
            halves[target] = turn(halves[target], limbs.reduced(words))
        return np.hstack([limbs.to_digits(half) for limbs, half in zip(sides, halves, strict=True)])

    def _round(self, source: list[Words], blocks: Words) -> list[Words]:
        """The round's pseudorandom number as `Limbs.reduced` takes it; `blocks` are the last ones of its input."""
        # The half comes last and right-aligned; a word beyond the blocks is zero.
        for place, word in zip(reversed(range(len(blocks))), source, strict=False):
            blocks[place] ^= word
        rows = blocks.shape[1]
        for block in range(0, len(blocks), 2):
            for side in (0, 1):
                before = self._aes.cipher[:rows, side] if block else np.uint64(0)
                np.bitwise_xor(blocks[block + side], before, out=self._aes.plain[:rows, side])
            self._aes.encrypt(rows)
        return self._stretched(rows)

    def _stretched(self, rows: int) -> list[Words]:
        """As many words as the round takes: the CBC-MAC, then the encryptions of it mixed with 1, 2, …"""
        first, second = (self._aes.cipher[:rows, side].astype(np.uint64) for side in (0, 1))
        words = [first, second >> _HALF_BITS, second & _LOW_HALF]
        for block in range(1, -(-self._shape.round_bytes // BLOCK_BYTES)):
            self._aes.plain[:rows, 0] = first
            np.bitwise_xor(second, np.uint64(block), out=self._aes.plain[:rows, 1])
            self._aes.encrypt(rows)
            for side in (0, 1):
                pair = self._aes.cipher[:rows, side].astype(np.uint64)
                words += [pair >> _HALF_BITS, pair & _LOW_HALF]
        return words[: self._shape.round_bytes // 4 - 1]


def _ends(digits: int, width: int) -> list[bool]:
    """The last `digits` of `width` places."""
    return [place >= width - digits for place in range(width)]


def _begun(shape: Ff1Shape, cipher: DigitCipher) -> bytes:
    """The last blocks of each round's input but for half and round number, the CBC state mixed into the first."""
    state, blocks = shape.prefix(cipher.key, cipher.tweak)
    mixed = int.from_bytes(blocks, "big") ^ int.from_bytes(state.ljust(len(blocks), b"\0"), "big")
    return mixed.to_bytes(len(blocks), "big")


def _turn(shape: Ff1Shape) -> bytes:
    """A one where those blocks have the round number."""
    return (1 << 8 * shape.half_bytes).to_bytes(shape.open_blocks * BLOCK_BYTES, "big")


def _words(blocks: bytes) -> Words:
    return np.frombuffer(blocks, dtype=">u8").astype(np.uint64)

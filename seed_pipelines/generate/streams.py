"""The one source of chance: Philox4x64 raw bits, addressed by counter.

Any range of rows of any column can be drawn alone, in any order, and gives the same bits. Numbers come from them by
integer arithmetic; no distribution of numpy is used, because numpy promises only its raw bits across versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.seeds import seed_of

Uint64s = npt.NDArray[np.uint64]

_WORDS_PER_COUNT = 4
_HALF = np.uint64(32)

# Up to this sum, looking a number up takes less time than searching for it.
_LARGEST_TABLE = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamKey:
    """One column's endless row of 64-bit words, one word a row."""

    seed: bytes
    entity: str
    column: str

    @property
    def philox_key(self) -> int:
        return int.from_bytes(seed_of("stream", self.seed, self.entity, self.column)[:16], "big")


def raw_bits(stream: StreamKey, *, first_row: int, rows: int) -> Uint64s:
    """uint64 of shape (rows,): the bits of rows first_row … first_row + rows - 1."""
    count, skipped = divmod(first_row, _WORDS_PER_COUNT)
    source = np.random.Philox(key=stream.philox_key, counter=count)
    words: Uint64s = source.random_raw(skipped + rows)[skipped:]
    return words


def scaled(bits: Uint64s, span: Int64s | int) -> Int64s:
    """Each word as a number from 0 to span - 1, by multiply-high on its top 32 bits.

    `span` is one for all or one for each, from 1 to 2^31. A value's probability is off by less than 2^-32.
    """
    spans = np.asarray(span, dtype=np.uint64)
    return (((bits >> _HALF) * spans) >> _HALF).view(np.int64)


def positions(drawn: Int64s, cumulative: Sequence[int]) -> Int64s:
    """In which part of a whole each number lies, by running sums of the parts; the last sum is above every number."""
    sums = np.asarray(cumulative, dtype=np.int64)
    if cumulative[-1] > _LARGEST_TABLE:
        return np.searchsorted(sums, drawn, side="right").astype(np.int64)
    table: Int64s = np.repeat(np.arange(len(sums), dtype=np.int64), np.diff(sums, prepend=0))
    return table[drawn]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Chance for a range of rows of one entity; every column has its own stream, so columns never move each other."""

    seed: bytes
    entity: str
    first_row: int
    rows: int

    def bits(self, column: str) -> Uint64s:
        stream = StreamKey(seed=self.seed, entity=self.entity, column=column)
        return raw_bits(stream, first_row=self.first_row, rows=self.rows)

    def scaled(self, column: str, span: Int64s | int) -> Int64s:
        """Whole numbers from 0 to span - 1, all equally likely."""
        return scaled(self.bits(column), span)

    def integers(self, column: str, *, low: int, high: int) -> Int64s:
        """Whole numbers from `low` to `high`, both included, all equally likely."""
        return low + self.scaled(column, high - low + 1)

    def weighted(self, column: str, cumulative: Sequence[int]) -> Int64s:
        """Positions in a list, drawn by running sums of whole weights; the last sum is at most 2^31."""
        return positions(self.scaled(column, cumulative[-1]), cumulative)

"""Keyed permutations of 0 … n - 1: uniques and exact quotas without drawing, remembering or retrying.

A Feistel network over the next power of four permutes any domain of that size whatever its rounds do; values that
land beyond n - 1 walk on until they land inside, which keeps it a permutation. The rounds hide order from readers of
test data; they are no cipher, and nothing secret rests on them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from seed_pipelines.generate.streams import Uint64s
from seed_pipelines.lending.rounding import Int64s

_ROUNDS = 8
_MASK_64 = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Permutation:
    """The permutation of 0 … size - 1 that `key` names; size from 1 to 2^62."""

    size: int
    key: int

    def of(self, positions: Int64s) -> Int64s:
        """Where each position goes; positions are from 0 to size - 1."""
        values = self._network(positions.astype(np.uint64))
        outside = np.flatnonzero(values >= self.size)
        while len(outside):
            walked = self._network(values[outside])
            values[outside] = walked
            outside = outside[walked >= self.size]
        return values.view(np.int64)

    def of_range(self, first: int, count: int) -> Int64s:
        """The same for consecutive positions."""
        return self.of(np.arange(first, first + count, dtype=np.int64))

    def _network(self, values: Uint64s) -> Uint64s:
        half_bits = max(1, ((self.size - 1).bit_length() + 1) // 2)
        shift, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
        left, right = values >> shift, values & mask
        for round_key in _round_keys(self.key):
            mixed = mix(right + round_key)
            left, right = right, left ^ (mixed & mask)
        return (left << shift) | right


def mix(words: Uint64s) -> Uint64s:
    """The finalizer of splitmix64: every bit of a word moves every other; sums wrap on purpose."""
    mixed = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


# A plan of a few rows walks through the network dozens of times, and its keys would take longer than its rows.
@lru_cache(maxsize=256)
def _round_keys(key: int) -> tuple[np.uint64, ...]:
    steps = [(key + (number + 1) * 0x9E3779B97F4A7C15) & _MASK_64 for number in range(_ROUNDS)]
    return tuple(mix(np.array(steps, dtype=np.uint64)))

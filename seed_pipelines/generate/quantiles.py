"""Distributions as tables: a share of the people at each value, straight lines between, whole numbers only."""

from dataclasses import dataclass

import numpy as np

from seed_pipelines.generate.streams import Uint64s, scaled
from seed_pipelines.lending.rounding import Int64s

# Draws fall on this many places for each unit of share.
_PLACES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """`shares[i]` of `shares[-1]` people lie below `values[i]`; both rise, shares from 0."""

    shares: tuple[int, ...]
    values: tuple[int, ...]

    def of(self, bits: Uint64s) -> Int64s:
        """One value a word, from the first to below the last."""
        shares = np.array(self.shares, dtype=np.int64) * _PLACES
        values = np.array(self.values, dtype=np.int64)
        drawn = scaled(bits, int(shares[-1]))
        below = np.searchsorted(shares, drawn, side="right") - 1
        rise, width = np.diff(values)[below], np.diff(shares)[below]
        reached: Int64s = values[below] + (drawn - shares[below]) * rise // width
        return reached

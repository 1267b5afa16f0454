"""Masked addresses: another street and number, another complement, a postal code of the same states.

Street and number are permuted together, kind of street included, over all that the lists and four digits allow. A
complement is one of kind, unit and block. A postal code stays in its state; the smallest states share one
permutation with their neighbours. What is not of these forms is refused.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.addresses import (
    BLOCKS,
    COMPLEMENT_KINDS,
    HIGHEST_NUMBER,
    HIGHEST_UNIT,
    STREET_KINDS,
)
from seed_pipelines.generate.postal import AREAS, ranges_of
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.aes_columns import Words
from seed_pipelines.mask.by_length import by_length, from_matrix
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.ff1 import permute
from seed_pipelines.mask.keys import FieldKeys

_STREET_WANTED = f"a street of the vocabulary and a number from 1 to {HIGHEST_NUMBER}"
_COMPLEMENT_WANTED = "kind, unit and block, as in Apto 101 Bloco A"
_POSTAL_WANTED = "eight digits in a range of a state"
_POSTAL_WIDTH = 8
_ZERO = np.uint8(ord("0"))

COMPLEMENT_DOMAIN = len(COMPLEMENT_KINDS) * HIGHEST_UNIT * len(BLOCKS)


def street_domain() -> int:
    """Every street with every number."""
    return len(_streets()) * HIGHEST_NUMBER


def postal_domain() -> int:
    """The codes of the smallest area."""
    return min(_Ranges(ranges_of(area)).size for area in AREAS)


def mask_streets(
    rows: pa.RecordBatch, columns: Sequence[str], *, keys: FieldKeys, entity: str
) -> Mapping[str, pa.Array]:
    """Two columns, street and number, in that order; raises NotMaskable or SmallDomain."""
    street, number = columns
    label = f"{entity}.{street}"
    place = _places(rows.column(street), _streets(), label, _STREET_WANTED)
    house = _counted(rows.column(number), HIGHEST_NUMBER, label, _STREET_WANTED)
    span = np.uint64(HIGHEST_NUMBER)
    masked = permute(
        street_domain(),
        place * span + house,
        key=keys.column(entity, street).ff1,
        tweak=b"address|street",
    )
    other, house = np.divmod(masked, span)
    return {street: _streets().take(pa.array(other)), number: pa.array(house + np.uint64(1)).cast(pa.string())}


def mask_complements(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other complements; raises NotMaskable."""
    wanted = _COMPLEMENT_WANTED
    parts = pc.split_pattern(values, pattern=" ")
    wrong = pc.list_value_length(parts).to_numpy() != 4
    if wrong.any():
        raise NotMaskable(column, rows=int(wrong.sum()), wanted=wanted)
    flat, first = parts.flatten(), np.arange(len(values)) * 4
    kind, unit, word, block = (flat.take(pa.array(first + offset)) for offset in range(4))
    _places(word, pa.array(["Bloco"]), column, wanted)
    number = _places(kind, pa.array(COMPLEMENT_KINDS), column, wanted)
    for index, span in (
        (_counted(unit, HIGHEST_UNIT, column, wanted), HIGHEST_UNIT),
        (_places(block, pa.array(BLOCKS), column, wanted), len(BLOCKS)),
    ):
        number = number * np.uint64(span) + index
    masked = permute(COMPLEMENT_DOMAIN, number, key=key, tweak=b"address|complement")
    high, other_block = np.divmod(masked, np.uint64(len(BLOCKS)))
    other_kind, other_unit = np.divmod(high, np.uint64(HIGHEST_UNIT))
    return pc.binary_join_element_wise(
        pa.array(COMPLEMENT_KINDS).take(pa.array(other_kind)),
        pa.array(other_unit + np.uint64(1)).cast(pa.string()),
        pa.scalar("Bloco"),
        pa.array(BLOCKS).take(pa.array(other_block)),
        " ",
    )


def mask_postal_codes(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other postal codes of the same states; raises NotMaskable."""
    groups = by_length(values)
    wrong = sum(len(matrix) for matrix in groups.matrices if matrix.shape[1] != _POSTAL_WIDTH)
    if wrong:
        raise NotMaskable(column, rows=wrong, wanted=_POSTAL_WANTED)
    if not groups.matrices:
        return values
    digits = groups.matrices[0] - _ZERO
    valid = (digits < 10).all(axis=1)
    codes, masked = numbers_of(digits, radix=10), np.zeros(len(digits), dtype=np.uint64)
    is_known = np.zeros(len(digits), dtype=np.bool)
    for area in AREAS:
        ranges = _Ranges(ranges_of(area))
        rows = np.flatnonzero(valid & ranges.holds(codes))
        is_known[rows] = True
        inside = permute(ranges.size, ranges.inside(codes[rows]), key=key, tweak=f"postal|{'|'.join(area)}".encode())
        masked[rows] = ranges.outside(inside)
    if not is_known.all():
        raise NotMaskable(column, rows=int((~is_known).sum()), wanted=_POSTAL_WANTED)
    return from_matrix(digits_of(masked, radix=10, length=_POSTAL_WIDTH) + _ZERO, type_=pa.string())


class _Ranges:
    """Some ranges of numbers, in order, as one range from 0."""

    def __init__(self, ranges: tuple[tuple[int, int], ...]) -> None:
        self._firsts = np.array([first for first, _ in ranges], dtype=np.uint64)
        counts = np.array([count for _, count in ranges], dtype=np.uint64)
        self._stops = self._firsts + counts
        self._starts = np.cumsum(counts) - counts
        self.size = int(counts.sum())

    def holds(self, numbers: Words) -> NDArray[np.bool]:
        place = np.maximum(np.searchsorted(self._firsts, numbers, side="right"), 1) - 1
        held: NDArray[np.bool] = (numbers >= self._firsts[place]) & (numbers < self._stops[place])
        return held

    def inside(self, numbers: Words) -> Words:
        place = np.searchsorted(self._firsts, numbers, side="right") - 1
        placed: Words = numbers - self._firsts[place] + self._starts[place]
        return placed

    def outside(self, placed: Words) -> Words:
        place = np.searchsorted(self._starts, placed, side="right") - 1
        numbers: Words = placed - self._starts[place] + self._firsts[place]
        return numbers


@cache
def _streets() -> pa.Array:
    """Every kind of every street of the vocabulary."""
    return pa.array([f"{kind} {name}" for kind in STREET_KINDS for name in vocabulary().streets.words])


def _places(values: pa.Array, table: pa.Array, column: str, wanted: str) -> Words:
    found = pc.index_in(values, value_set=table)
    if found.null_count:
        raise NotMaskable(column, rows=found.null_count, wanted=wanted)
    places: Words = found.to_numpy().astype(np.uint64)
    return places


def _counted(values: pa.Array, highest: int, column: str, wanted: str) -> Words:
    """Plain numbers from 1 on, counted from 0; a leading zero would give two texts one number."""
    plain = pc.match_substring_regex(values, pattern=r"^[1-9][0-9]{0,8}$")
    wrong = len(values) - int(pc.sum(plain, min_count=0).as_py())
    if not wrong:
        numbers: Words = pc.cast(values, pa.uint64()).to_numpy() - np.uint64(1)
        wrong = int((numbers >= highest).sum())
    if wrong:
        raise NotMaskable(column, rows=wrong, wanted=wanted)
    return numbers

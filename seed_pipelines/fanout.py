"""How many children each parent has: exact totals, any range on its own.

A fan-out spreads `children` rows over `parents` rows by a deck of weights. Parents are taken in blocks of one deck;
each block owns an exact share of the children, and within a block the deck is fitted to that share by largest
remainder and laid out in an order that the key decides. So the total is exactly what the plan says, and the
children of any parent, or the parents of any children, are found without walking the rows before them.

Where there is exactly one child each, `OneEach` needs no deck. Where the number follows from the parents' values,
`Counted` keeps a running sum for every few thousand parents and counts anew within them.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from seed_pipelines.errors import FanoutImpossible

Int64s = npt.NDArray[np.int64]

# How many children each of so many parents has, from a first one on.
CountChildren = Callable[[int, int], Int64s]

# Counting anew inside a block takes about a millisecond.
COUNTED_BLOCK = 2_048
_COUNTED_AT_ONCE = 32 * COUNTED_BLOCK


class Relation(Protocol):
    """`children` rows under `parents` rows, both counted from 0, the children of one parent next to each other."""

    @property
    def parents(self) -> int: ...

    @property
    def children(self) -> int: ...

    def counts_of(self, first_parent: int, parents: int) -> Int64s:
        """How many children each parent has; int64 of shape (parents,)."""

    def first_child(self, parent: int) -> int:
        """The row of the first child of `parent`; for `parents` itself, the number of children."""

    def parents_of(self, first_child: int, children: int) -> tuple[Int64s, Int64s]:
        """The parent of each child and the child's ordinal under it, from 0; two int64 of shape (children,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEach:
    """Every parent has exactly one child, with its own row number."""

    parents: int

    @property
    def children(self) -> int:
        return self.parents

    def counts_of(self, first_parent: int, parents: int) -> Int64s:
        return np.ones(parents, dtype=np.int64)

    def first_child(self, parent: int) -> int:
        return parent

    def parents_of(self, first_child: int, children: int) -> tuple[Int64s, Int64s]:
        return np.arange(first_child, first_child + children, dtype=np.int64), np.zeros(children, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Children by a count that any range of parents gives alone; `ends` are the running sums of whole blocks."""

    parents: int
    children: int
    ends: tuple[int, ...] = field(repr=False)
    count: CountChildren = field(repr=False, compare=False)

    @classmethod
    def of(cls, parents: int, *, count: CountChildren) -> Self:
        """Counts all parents once."""
        sums: list[Int64s] = []
        for first in range(0, parents, _COUNTED_AT_ONCE):
            counts = count(first, min(_COUNTED_AT_ONCE, parents - first))
            sums.append(np.add.reduceat(counts, np.arange(0, len(counts), COUNTED_BLOCK)))
        ends = np.cumsum(np.concatenate(sums)).tolist()
        return cls(parents=parents, children=ends[-1], ends=tuple(ends), count=count)

    def counts_of(self, first_parent: int, parents: int) -> Int64s:
        return self.count(first_parent, parents)

    def first_child(self, parent: int) -> int:
        block, inside = divmod(parent, COUNTED_BLOCK)
        before = self._children_before_block(block)
        return before + int(self.count(block * COUNTED_BLOCK, inside).sum()) if inside else before

    def parents_of(self, first_child: int, children: int) -> tuple[Int64s, Int64s]:
        first_block = bisect_right(self.ends, first_child)
        first_parent = first_block * COUNTED_BLOCK
        stop = min((bisect_right(self.ends, first_child + children - 1) + 1) * COUNTED_BLOCK, self.parents)
        owners, ordinals = _children_of(self.count(first_parent, stop - first_parent))
        skipped = first_child - self._children_before_block(first_block)
        taken = slice(skipped, skipped + children)
        return owners[taken] + first_parent, ordinals[taken]

    def _children_before_block(self, block: int) -> int:
        return self.ends[block - 1] if block else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fanout:
    """`children` rows over `parents` rows; every parent has between `least` and `most` of them.

    `deck` holds the relative weight of each card; `key` decides where each card lies in each block. `entity` and
    `parent` are what a refusal calls them.
    """

    entity: str
    parent: str

    parents: int
    children: int
    deck: tuple[int, ...]
    least: int
    most: int
    key: int

    def __post_init__(self) -> None:
        if not self.least * self.parents <= self.children <= self.most * self.parents:
            raise FanoutImpossible(
                self.entity,
                rows=self.children,
                parent=self.parent,
                parents=self.parents,
                bounds=(self.least, self.most),
            )

    def cards_of(self, first_parent: int, parents: int) -> Int64s:
        """The deck position of each parent; int64 of shape (parents,)."""
        size = len(self.deck)
        rows = np.arange(first_parent, first_parent + parents, dtype=np.int64)
        block, position = np.divmod(rows, size)
        return (self._stride * position + self._offset_of(block)) % size

    def counts_of(self, first_parent: int, parents: int) -> Int64s:
        """How many children each parent has; int64 of shape (parents,)."""
        size = len(self.deck)
        first_block, last_block = first_parent // size, (first_parent + parents - 1) // size
        counts = self._block_counts(first_block, last_block + 1)
        return counts[first_parent - first_block * size :][:parents]

    def first_child(self, parent: int) -> int:
        """The row of the first child of `parent`; for `parents` itself, the number of children."""
        block, inside = divmod(parent, len(self.deck))
        before = self._children_before_block(block)
        return before + int(self._block_counts(block, block + 1)[:inside].sum()) if inside else before

    def parents_of(self, first_child: int, children: int) -> tuple[Int64s, Int64s]:
        """The parent of each child and the child's ordinal under it, from 0; two int64 of shape (children,)."""
        first_block = self._block_of_child(first_child)
        last_block = self._block_of_child(first_child + children - 1)
        parents, ordinals = _children_of(self._block_counts(first_block, last_block + 1))
        skipped = first_child - self._children_before_block(first_block)
        taken = slice(skipped, skipped + children)
        return parents[taken] + first_block * len(self.deck), ordinals[taken]

    @property
    def _stride(self) -> int:
        size = len(self.deck)
        stride = self.key % size | 1
        while math.gcd(stride, size) != 1:
            stride += 2
        return stride % size or 1

    def _offset_of(self, block: Int64s) -> Int64s:
        # splitmix64's finalizer: wraps on purpose, and is the same on every processor.
        mixed = block.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(self.key)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(len(self.deck))).astype(np.int64)

    def _children_before_block(self, block: int) -> int:
        return min(block * len(self.deck), self.parents) * self.children // self.parents

    def _block_of_child(self, child: int) -> int:
        size = len(self.deck)
        block = child * self.parents // (self.children * size)
        while self._children_before_block(block + 1) <= child:
            block += 1
        while self._children_before_block(block) > child:
            block -= 1
        return block

    def _block_counts(self, first_block: int, stop_block: int) -> Int64s:
        """The counts of whole blocks, parent by parent; the last block may be a short one."""
        size = len(self.deck)
        cards = self.cards_of(first_block * size, (stop_block - first_block) * size).reshape(-1, size)
        counts = np.zeros(cards.shape, dtype=np.int64)
        shares = [
            self._children_before_block(block + 1) - self._children_before_block(block)
            for block in range(first_block, stop_block)
        ]
        short = self.parents % size
        for row, share in enumerate(shares):
            if short and first_block + row == self.parents // size:
                weights = tuple(self.deck[card] for card in cards[row, :short])
                counts[row, :short] = _fitted(weights, share, self.least, self.most)
            else:
                counts[row] = _fitted_deck(self.deck, share, self.least, self.most)[cards[row]]
        return counts.reshape(-1)


def _children_of(counts: Int64s) -> tuple[Int64s, Int64s]:
    """Of every child in order: its parent, and its ordinal under it, both from 0."""
    starts = np.cumsum(counts) - counts
    parents = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return parents, np.arange(len(parents), dtype=np.int64) - starts[parents]


@cache
def _fitted_deck(deck: tuple[int, ...], total: int, least: int, most: int) -> Int64s:
    return np.array(_fitted(deck, total, least, most), dtype=np.int64)


def _fitted(weights: tuple[int, ...], total: int, least: int, most: int) -> list[int]:
    """Whole counts that sum to `total`, in proportion to the weights, by largest remainder within the bounds."""
    counts = [least] * len(weights)
    left = total - least * len(weights)
    while left:
        open_cards = [card for card, count in enumerate(counts) if count < most]
        # A deck of zeros still has to carry what it is given.
        heavy = [card for card in open_cards if weights[card]] or open_cards
        sum_of_weights = sum(weights[card] or 1 for card in heavy)
        shares = {card: divmod(left * (weights[card] or 1), sum_of_weights) for card in heavy}
        for card, (share, _) in shares.items():
            share = min(share, most - counts[card])
            counts[card] += share
            left -= share
        by_remainder = sorted(heavy, key=lambda card: (-shares[card][1], card))
        for card in by_remainder[:left]:
            if counts[card] < most:
                counts[card] += 1
                left -= 1
    return counts

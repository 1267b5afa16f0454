"""Loans lined up so that instalment k of all of them is one contiguous piece of a column.

Recurrences run over k, one numpy call a step for all loans. Sorted by falling term, the loans that still have an
instalment k are a prefix, so a step needs no mask and no index: `column[ladder.rung(k)]` pairs with
`per_loan[: ladder.active(k)]`, and the loans that end at k are the tail of that prefix.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seed_pipelines.lending.rounding import Int64s

# A ladder's columns stay in a core's cache: blocks of this many loans measured fastest.
LOANS_PER_LADDER = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """`loans` are indexes, longest term first; `rows` gives the loan-order row of each rung-order element."""

    loans: Int64s
    actives: tuple[int, ...]
    starts: tuple[int, ...]
    rows: Int64s

    @property
    def height(self) -> int:
        return len(self.actives)

    def active(self, number: int) -> int:
        """How many loans have an instalment of this number."""
        return self.actives[number - 1]

    def ending(self, number: int) -> slice:
        """The loans, in ladder order, whose last instalment has this number."""
        following = self.actives[number] if number < self.height else 0
        return slice(following, self.actives[number - 1])

    def rung(self, number: int) -> slice:
        """The elements of instalment `number` in a rung-order column."""
        start = self.starts[number - 1]
        return slice(start, start + self.actives[number - 1])

    def counts(self) -> Int64s:
        """The term of each loan, in ladder order."""
        counts = np.empty(len(self.loans), dtype=np.int64)
        for number in range(1, self.height + 1):
            counts[self.ending(number)] = number
        return counts


def ladders(offsets: Int64s, loans: Int64s) -> Iterator[Ladder]:
    """The chosen loans, a block at a time."""
    for first in range(0, len(loans), LOANS_PER_LADDER):
        yield _ladder(offsets, loans[first : first + LOANS_PER_LADDER])


def _ladder(offsets: Int64s, loans: Int64s) -> Ladder:
    counts = offsets[loans + 1] - offsets[loans]
    order = np.argsort(-counts, kind="stable")
    loans, counts = loans[order], counts[order]
    height = int(counts[0])
    actives = np.searchsorted(-counts, -np.arange(1, height + 1), side="right")
    first_rows = offsets[loans]
    rows = np.concatenate([first_rows[:active] + rung for rung, active in enumerate(actives)])
    return Ladder(
        loans=loans,
        actives=tuple(actives.tolist()),
        starts=tuple((np.cumsum(actives) - actives).tolist()),
        rows=rows,
    )

"""What several entities ask of the same loans, worked out once for a block of loans and kept for a while.

A loan's values depend on its row alone, so a block's are the same whoever asks and in whatever order, and a block that
was given up is worked out anew. As many are kept as a large shard has, because a worker makes one entity of a shard
after the other; that is 45 MB. Kept columns cannot be written to. Two threads may ask at the same time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from seed_pipelines.manifest.model import Manifest
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import DataKey

LOANS_PER_BLOCK = 16_384

# A shard of plan.CUSTOMERS_PER_LARGE_SHARD has 13 blocks of loans.
BLOCKS_KEPT = 16

# A dataclass of columns, or of more of them.
Columns = TypeVar("Columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Some loans, told from others by the manifest, which decides every value."""

    data_key: DataKey
    number: int
    # Tells most manifests apart at once; two are the same only where all that they say is.
    manifest_hash: str
    manifest: Manifest = field(hash=False)
    plan: Plan = field(compare=False)

    @property
    def loans(self) -> RowRange:
        first = self.number * LOANS_PER_BLOCK
        return RowRange(first=first, rows=min(LOANS_PER_BLOCK, self.plan.rows["loans"] - first))


def kept_by_block(make: Callable[[Plan, RowRange], Columns]) -> Callable[[Plan, RowRange], Columns]:
    """The same function of a plan and one or more of its loans, put together from kept blocks."""

    @lru_cache(maxsize=BLOCKS_KEPT)
    def kept(block: _Block) -> Columns:
        made = make(block.plan, block.loans)
        _lock(made)
        return made

    @wraps(make)
    def put_together(plan: Plan, loans: RowRange) -> Columns:
        whole: Columns = _joined([(kept(block), wanted) for block, wanted in _blocks_of(plan, loans)])
        return whole

    return put_together


def _blocks_of(plan: Plan, loans: RowRange) -> Iterator[tuple[_Block, slice]]:
    """The blocks that some loans lie in, and where in each."""
    for number in range(loans.first // LOANS_PER_BLOCK, (loans.stop - 1) // LOANS_PER_BLOCK + 1):
        first = number * LOANS_PER_BLOCK
        block = _Block(
            data_key=plan.data_key,
            number=number,
            manifest_hash=plan.manifest.manifest_hash,
            manifest=plan.manifest,
            plan=plan,
        )
        yield block, slice(max(loans.first - first, 0), min(loans.stop - first, LOANS_PER_BLOCK))


def _joined(pieces: Sequence[tuple[Any, slice]]) -> Any:
    """Pieces of columns one after the other; what has no rows is the first piece's."""
    first, wanted = pieces[0]
    if isinstance(first, np.ndarray):
        return first[wanted] if len(pieces) == 1 else np.concatenate([column[wanted] for column, wanted in pieces])
    if not is_dataclass(first):
        return first
    kind: Any = type(first)
    names = (each.name for each in fields(first))
    return kind(**{name: _joined([(getattr(value, name), wanted) for value, wanted in pieces]) for name in names})


def _lock(value: Any) -> None:
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif is_dataclass(value):
        for each in fields(value):
            _lock(getattr(value, each.name))

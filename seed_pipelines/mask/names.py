"""Masked names of people: a given name and two surnames become three others of the same lists.

A list alone is far too small to be permuted safely, so the three are permuted together, as one number. A name that
is not three words of the lists is refused.
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.aes_columns import Words
from seed_pipelines.mask.ff1 import permute, unpermute

_WANTED = "a given name and two surnames out of the vocabulary, one blank between them"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTables:
    """The words that names are made of: no blanks inside, none twice."""

    given: tuple[str, ...]
    surnames: tuple[str, ...]

    def __post_init__(self) -> None:
        for words in (self.given, self.surnames):
            if len(set(words)) != len(words) or any(not word or " " in word for word in words):
                raise ValueError("a list of names holds a word twice, an empty one or one with a blank")

    @classmethod
    def vendored(cls) -> Self:
        """The lists that the generator takes its names from."""
        words = vocabulary()
        return cls(given=words.given.words, surnames=words.surnames.words)

    @property
    def combinations(self) -> int:
        return len(self.given) * len(self.surnames) ** 2


@cache
def vendored_names() -> NameTables:
    """The vendored lists, checked once."""
    return NameTables.vendored()


def mask_names(values: pa.Array, *, key: bytes, column: str, tables: NameTables) -> pa.Array:
    """A text column of other names; raises NotMaskable, or SmallDomain where the lists are too short."""
    numbers = numbered(values, tables, column=column, wanted=_WANTED)
    return spelled(permute(tables.combinations, numbers, key=key, tweak=b"name"), tables)


def unmask_names(values: pa.Array, *, key: bytes, column: str, tables: NameTables) -> pa.Array:
    """The names that `mask_names` was given."""
    numbers = numbered(values, tables, column=column, wanted=_WANTED)
    return spelled(unpermute(tables.combinations, numbers, key=key, tweak=b"name"), tables)


def numbered(values: pa.Array, tables: NameTables, *, column: str, wanted: str) -> Words:
    """Each name's place among all combinations; raises NotMaskable, which says what is `wanted`."""
    words = pc.split_pattern(values, pattern=" ")
    short = pc.list_value_length(words).to_numpy() != 3
    if short.any():
        raise NotMaskable(column, rows=int(short.sum()), wanted=wanted)
    flat = words.flatten()
    places = np.arange(len(values)) * 3
    given = pc.index_in(flat.take(pa.array(places)), value_set=pa.array(tables.given))
    first, second = (
        pc.index_in(flat.take(pa.array(places + offset)), value_set=pa.array(tables.surnames)) for offset in (1, 2)
    )
    unknown = pc.or_(pc.or_(given.is_null(), first.is_null()), second.is_null())
    if pc.any(unknown, min_count=0).as_py():
        raise NotMaskable(column, rows=pc.sum(unknown).as_py(), wanted=wanted)
    surnames = np.uint64(len(tables.surnames))
    numbers: Words = given.to_numpy().astype(np.uint64)
    for index in (first, second):
        numbers = numbers * surnames + index.to_numpy().astype(np.uint64)
    return numbers


def spelled(numbers: Words, tables: NameTables) -> pa.Array:
    """The name of each place."""
    surnames = np.uint64(len(tables.surnames))
    high, second = np.divmod(numbers, surnames)
    given, first = np.divmod(high, surnames)
    surname_list = pa.array(tables.surnames)
    return pc.binary_join_element_wise(
        pa.array(tables.given).take(pa.array(given)),
        surname_list.take(pa.array(first)),
        surname_list.take(pa.array(second)),
        " ",
    )

"""Names, mail and phones, made alike for whoever has them: customers, users, consultants.

Mail addresses end in a keyed permutation of the row's place, so each is unique in its tenant and entity; they go to
reserved domains only. Names are drawn, so two rows may share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.generate.arrow import words
from seed_pipelines.generate.identifiers import ascii_table, base36_rows, phone_rows, texts
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.streams import Draws
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.plan import Plan
from seed_pipelines.seeds import integer_of

_MAIL_DOMAINS = ("example.com", "example.org", "example.net")

# Long enough for every place of every mode: 36^6 is over two thousand million.
_SUFFIX_WIDTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Surnames:
    """Two different surnames for each row, as positions in the list."""

    first: Int64s
    second: Int64s

    @classmethod
    def drawn(cls, draws: Draws) -> Self:
        surnames = vocabulary().surnames
        first = draws.weighted("surname", surnames.cumulative)
        second = draws.weighted("second_surname", surnames.cumulative)
        # Nobody carries one surname twice.
        return cls(first=first, second=np.where(second == first, (second + 1) % len(surnames.words), second))


def drawn_given_names(draws: Draws) -> Int64s:
    """Positions in the list of given names."""
    return draws.weighted("given", vocabulary().given.cumulative)


def full_names(first: Int64s, surnames: Surnames, *, table: Sequence[str]) -> pa.Array:
    """A word of the table and two surnames."""
    listed = vocabulary().surnames.words
    return pc.binary_join_element_wise(
        words(first, table), words(surnames.first, listed), words(surnames.second, listed), " "
    )


def mail_addresses(
    plan: Plan, entity: str, place: Int64s, *, first: Int64s, surname: Int64s, table: Sequence[str]
) -> pa.Array:
    """`first` names words of the table, which are of plain lower-case letters, as all surnames are here."""
    key = integer_of(plan.data_key.identity_seed, entity, "email")
    suffix = Permutation(size=36**_SUFFIX_WIDTH, key=key).of(place)
    local = pc.binary_join_element_wise(
        words(first, table),
        words(surname, vocabulary().surnames.folded),
        texts(base36_rows(suffix, width=_SUFFIX_WIDTH)),
        ".",
    )
    return pc.binary_join_element_wise(local, words(suffix % len(_MAIL_DOMAINS), _MAIL_DOMAINS), "@")


def drawn_cities(draws: Draws) -> Int64s:
    """Positions in the list of cities, by population."""
    return draws.weighted("city", vocabulary().city_cumulative)


def mobile_phones(draws: Draws, city: Int64s) -> pa.Array:
    """Numbers with a DDD of the city."""
    ddds = ascii_table(tuple(city.ddd for city in vocabulary().cities))
    return texts(phone_rows(ddds[city], draws.integers("phone", low=0, high=10**8 - 1)))

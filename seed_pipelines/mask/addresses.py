"""Masked addresses: another street, number and end of the postal code in the same city; another complement.

Street, number and the last three digits of the postal code are permuted together, kind of street included, over all
that the lists and the digits allow. The first five digits stay: they say no more than city and state beside them do,
which stay too. A complement is one of kind, unit and block. What is not of these forms is refused.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.addresses import (
    BLOCKS,
    COMPLEMENT_KINDS,
    HIGHEST_NUMBER,
    HIGHEST_UNIT,
    STREET_KINDS,
)
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.aes_columns import Words
from seed_pipelines.mask.ff1 import permute
from seed_pipelines.mask.keys import FieldKeys

_STREET_WANTED = f"a street of the vocabulary, a number from 1 to {HIGHEST_NUMBER} and a postal code of eight digits"
_COMPLEMENT_WANTED = "kind, unit and block, as in Apto 101 Bloco A"
# Of a postal code, five digits say the city.
_POSTAL_ENDS = 1_000

COMPLEMENT_DOMAIN = len(COMPLEMENT_KINDS) * HIGHEST_UNIT * len(BLOCKS)


def street_domain() -> int:
    """Every street with every number and every end of a postal code."""
    return len(_streets()) * HIGHEST_NUMBER * _POSTAL_ENDS


def mask_streets(
    rows: pa.RecordBatch, columns: Sequence[str], *, keys: FieldKeys, entity: str
) -> Mapping[str, pa.Array]:
    """Three columns, street, number and postal code, in that order; raises NotMaskable or SmallDomain."""
    street, number, postal_code = columns
    label = f"{entity}.{street}"
    place = _places(rows.column(street), _streets(), label, _STREET_WANTED)
    house = _counted(rows.column(number), HIGHEST_NUMBER, label, _STREET_WANTED)
    city, end = np.divmod(_postal_numbers(rows.column(postal_code), label), np.uint64(_POSTAL_ENDS))
    span, ends = np.uint64(HIGHEST_NUMBER), np.uint64(_POSTAL_ENDS)
    masked = permute(
        street_domain(),
        (place * span + house) * ends + end,
        key=keys.column(entity, street).ff1,
        tweak=b"address|street",
    )
    other, end = np.divmod(masked, ends)
    other, house = np.divmod(other, span)
    return {
        street: _streets().take(pa.array(other)),
        number: pa.array(house + np.uint64(1)).cast(pa.string()),
        postal_code: pc.utf8_lpad(pa.array(city * ends + end).cast(pa.string()), width=8, padding="0"),
    }


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


def _postal_numbers(values: pa.Array, column: str) -> Words:
    plain = pc.match_substring_regex(values, pattern=r"^[0-9]{8}$")
    wrong = len(values) - int(pc.sum(plain, min_count=0).as_py())
    if wrong:
        raise NotMaskable(column, rows=wrong, wanted=_STREET_WANTED)
    numbers: Words = pc.cast(values, pa.uint64()).to_numpy()
    return numbers


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

"""Addresses: in the customer's own city, so that city, state, postal code and area code agree.

A customer's first address is a home or a headquarters. Streets are names that many cities have; where they lie is
made up. Postal codes are of the city's first five digits.
"""

import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.generate.arrow import batch_of, numbers, words
from seed_pipelines.generate.companies import is_company
from seed_pipelines.generate.identifiers import ascii_table, cep_rows, texts
from seed_pipelines.generate.people import customer_cities
from seed_pipelines.generate.planned import draws_of, keys_of
from seed_pipelines.generate.streams import Draws
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.plan import Plan, RowRange

_ENTITY = "addresses"

# A person's, then a company's, by the address's place among the customer's.
KINDS = ("home", "work", "billing", "headquarters", "branch", "billing")
_KINDS_EACH = 3

STREET_KINDS = ("Rua", "Avenida", "Travessa", "Alameda")
_STREET_SHARES = (72, 92, 97, 100)
HIGHEST_NUMBER = 9_999

COMPLEMENT_KINDS = ("Apto", "Casa", "Sala", "Loja")
_COMPLEMENT_SHARES = (60, 75, 93, 100)
HIGHEST_UNIT = 9_999
BLOCKS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Of a hundred addresses.
_WITH_COMPLEMENT = 45


def addresses(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    draws, lists = draws_of(plan, _ENTITY, rows), vocabulary()
    customer, ordinal = plan.relations[_ENTITY].parents_of(rows.first, rows.rows)
    known = RowRange(first=int(customer[0]), rows=int(customer[-1] - customer[0]) + 1)
    within = customer - known.first
    city = customer_cities(plan, known)[within]
    prefixes = ascii_table(tuple(city.cep_prefix for city in lists.cities))
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "customer_id": numbers(customer + plan.first_id),
            "kind": words(ordinal + _KINDS_EACH * is_company(plan, known)[within], KINDS),
            "street": _streets(draws),
            "number": _numbers(draws),
            "complement": _complements(draws),
            "district": words(draws.weighted("district", lists.districts.cumulative), lists.districts.words),
            "city": words(city, tuple(city.name for city in lists.cities)),
            "uf": words(city, tuple(city.uf for city in lists.cities)),
            "postal_code": texts(cep_rows(prefixes[city], draws.integers("postal_code", low=0, high=999))),
        },
    )


def _streets(draws: Draws) -> pa.Array:
    streets = vocabulary().streets
    kind = words(draws.weighted("street_kind", _STREET_SHARES), STREET_KINDS)
    return pc.binary_join_element_wise(kind, words(draws.weighted("street", streets.cumulative), streets.words), " ")


def _numbers(draws: Draws) -> pa.Array:
    """Low numbers are more common: the product of two even draws."""
    long, short = draws.scaled("street_length", HIGHEST_NUMBER), draws.scaled("number", 2**16)
    return numbers(1 + (long * short >> 16)).cast(pa.string())


def _complements(draws: Draws) -> pa.Array:
    kind = words(draws.weighted("complement_kind", _COMPLEMENT_SHARES), COMPLEMENT_KINDS)
    floor, door = draws.integers("floor", low=1, high=20), draws.integers("door", low=1, high=8)
    unit = numbers(floor * 100 + door).cast(pa.string())
    block = words(draws.scaled("block", 6), BLOCKS)
    is_absent = draws.scaled("complement", 100) >= _WITH_COMPLEMENT
    written = pc.binary_join_element_wise(kind, unit, pa.scalar("Bloco"), block, " ")
    return pc.if_else(pa.array(is_absent), pa.scalar(None, pa.string()), written)

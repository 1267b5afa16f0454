"""Customers: natural persons spread over Brazil as its people are, each document and e-mail once.

Documents and e-mails come from the customer's place among all that the tenant can ever have, so they are unique
across modes and stay with the row when the manifest's version changes. Mail goes to reserved domains only. Every
customer is older than the oldest loan that one with that tenure may have (`loan_book`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines import catalog
from seed_pipelines.generate.arrow import batch_of, dates, numbers, timestamps, words
from seed_pipelines.generate.identifiers import (
    ascii_table,
    base36_rows,
    cpf_rows,
    phone_rows,
    places,
    refuse_too_many,
    texts,
)
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.planned import draws_of, keys_of, reference_day, states_of
from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.generate.streams import Draws
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.manifest.model import Mode
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_MODE_SLOT = {Mode.BASELINE: 0, Mode.CARGA: 1, Mode.DR: 2, Mode.CANARY: 3}
_STATUSES = (*catalog.STATES["customers"], "active")
_MAIL_DOMAINS = ("example.com", "example.org", "example.net")

# Long enough for every place of every mode: 36^6 is over two thousand million.
_SUFFIX_WIDTH = 6

_ADULT_DAYS = 6_580
_LEAST_TENURE_DAYS = 460

# From a year and a quarter, so that a loan can be written off, to eight years.
_TENURE_DAYS = Quantiles(shares=(0, 25, 50, 75, 100), values=(_LEAST_TENURE_DAYS, 800, 1_250, 1_900, 2_920))

# Days of age by hundreds of thousands of people: adults when they registered, then 20, 30, … and not quite 80 years.
_AGE_DAYS = Quantiles(
    shares=(0, 58, 370, 690, 987, 1_230, 1_413, 1_517),
    values=(_ADULT_DAYS + _LEAST_TENURE_DAYS, 7_305, 10_958, 14_610, 18_263, 21_915, 25_568, 29_200),
)

# Reais a month by hundredths of a percent of the people with an income.
_INCOME_REAIS = Quantiles(
    shares=(0, 500, 1_000, 2_500, 5_000, 7_500, 9_000, 9_500, 9_900, 9_990, 10_000),
    values=(900, 1_320, 1_518, 1_750, 2_500, 4_200, 7_900, 12_000, 27_000, 55_000, 90_000),
)

_DAY_MICROSECONDS = 86_400 * 10**6


def customers(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    # All of the plan: the first batch has to refuse what the last one could not make.
    refuse_too_many(plan.rows["customers"])
    draws = draws_of(plan, "customers", rows)
    place = places(_MODE_SLOT[plan.manifest.mode], first_row=rows.first, rows=rows.rows)
    cities = vocabulary().cities
    city = draws.weighted("city", vocabulary().city_cumulative)
    given, surname = _given_and_surname(draws)
    return batch_of(
        "customers",
        {
            **keys_of(plan, rows),
            "kind": words(np.zeros(rows.rows, dtype=np.int64), ("PF",)),
            "document_number": _documents(plan, place, city),
            "name": _full_names(draws, given, surname),
            "email": _mail_addresses(plan, place, given=given, surname=surname),
            "phone": _phones(draws, city),
            "birth_date": dates(reference_day(plan) - _age_days(draws)),
            "uf": words(city, tuple(city.uf for city in cities)),
            "city": words(city, tuple(city.name for city in cities)),
            "monthly_income_cents": numbers(income_cents(plan, rows)),
            "status": words(states_of(plan, "customers", rows), _STATUSES),
            "created_at": timestamps(_created_at(plan, rows)),
        },
    )


def income_cents(plan: Plan, rows: RowRange) -> Int64s:
    """Monthly income in whole reais."""
    return _INCOME_REAIS.of(draws_of(plan, "customers", rows).bits("monthly_income_cents")) * 100


def tenure_days(plan: Plan, rows: RowRange) -> Int64s:
    """How many days before the reference date each customer was registered, as an adult."""
    draws = draws_of(plan, "customers", rows)
    return np.minimum(_TENURE_DAYS.of(draws.bits("created_at")), _age_days(draws) - _ADULT_DAYS)


def _age_days(draws: Draws) -> Int64s:
    return _AGE_DAYS.of(draws.bits("birth_date"))


def _created_at(plan: Plan, rows: RowRange) -> Int64s:
    """Microseconds since 1970, in the day that the tenure gives, at an hour of work."""
    days = reference_day(plan).astype(np.int64) - tenure_days(plan, rows)
    seconds = draws_of(plan, "customers", rows).integers("created_at_second", low=8 * 3_600, high=21 * 3_600)
    microseconds: Int64s = days * _DAY_MICROSECONDS + seconds * 10**6
    return microseconds


def _documents(plan: Plan, place: Int64s, city: Int64s) -> pa.Array:
    regions = np.array([city.fiscal_region for city in vocabulary().cities], dtype=np.int64)
    key = integer_of(plan.data_key.identity_seed, "customers", "document_number")
    return texts(cpf_rows(place, fiscal_region=regions[city], key=key))


def _given_and_surname(draws: Draws) -> tuple[Int64s, Int64s]:
    lists = vocabulary()
    return draws.weighted("given", lists.given.cumulative), draws.weighted("surname", lists.surnames.cumulative)


def _full_names(draws: Draws, given: Int64s, surname: Int64s) -> pa.Array:
    lists = vocabulary()
    second = draws.weighted("second_surname", lists.surnames.cumulative)
    # Nobody carries one surname twice.
    second = np.where(second == surname, (second + 1) % len(lists.surnames.words), second)
    parts = words(given, lists.given.words), words(surname, lists.surnames.words), words(second, lists.surnames.words)
    return pc.binary_join_element_wise(*parts, " ")


def _mail_addresses(plan: Plan, place: Int64s, *, given: Int64s, surname: Int64s) -> pa.Array:
    lists = vocabulary()
    key = integer_of(plan.data_key.identity_seed, "customers", "email")
    suffix = Permutation(size=36**_SUFFIX_WIDTH, key=key).of(place)
    local = pc.binary_join_element_wise(
        words(given, lists.given.folded),
        words(surname, lists.surnames.folded),
        texts(base36_rows(suffix, width=_SUFFIX_WIDTH)),
        ".",
    )
    return pc.binary_join_element_wise(local, words(suffix % len(_MAIL_DOMAINS), _MAIL_DOMAINS), "@")


def _phones(draws: Draws, city: Int64s) -> pa.Array:
    ddds = ascii_table(tuple(city.ddd for city in vocabulary().cities))
    return texts(phone_rows(ddds[city], draws.integers("phone", low=0, high=10**8 - 1)))

"""The tenant's own people: users of its system, and the consultants who serve its customers.

Their states are in the plan's exact quotas. Mail addresses are unique in the tenant across modes.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.generate.arrow import batch_of, dates, numbers, timestamps, words
from seed_pipelines.generate.naming import (
    Surnames,
    drawn_cities,
    drawn_given_names,
    full_names,
    mail_addresses,
    mobile_phones,
)
from seed_pipelines.generate.planned import (
    draws_of,
    keys_of,
    places_of,
    reference_day,
    states_of,
    working_time,
)
from seed_pipelines.generate.streams import Draws
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.plan import Plan, RowRange

ROLES = ("operator", "analyst", "manager", "auditor", "admin")
ROLE_SHARES = (45, 75, 90, 96, 100)

# Days before the reference date; the tenant is nine years old.
_MOST_ACCOUNT_DAYS = 2_920
_MOST_HIRED_DAYS = 3_000
_NEVER_LOGGED_IN_SHARE = 6
_MOST_IDLE_DAYS = 90

_COMMISSION_STEP_BP = 25
_LEAST_COMMISSION_STEPS, _MOST_COMMISSION_STEPS = 2, 12


def users(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    draws = draws_of(plan, "users", rows)
    age = draws.integers("created_at", low=1, high=_MOST_ACCOUNT_DAYS)
    today = int(reference_day(plan).astype(np.int64))
    return batch_of(
        "users",
        {
            **keys_of(plan, rows),
            **_named(plan, "users", rows),
            "role": words(draws.weighted("role", ROLE_SHARES), ROLES),
            "status": words(states_of(plan, "users", rows), (*catalog.STATES["users"], "active")),
            "created_at": timestamps(working_time(today - age, draws, "created_at_second")),
            "last_login_at": _last_logins(draws, age, today),
        },
    )


def consultants(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    draws = draws_of(plan, "consultants", rows)
    city, cities = drawn_cities(draws), vocabulary().cities
    steps = draws.integers("commission_bp", low=_LEAST_COMMISSION_STEPS, high=_MOST_COMMISSION_STEPS)
    return batch_of(
        "consultants",
        {
            **keys_of(plan, rows),
            **_named(plan, "consultants", rows),
            "phone": mobile_phones(draws, city),
            "uf": words(city, tuple(city.uf for city in cities)),
            "commission_bp": numbers(steps * _COMMISSION_STEP_BP),
            "status": words(states_of(plan, "consultants", rows), (*catalog.STATES["consultants"], "active")),
            "hired_on": dates(reference_day(plan) - draws.integers("hired_on", low=1, high=_MOST_HIRED_DAYS)),
        },
    )


def _named(plan: Plan, entity: str, rows: RowRange) -> dict[str, pa.Array]:
    draws, given = draws_of(plan, entity, rows), vocabulary().given
    first, surnames = drawn_given_names(draws), Surnames.drawn(draws)
    place = places_of(plan, entity, rows)
    return {
        "name": full_names(first, surnames, table=given.words),
        "email": mail_addresses(plan, entity, place, first=first, surname=surnames.first, table=given.folded),
    }


def _last_logins(draws: Draws, age: Int64s, today: int) -> pa.Array:
    """On a day after the account was made and before the reference date; null for who never came."""
    idle = 1 + draws.scaled("last_login_at", np.minimum(age, _MOST_IDLE_DAYS))
    # An account of yesterday may have been used on the day it was made, but not before that hour.
    never = (draws.scaled("never_logged_in", 100) < _NEVER_LOGGED_IN_SHARE) | (idle == age)
    return timestamps(working_time(today - idle, draws, "last_login_at_second"), missing=never)

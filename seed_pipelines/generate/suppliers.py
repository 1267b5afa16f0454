"""Suppliers: companies that the tenant pays, each CNPJ once, each booked on a category of expenses.

Their states are in the plan's exact quotas.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.generate.arrow import batch_of, dates, numbers, words
from seed_pipelines.generate.categories import drawn_expenses
from seed_pipelines.generate.companies import (
    LTDA,
    PUBLIC_LIMITED,
    company_documents,
    drawn_activities,
    with_legal_form,
)
from seed_pipelines.generate.naming import Surnames, full_names
from seed_pipelines.generate.planned import draws_of, keys_of, places_of, reference_day, states_of
from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_AGE_DAYS = Quantiles(shares=(0, 5, 25, 50, 75, 92, 100), values=(1, 95, 1_095, 2_555, 5_475, 10_950, 18_250))
_PUBLIC_LIMITED_SHARE = 8


def suppliers(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    draws = draws_of(plan, "suppliers", rows)
    opened_on = reference_day(plan) - _AGE_DAYS.of(draws.bits("opened_on"))
    names = full_names(drawn_activities(draws), Surnames.drawn(draws), table=vocabulary().activities.words)
    form = np.where(draws.scaled("legal_form", 100) < _PUBLIC_LIMITED_SHARE, PUBLIC_LIMITED, LTDA)
    documents = company_documents(
        places_of(plan, "suppliers", rows),
        opened_on,
        draws=draws,
        chosen=np.ones(rows.rows, dtype=np.bool),
        key=integer_of(plan.data_key.identity_seed, "suppliers", "document_number"),
    )
    return batch_of(
        "suppliers",
        {
            **keys_of(plan, rows),
            "name": with_legal_form(names, form),
            "document_number": documents,
            "category_id": numbers(drawn_expenses(draws, plan.rows["categories"]) + plan.first_id),
            "status": words(states_of(plan, "suppliers", rows), (*catalog.STATES["suppliers"], "active")),
            "opened_on": dates(opened_on),
        },
    )

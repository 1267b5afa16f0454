"""Credit limits: one for each customer, never below what the customer's loans take of it.

No limit is more than twelve months of income, or three of revenue, because no customer's loans are (`affordability`).

What is used are the principals still owed of loans that are paid as agreed or late. Loans that were cancelled,
renegotiated or written off take nothing.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.generate.affordability import INCOME_MONTHS, REVENUE_MONTHS
from seed_pipelines.generate.arrow import batch_of, dates, numbers, words
from seed_pipelines.generate.companies import is_company
from seed_pipelines.generate.loan_book import DELINQUENT, HAPPY, fates_of
from seed_pipelines.generate.loan_totals import loan_totals
from seed_pipelines.generate.people import income_cents
from seed_pipelines.generate.planned import draws_of, keys_of, reference_day, row_numbers, states_of
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.plan import Plan, RowRange

_ENTITY = "credit_limits"
_STATUSES = (*catalog.STATES[_ENTITY], "active")
_STEP_CENTS = 10_000

# Tenths of a month's income or revenue.
_PERSON_TENTHS, _COMPANY_TENTHS = (20, 10 * INCOME_MONTHS), (5, 10 * REVENUE_MONTHS)


def credit_limits(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    used = used_cents(plan, rows)
    valid_days = draws_of(plan, _ENTITY, rows).integers("valid_until", low=30, high=365)
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "customer_id": numbers(row_numbers(rows) + plan.first_id),
            "limit_cents": numbers(_limit_cents(plan, rows, used)),
            "used_cents": numbers(used),
            "status": words(states_of(plan, _ENTITY, rows), _STATUSES),
            "valid_until": dates(reference_day(plan) + valid_days),
        },
    )


def used_cents(plan: Plan, customers: RowRange) -> Int64s:
    """What each customer owes, without interest; nothing in a plan without loans."""
    used = np.zeros(customers.rows, dtype=np.int64)
    relation = plan.relations.get("loans")
    if relation is None:
        return used
    first, stop = relation.first_child(customers.first), relation.first_child(customers.stop)
    if stop > first:
        loans = RowRange(first=first, rows=stop - first)
        fates, left = fates_of(plan, loans), loan_totals(plan, loans).left_cents
        owed = np.where((fates.state == HAPPY) | (fates.state == DELINQUENT), left, 0)
        np.add.at(used, fates.customer - customers.first, owed)
    return used


def _limit_cents(plan: Plan, rows: RowRange, used: Int64s) -> Int64s:
    """Some months' income, in whole hundreds of reais; more where more is used already."""
    low, high = (np.where(is_company(plan, rows), _COMPANY_TENTHS[end], _PERSON_TENTHS[end]) for end in (0, 1))
    tenths = low + draws_of(plan, _ENTITY, rows).scaled("limit_cents", high - low + 1)
    granted = np.maximum(income_cents(plan, rows) * tenths // 10, used)
    limit: Int64s = -(-granted // _STEP_CENTS) * _STEP_CENTS
    return limit

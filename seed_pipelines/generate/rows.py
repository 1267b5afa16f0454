"""Any rows of any entity of a plan, alone and in any order, always the same.

    rows of the plan ──► generator of the entity ──► record batch with exactly arrow_schema(entity)

How a plan is cut into shards and batches decides nothing here. Rows that the plan does not have are refused.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyarrow as pa

from seed_pipelines.errors import RowsOutsidePlan
from seed_pipelines.generate.addresses import addresses
from seed_pipelines.generate.arrow import arrow_schema
from seed_pipelines.generate.bank_accounts import bank_accounts
from seed_pipelines.generate.categories import categories
from seed_pipelines.generate.contracts import contracts
from seed_pipelines.generate.credit import installments, loans
from seed_pipelines.generate.limits import credit_limits
from seed_pipelines.generate.people import customers
from seed_pipelines.generate.staff import consultants, users
from seed_pipelines.generate.suppliers import suppliers
from seed_pipelines.generate.tenancy import tenants
from seed_pipelines.generate.transactions import financial_transactions, transactions_of
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.plan import Counter, Plan, RowRange

__all__ = ["COUNTERS", "GENERATORS", "GENERATOR_VERSION", "Generator", "arrow_schema", "generate"]

Generator = Callable[[Plan, RowRange], pa.RecordBatch]

GENERATORS: Mapping[str, Generator] = MappingProxyType(
    {
        "tenants": tenants,
        "users": users,
        "consultants": consultants,
        "customers": customers,
        "addresses": addresses,
        "bank_accounts": bank_accounts,
        "categories": categories,
        "suppliers": suppliers,
        "credit_limits": credit_limits,
        "loans": loans,
        "contracts": contracts,
        "installments": installments,
        "financial_transactions": financial_transactions,
    }
)

# What `plan_of` asks for the entities whose number of rows follows from their parents' values.
COUNTERS: Mapping[str, Counter] = MappingProxyType({"financial_transactions": transactions_of})


def generate(plan: Plan, entity: str, *, first_row: int, rows: int) -> pa.RecordBatch:
    """Rows first_row … first_row + rows - 1 of an entity."""
    planned = plan.rows.get(entity, 0)
    if first_row < 0 or rows < 1 or first_row + rows > planned:
        raise RowsOutsidePlan(entity, first_row=first_row, rows=rows, planned=planned)
    return GENERATORS[entity](plan, RowRange(first=first_row, rows=rows))

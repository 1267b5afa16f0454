"""Any rows of any entity of a plan, alone and in any order, always the same.

    rows of the plan ──► generator of the entity ──► record batch with exactly arrow_schema(entity)

How a plan is cut into shards and batches decides nothing here. Rows that the plan does not have are refused.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyarrow as pa

from seed_pipelines.errors import RowsOutsidePlan
from seed_pipelines.generate.arrow import arrow_schema
from seed_pipelines.generate.credit import installments, loans
from seed_pipelines.generate.people import customers
from seed_pipelines.generate.tenancy import tenants
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.plan import Plan, RowRange

__all__ = ["GENERATORS", "GENERATOR_VERSION", "Generator", "arrow_schema", "generate"]

Generator = Callable[[Plan, RowRange], pa.RecordBatch]

GENERATORS: Mapping[str, Generator] = MappingProxyType(
    {"tenants": tenants, "customers": customers, "loans": loans, "installments": installments}
)


def generate(plan: Plan, entity: str, *, first_row: int, rows: int) -> pa.RecordBatch:
    """Rows first_row … first_row + rows - 1 of an entity."""
    planned = plan.rows.get(entity, 0)
    if first_row < 0 or rows < 1 or first_row + rows > planned:
        raise RowsOutsidePlan(entity, first_row=first_row, rows=rows, planned=planned)
    return GENERATORS[entity](plan, RowRange(first=first_row, rows=rows))

"""The tenant's own row."""

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.arrow import batch_of, timestamps
from seed_pipelines.generate.planned import keys_of, reference_day
from seed_pipelines.plan import Plan, RowRange

# A tenant is older than any of its customers.
_AGE_DAYS = 9 * 365


def tenants(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    metadata = plan.manifest.metadata
    created = np.full(rows.rows, reference_day(plan) - np.timedelta64(_AGE_DAYS, "D"))
    return batch_of(
        "tenants",
        {
            **keys_of(plan, rows),
            "slug": pa.array([metadata.tenant] * rows.rows),
            "environment": pa.array([metadata.environment] * rows.rows),
            "mode": pa.array([str(plan.manifest.mode)] * rows.rows),
            "status": pa.array(["active"] * rows.rows),
            "created_at": timestamps(created.astype("datetime64[us]").astype(np.int64)),
        },
    )

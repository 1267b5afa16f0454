"""What every generator asks of a plan: its chance, its reference date, its keys and its states."""

from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.generate.arrow import numbers, repeated
from seed_pipelines.generate.identifiers import places, refuse_too_many
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.streams import Draws
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.manifest.model import Mode
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_MODE_SLOT = {Mode.BASELINE: 0, Mode.CARGA: 1, Mode.DR: 2, Mode.CANARY: 3}


def draws_of(plan: Plan, entity: str, rows: RowRange) -> Draws:
    return Draws(seed=plan.data_key.factory_seed, entity=entity, first_row=rows.first, rows=rows.rows)


def identity_draws_of(plan: Plan, entity: str, rows: RowRange) -> Draws:
    """Chance that stays with the row when the manifest's version or salt changes."""
    return Draws(seed=plan.data_key.identity_seed, entity=entity, first_row=rows.first, rows=rows.rows)


def places_of(plan: Plan, entity: str, rows: RowRange) -> Int64s:
    """The place of each row among all that the tenant can ever have; raises UniquesExhausted.

    The whole plan is looked at, so that no batch is written of a dataset whose last one could not be made.
    """
    refuse_too_many(entity, plan.rows[entity])
    return places(mode_slot(plan), entity=entity, first_row=rows.first, rows=rows.rows)


def mode_slot(plan: Plan) -> int:
    """Which of the shares that modes have in what is unique in the tenant is this plan's."""
    return _MODE_SLOT[plan.manifest.mode]


def reference_day(plan: Plan) -> np.datetime64:
    """The manifest's reference date: data are as of its beginning."""
    return np.datetime64(plan.manifest.metadata.reference_datetime.date(), "D")


def keys_of(plan: Plan, rows: RowRange) -> Mapping[str, pa.Array]:
    """The two columns that every entity begins with."""
    return {"tenant_id": repeated(plan.tenant_id, rows.rows), "id": numbers(row_numbers(rows) + plan.first_id)}


def working_time(days: Int64s, draws: Draws, column: str) -> Int64s:
    """Microseconds since 1970: a second of each day between 08:00 and 21:00 UTC."""
    seconds = draws.integers(column, low=8 * 3_600, high=21 * 3_600)
    microseconds: Int64s = (days * 86_400 + seconds) * 10**6
    return microseconds


def row_numbers(rows: RowRange) -> Int64s:
    return np.arange(rows.first, rows.stop, dtype=np.int64)


def states_of(plan: Plan, entity: str, rows: RowRange) -> Int64s:
    """Each row's position in catalog.STATES, or their number on the happy path; of each exactly as many as planned."""
    planned = plan.state_rows[entity]
    ends = list(accumulate(planned.get(state, 0) for state in catalog.STATES[entity]))
    key = integer_of(plan.data_key.factory_seed, "states", entity)
    ranks = Permutation(size=plan.rows[entity], key=key).of_range(rows.first, rows.rows)
    return np.searchsorted(np.array(ends, dtype=np.int64), ranks, side="right").astype(np.int64)

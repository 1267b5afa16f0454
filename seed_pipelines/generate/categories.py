"""The chart of accounts: a tree of categories, in which every parent is an earlier row.

A plan with more rows than the vendored tree has lines gets the tree again for each further unit, whose codes begin with
the unit's number. A plan with fewer rows has the first lines, which are whole trees of their own. Codes are unique in
the tenant: those of every mode but the baseline begin with the mode's name.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.generate.arrow import batch_of, words
from seed_pipelines.generate.planned import keys_of, row_numbers
from seed_pipelines.generate.streams import Draws
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.manifest.model import Mode
from seed_pipelines.plan import Plan, RowRange

_EXPENSE = "expense"


def categories(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    tree = vocabulary().categories
    unit, line = np.divmod(row_numbers(rows), len(tree))
    parent = np.array([category.parent for category in tree], dtype=np.int64)[line]
    return batch_of(
        "categories",
        {
            **keys_of(plan, rows),
            "code": _codes(plan.manifest.mode, unit, line),
            "name": words(line, tuple(category.name for category in tree)),
            "kind": words(line, tuple(category.kind for category in tree)),
            "parent_id": pa.array(unit * len(tree) + parent + plan.first_id, mask=parent < 0),
        },
    )


def drawn_expenses(draws: Draws, planned: int) -> Int64s:
    """Rows of the plan's categories that expenses are booked on, of any unit."""
    tree = vocabulary().categories
    parents = {category.parent for category in tree}
    lines = [line for line, each in enumerate(tree) if each.kind == _EXPENSE and line not in parents and line < planned]
    line = np.array(lines or [0], dtype=np.int64)[draws.scaled("category_id", len(lines) or 1)]
    return line + draws.scaled("unit", max(1, planned // len(tree))) * len(tree)


def _codes(mode: Mode, unit: Int64s, line: Int64s) -> pa.Array:
    """The line's code; before it the mode's name and, in a further unit, the unit's number."""
    units, place = np.unique(unit, return_inverse=True)
    of_mode = "" if mode is Mode.BASELINE else f"{mode}-"
    prefixes = words(place, tuple(of_mode + (f"{number + 1}-" if number else "") for number in units.tolist()))
    return pc.binary_join_element_wise(
        prefixes, words(line, tuple(category.code for category in vocabulary().categories)), ""
    )

"""Shares of rows as whole rows: exact, by largest remainder.

The happy path is a share like the others, with what is left of 100 percent. Nothing here draws or looks at a row.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

# Before the name of any state.
_HAPPY = ""


def quotas_of(percents: Mapping[str, Decimal], rows: int) -> Mapping[str, int]:
    """The rows of each state; of equal remainders the happy path's comes first, then those of states by name."""
    exact = {state: rows * Fraction(percent) / 100 for state, percent in percents.items()}
    exact[_HAPPY] = rows - sum(exact.values(), Fraction())
    counts = {state: math.floor(count) for state, count in exact.items()}
    by_remainder = sorted(exact, key=lambda state: (counts[state] - exact[state], state))
    for state in by_remainder[: rows - sum(counts.values())]:
        counts[state] += 1
    return MappingProxyType({state: counts[state] for state in percents})

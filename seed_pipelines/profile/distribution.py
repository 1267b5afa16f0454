"""Measured shares beside expected ones, and whether they may be called equal.

A share that was drawn may differ from its expectation by four standard errors and half a point, since the tables that
it is drawn from are rounded; one that the plan fixes may not differ by a single row.
"""

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_STANDARD_ERRORS = 4
_ROUNDING = 0.005


class Verdict(StrEnum):
    """What came of comparing a distribution."""

    # Every share is where it is meant to be.
    AS_EXPECTED = "as expected"
    # At least one is not.
    DIFFERS = "differs"
    # There is no expectation: the shares are shown.
    SHOWN = "shown only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """`count` of `total` rows; `expected` is a share between 0 and 1, or None where nothing is expected."""

    label: str
    count: int
    total: int
    expected: float | None = None

    @property
    def share(self) -> float:
        return self.count / self.total

    @property
    def difference(self) -> float | None:
        """Measured less expected."""
        return None if self.expected is None else self.share - self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How the rows of one kind are spread; `is_exact` where the plan fixes each count."""

    name: str
    title: str
    bars: tuple[Bar, ...]
    is_exact: bool = False

    @property
    def largest_difference(self) -> float | None:
        """Of any bar, without its sign."""
        return max((abs(bar.difference) for bar in self.bars if bar.difference is not None), default=None)

    @property
    def verdict(self) -> Verdict:
        if self.largest_difference is None:
            return Verdict.SHOWN
        return Verdict.AS_EXPECTED if all(map(self._holds, self.bars)) else Verdict.DIFFERS

    def _holds(self, bar: Bar) -> bool:
        if bar.expected is None or bar.difference is None:
            return True
        if self.is_exact:
            return abs(bar.difference) * bar.total < 0.5
        error = math.sqrt(bar.expected * (1 - bar.expected) / bar.total)
        return abs(bar.difference) <= _STANDARD_ERRORS * error + _ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A dataset's distributions, as of its reference date."""

    environment: str
    tenant: str
    mode: str
    reference: date
    rows: int
    distributions: tuple[Distribution, ...]

    @property
    def title(self) -> str:
        return f"{self.environment}/{self.tenant} {self.mode}"

    @property
    def differing(self) -> tuple[Distribution, ...]:
        return tuple(found for found in self.distributions if found.verdict is Verdict.DIFFERS)

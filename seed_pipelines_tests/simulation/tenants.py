"""The tenants of the simulation: a manifest each, a few large and many small, and how long their runs take."""

import random
from collections import deque
from dataclasses import dataclass

from factories import make_plan
from seed_runs import with_manifest

from seed_pipelines.manifest.window import Window
from seed_pipelines.plan import Plan

# The largest tenants are asked for twice, under two keys: the second has to wait for the first.
_TWICE_IN = 50


@dataclass(slots=True, kw_only=True)
class Wanted:
    """One seed run that somebody asks for, and what is still to do of it."""

    plan: Plan
    key: str
    seconds: float
    left: float

    @property
    def window(self) -> Window:
        return self.plan.manifest.window

    @property
    def tenant(self) -> str:
        return self.plan.manifest.metadata.tenant


def environments_of(
    *, tenants: int, environments: int, mean_seconds: float, window: Window, seed: int
) -> dict[str, deque[Wanted]]:
    """The seed runs of each environment, in the order in which they are asked for."""
    chance = random.Random(seed)
    weights = [chance.lognormvariate(0, 0.8) for _ in range(tenants)]
    mean = sum(weights) / tenants
    asked: dict[str, deque[Wanted]] = {f"night-{number}": deque() for number in range(environments)}
    for number, weight in enumerate(weights):
        environment = f"night-{number % environments}"
        # Which rows they would write is nobody's affair here: the manifest is small, the run as long as a large one's.
        plan = make_plan(customers=10, tenant=f"tenant-{number:04}", environment=environment)
        plan = with_manifest(plan, window=window)
        seconds = mean_seconds * weight / mean
        for key in ("first", "second")[: 1 + (number % _TWICE_IN == 0)]:
            asked[environment].append(Wanted(plan=plan, key=key, seconds=seconds, left=seconds))
    return asked

"""The targets of the API under load, and which of them a measurement misses."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

TARGETS = tomllib.loads(Path(__file__).with_name("api_targets.toml").read_text())

# The figure that each target of a load is about.
FIGURES = {"requests_per_second": "rate", "p50_ms": "p50", "p95_ms": "p95", "p99_ms": "p99"}


def missed_of(name: str, figures: Mapping[str, float], targets: Mapping[str, float]) -> list[str]:
    """What of the targets was missed, a line each; requests that failed are a miss of their own."""
    missed = [f"{name}: {figures['failed']:.0f} requests failed"] if figures["failed"] else []
    for target, wanted in targets.items():
        figure = figures[FIGURES[target]]
        if figure < wanted if target == "requests_per_second" else figure > wanted:
            missed.append(f"{name}: {target} {figure:.0f}, target {wanted}")
    return missed

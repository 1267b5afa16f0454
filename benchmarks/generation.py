"""How fast each entity's rows are made, and made and masked, on one core: `python benchmarks/generation.py`.

A worker makes what several entities ask of a loan once, and keeps it. Here every try is of a manifest of its own, so
that each entity pays for all that it needs.
"""

import argparse
import itertools

from measure import cpu_seconds, show
from volume import keys, plan_with

from seed_pipelines import catalog
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask.policy import mask_batch

AIMS = {"installments": "3,000,000", "customers": "100,000"}
TRIES = 3


def main() -> None:
    options = _options()
    # No two plans are of the same manifest.
    turns = itertools.count()
    header = ("entity", "rows", "made, rows/s", "made and masked, rows/s", "aim")
    entities = plan_with(options.customers).rows
    show("Rows per core", header, (_measured(entity, options, turns) for entity in entities))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=200_000, help="the most rows of one entity")
    return parser.parse_args()


def _measured(entity: str, options: argparse.Namespace, turns: "itertools.count[int]") -> tuple[object, ...]:
    plans = [plan_with(options.customers + next(turns)) for _ in range(2 * TRIES)]
    count = min(options.rows, *(plan.rows[entity] for plan in plans))

    def made() -> object:
        return generate(plans.pop(), entity, first_row=0, rows=count)

    def stored() -> object:
        rows = generate(plans.pop(), entity, first_row=0, rows=count)
        return mask_batch(catalog.ENTITIES[entity], rows, keys())

    rates = (count / cpu_seconds(work, tries=TRIES) for work in (made, stored))
    return entity, f"{count:,}", *(f"{rate:,.0f}" for rate in rates), AIMS.get(entity, "")


if __name__ == "__main__":
    main()

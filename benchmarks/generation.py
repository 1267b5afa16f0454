"""How fast each entity's rows are made, and made and masked, on one core: `python benchmarks/generation.py`."""

import argparse

from measure import cpu_seconds, show
from volume import keys, plan_with

from seed_pipelines import catalog
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask.policy import mask_batch
from seed_pipelines.plan import Plan

AIMS = {"installments": "3,000,000", "customers": "100,000"}


def main() -> None:
    options = _options()
    plan = plan_with(options.customers)
    header = ("entity", "rows", "made, rows/s", "made and masked, rows/s", "aim")
    show("Rows per core", header, (_measured(plan, entity, options.rows) for entity in plan.rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=200_000, help="the most rows of one entity")
    return parser.parse_args()


def _measured(plan: Plan, entity: str, most: int) -> tuple[object, ...]:
    count = min(most, plan.rows[entity])

    def stored() -> object:
        rows = generate(plan, entity, first_row=0, rows=count)
        return mask_batch(catalog.ENTITIES[entity], rows, keys())

    made = count / cpu_seconds(lambda: generate(plan, entity, first_row=0, rows=count))
    return entity, f"{count:,}", f"{made:,.0f}", f"{count / cpu_seconds(stored):,.0f}", AIMS.get(entity, "")


if __name__ == "__main__":
    main()

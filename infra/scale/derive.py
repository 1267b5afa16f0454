"""How long a full reseed of all tenants takes, and which limit comes first: from the measured figures beside this file
and the assumptions in `Assumed`. Prints the tables of docs/discussion/scale.md; `--write-docs` puts them there.

Nothing is measured here: benchmarks/scale.py --write does that.
"""

import argparse
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")
PAGE = Path(__file__).parents[2] / "docs/discussion/scale.md"
# Seed runs at once in an environment: control/lease.py says why.
SLOTS = 2
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What benchmarks/scale.py found."""

    rows_per_customer: float
    rows_per_worker_second: float
    rows_per_database_second: float
    # Of a seed run's time; the last shard publishes alone.
    publication_share: float
    worker_start_seconds: float
    table_bytes_per_row: float
    log_bytes_per_row: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What belongs to an installation: put in your own."""

    tenants: int = 1_000
    customers: int = 1_000_000
    pod_start_seconds: float = 20.0
    database_cores: int = 8
    log_mib_per_second: float = 250.0
    launches_per_second: float = 1.0
    window_hours: float = 11.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """N pods, M databases with one environment each, and the shards of a seed run."""

    pods: int
    databases: int
    shards: int


INSTALLATIONS = tuple(
    Installation(pods=pods, databases=databases, shards=shards)
    for pods, databases, shards in (
        *((1, 1, 1), (2, 1, 1), (8, 1, 4), (8, 4, 1), (20, 10, 1), (80, 10, 4), (40, 20, 1)),
        *((160, 20, 4), (200, 100, 1), (800, 100, 4), (800, 200, 2)),
    )
)


def measured() -> Measured:
    """The figures, as they were kept."""
    return Measured(**json.loads(FIGURES.read_text(encoding="utf-8")))


def rows_of_tenant(found: Measured, given: Assumed) -> float:
    return given.customers * found.rows_per_customer


def shard_seconds(found: Measured, given: Assumed, shards: int) -> float:
    """The last pod of a seed run, from its request to its end: worker and database take turns, as on a busy machine."""
    rows = rows_of_tenant(found, given)
    work = rows / found.rows_per_worker_second + rows / found.rows_per_database_second
    shared = (1 - found.publication_share) / shards + found.publication_share
    return given.pod_start_seconds + found.worker_start_seconds + work * shared


def hours_by_limit(found: Measured, given: Assumed, wanted: Installation) -> dict[str, float]:
    """How long all tenants take if one thing alone held them up."""
    rows = given.tenants * rows_of_tenant(found, given)
    shard = shard_seconds(found, given, wanted.shards)
    seconds = {
        "pods": given.tenants * wanted.shards * shard / wanted.pods,
        "slots": given.tenants * shard / (SLOTS * wanted.databases),
        "database cores": rows / (found.rows_per_database_second * given.database_cores * wanted.databases),
        "database log": rows * found.log_bytes_per_row / (given.log_mib_per_second * _MIB * wanted.databases),
        "launches": given.tenants * wanted.shards / given.launches_per_second,
    }
    return {limit: took / 3600 for limit, took in seconds.items()}


def first_limit(hours: dict[str, float]) -> str:
    """What holds all others up; two that are within a hundredth of each other are both named."""
    longest = max(hours.values())
    return " and ".join(limit for limit, took in hours.items() if took >= 0.99 * longest)


def tables(found: Measured, given: Assumed) -> str:
    """The page's tables."""
    sections = (_figures(found, given), _one_tenant(found, given), _all_tenants(found, given))
    return "\n\n".join(sections)


def _figures(found: Measured, given: Assumed) -> str:
    rows = [(field.name.replace("_", " "), _number(getattr(found, field.name)), "measured") for field in fields(found)]
    rows += [(field.name.replace("_", " "), _number(getattr(given, field.name)), "assumed") for field in fields(given)]
    return _table(("what", "figure", ""), rows)


def _one_tenant(found: Measured, given: Assumed) -> str:
    rows = rows_of_tenant(found, given)
    gib = rows * found.table_bytes_per_row / (1 << 30)
    header = ("one tenant", *(f"{shards} shard{'s' * (shards > 1)}" for shards in (1, 2, 4, 8)))
    seconds = [f"{shard_seconds(found, given, shards):,.0f} s" for shards in (1, 2, 4, 8)]
    return _table(header, [(f"{rows / 1e6:,.1f} million rows, {gib:,.1f} GiB", *seconds)])


def _all_tenants(found: Measured, given: Assumed) -> str:
    header = ("pods", "databases", "shards", "hours", "windows", "first limit", "next limit")
    return _table(header, [_line(found, given, wanted) for wanted in INSTALLATIONS])


def _line(found: Measured, given: Assumed, wanted: Installation) -> tuple[object, ...]:
    hours = hours_by_limit(found, given, wanted)
    longest, first = max(hours.values()), first_limit(hours)
    others = {limit: took for limit, took in hours.items() if limit not in first.split(" and ")}
    following = max(others, key=lambda limit: others[limit])
    windows = math.ceil(longest / given.window_hours)
    after = f"{following}, {others[following]:,.1f} h"
    return wanted.pods, wanted.databases, wanted.shards, f"{longest:,.1f}", windows, first, after


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(header)
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,}"


def with_tables(page: str, text: str) -> str:
    """The page with what stands between its two marks made anew."""
    pattern = r"(?s)(<!-- derived -->\n).*?(\n<!-- /derived -->)"
    return re.sub(pattern, lambda marks: f"{marks[1]}\n{text}\n{marks[2]}", page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Assumed):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(option, type=type(field.default), default=field.default)
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name}; for the assumptions as they are")
    options = vars(parser.parse_args())
    is_written = options.pop("write_docs")
    text = tables(measured(), Assumed(**options))
    if is_written:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text)  # noqa: T201 (this is what the script is for)


if __name__ == "__main__":
    main()

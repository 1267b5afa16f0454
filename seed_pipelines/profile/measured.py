"""The profile of a published dataset, asked of the database as the loader and under row-level security.

Only counts leave the database, and no encrypted column is read. A dataset that lies in an application's own tables has
no profile here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from seed_pipelines import catalog
from seed_pipelines.control import mappings
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.plan import Plan
from seed_pipelines.profile.distribution import Bar, Distribution, Profile
from seed_pipelines.profile.expected import Expectation, expectations
from seed_pipelines.sql import query


def profile_of(connection: Connection, run: SeedRun, *, plan: Plan | None, is_quick: bool = False) -> Profile | None:
    """The profile of what a seed run published; None where its rows are not in `app`.

    Without the plan nothing is expected of the states. A quick profile leaves the largest tables alone.
    """
    if mappings.of_run(connection, run.id) is not None:
        return None
    with transaction(connection):
        connection.execute(query("long_statement"))
        connection.execute(query("tenant_set"), {"tenant_id": str(run.tenant_id)})
        found = (*_drawn(connection, run, is_quick=is_quick), *_states(connection, run, plan))
    return Profile(
        environment=run.environment,
        tenant=run.tenant,
        mode=run.mode,
        reference=run.reference_datetime.date(),
        rows=sum(run.planned_rows.values()),
        distributions=tuple(distribution for distribution in found if distribution.bars),
    )


def _drawn(connection: Connection, run: SeedRun, *, is_quick: bool) -> Iterator[Distribution]:
    for expected in expectations(run.planned_rows):
        if not (is_quick and expected.is_slow):
            values = {**_rows_of(run), **expected.values}
            rows = connection.execute(query(expected.query), values).fetchall()
            yield _compared(expected, {row["key"]: row["rows"] for row in rows})


def _compared(expected: Expectation, counts: Mapping[str, int]) -> Distribution:
    """What is expected, in its order, then whatever else was found; no bars where there are no rows."""
    total = sum(counts.values())
    others: Mapping[str, tuple[str, float | None]] = {
        key: (key, 0.0) for key in sorted(counts.keys() - expected.shares.keys())
    }
    bars = (
        Bar(label=label, count=counts.get(key, 0), total=total, expected=share)
        for key, (label, share) in {**expected.shares, **others}.items()
        # A last band that nothing is meant to be in is shown only where something is.
        if share != 0.0 or counts.get(key, 0)
    )
    return Distribution(name=expected.name, title=expected.title, bars=tuple(bars) if total else ())


def _states(connection: Connection, run: SeedRun, plan: Plan | None) -> Iterator[Distribution]:
    """Exactly as many rows of each state as the plan says."""
    rows = connection.execute(query("profile_statuses"), _rows_of(run)).fetchall()
    counts = {(row["entity"], row["status"]): row["rows"] for row in rows}
    bars = []
    for entity, states in catalog.STATES.items():
        total = run.planned_rows.get(entity, 0)
        planned = {} if plan is None else plan.state_rows.get(entity, {})
        for state in states if total else ():
            share = None if plan is None else planned.get(state, 0) / total
            label = f"{entity.replace('_', ' ')}, {state.replace('_', ' ')}"
            bars.append(Bar(label=label, count=counts.get((entity, state), 0), total=total, expected=share))
    yield Distribution(name="states", title="Rows in a state of their own", bars=tuple(bars), is_exact=True)


def _rows_of(run: SeedRun) -> dict[str, Any]:
    return {
        "tenant_id": run.tenant_id,
        "first_id": run.first_id,
        "last_id": run.last_id,
        "today": run.reference_datetime.date(),
    }

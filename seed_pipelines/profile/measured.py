"""The profile of a published dataset, asked of the database as the loader and under row-level security.

Only counts leave the database, and no encrypted column is read. A dataset that lies in an application's own tables has
no profile here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seed_pipelines import catalog
from seed_pipelines.control import mappings
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.lending.arrears import STAGE_STARTS, Stage
from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.plan import Plan
from seed_pipelines.profile.distribution import Bar, Distribution, Profile
from seed_pipelines.profile.expected import (
    OVER_DAYS,
    Expectation,
    expectations,
    over_90_share,
    stage_labels,
    stage_shares,
    state_shares,
)
from seed_pipelines.sql import query


def profile_of(connection: Connection, run: SeedRun, *, plan: Plan | None, is_quick: bool = False) -> Profile | None:
    """The profile of what a seed run published; None where its rows are not in `app`.

    Without the plan nothing is expected of the states, nor of what hangs on who has which loans. A quick profile
    leaves the largest tables alone.
    """
    if mappings.of_run(connection, run.id) is not None:
        return None
    with transaction(connection):
        connection.execute(query("long_statement"))
        connection.execute(query("tenant_set"), {"tenant_id": str(run.tenant_id)})
        found = (
            *_drawn(connection, run, plan, is_quick=is_quick),
            *_late(connection, run, plan),
            *_states(connection, run, plan),
        )
    return Profile(
        environment=run.environment,
        tenant=run.tenant,
        mode=run.mode,
        reference=run.reference_datetime.date(),
        rows=sum(run.planned_rows.values()),
        distributions=tuple(distribution for distribution in found if distribution.bars),
    )


def _drawn(connection: Connection, run: SeedRun, plan: Plan | None, *, is_quick: bool) -> Iterator[Distribution]:
    for expected in expectations(run.planned_rows, plan):
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


def _late(connection: Connection, run: SeedRun, plan: Plan | None) -> Iterator[Distribution]:
    """Of the loans in force, which only the rows tell, how many are late for how long: asked once, told twice."""
    if not (run.planned_rows.get("loans") and run.planned_rows.get("installments")):
        return
    bounds = sorted({OVER_DAYS + 1, *STAGE_STARTS.tolist()})
    found = connection.execute(query("profile_late_bands"), {**_rows_of(run), "bounds": bounds})
    counts = {row["key"]: row["rows"] for row in found}
    if not sum(counts.values()):
        return
    delinquent = None if plan is None else plan.state_rows["loans"].get("delinquent", 0) / sum(counts.values())
    yield _late_stock(_in_bands(counts, bounds, [OVER_DAYS + 1]), delinquent)
    yield _stages(_in_bands(counts, bounds, STAGE_STARTS.tolist()), delinquent)


def _in_bands(counts: Mapping[int, int], bounds: Sequence[int], starts: Sequence[int]) -> Mapping[int, int]:
    """Counts of narrow bands, from 1 on, in the wider ones that begin at `starts`, which are bounds too."""
    wide: Counter[int] = Counter()
    for band, rows in counts.items():
        wide[1 + sum(start in bounds[: band - 1] for start in starts)] += rows
    return wide


def _late_stock(counts: Mapping[int, int], delinquent: float | None) -> Distribution:
    """Those that the plan has as delinquent for so long."""
    in_time, over = 1, 2
    total = sum(counts.values())
    late = None if delinquent is None else delinquent * over_90_share()
    bars = (
        Bar(label=f"more than {OVER_DAYS} days late", count=counts.get(over, 0), total=total, expected=late),
        Bar(label="others", count=counts.get(in_time, 0), total=total, expected=None if late is None else 1 - late),
    )
    return Distribution(name="over_90", title="Loans in force (Banco Central, 8/2025: 5.4 %)", bars=bars)


def _stages(counts: Mapping[int, int], delinquent: float | None) -> Distribution:
    """The same loans by credit risk stage; one that is not delinquent is in the first."""
    total = sum(counts.values())
    bars = (
        Bar(
            label=stage_labels()[stage],
            count=counts.get(stage, 0),
            total=total,
            expected=None
            if delinquent is None
            else delinquent * share + (1 - delinquent) * (stage == Stage.PERFORMING),
        )
        for stage, share in stage_shares().items()
    )
    return Distribution(name="stage", title="Loans in force by stage (Resolução CMN 4.966)", bars=tuple(bars))


def _states(connection: Connection, run: SeedRun, plan: Plan | None) -> Iterator[Distribution]:
    """Exactly as many rows of each state as the manifest asks."""
    rows = connection.execute(query("profile_statuses"), _rows_of(run)).fetchall()
    counts = {(row["entity"], row["status"]): row["rows"] for row in rows}
    bars = []
    for entity, states in catalog.STATES.items():
        total = run.planned_rows.get(entity, 0)
        shares = _state_shares(plan, entity) if plan and total else {}
        for state in states if total else ():
            share = None if plan is None else shares.get(state, 0.0)
            label = f"{entity.replace('_', ' ')}, {state.replace('_', ' ')}"
            bars.append(Bar(label=label, count=counts.get((entity, state), 0), total=total, expected=share))
    yield Distribution(name="states", title="Rows in a state of their own", bars=tuple(bars), is_exact=True)


def _state_shares(plan: Plan, entity: str) -> Mapping[str, float]:
    percents = plan.manifest.volumetry[entity].states or {}
    return state_shares(plan.state_rows[entity], percents, plan.rows[entity])


def _rows_of(run: SeedRun) -> dict[str, Any]:
    return {
        "tenant_id": run.tenant_id,
        "first_id": run.first_id,
        "last_id": run.last_id,
        "today": run.reference_datetime.date(),
    }

"""The budget: a batch is paid for before it is written, once; a seed run never spends more than its cap.

The reservation is a transaction of its own, like that of the rate limit: a row lock held for a whole batch would let
one shard write at a time. At four fifths there is an alert; where the rest is not enough the seed run ends, and its
build with it. The error budget is a share of the planned batches, rounded up: so many may fail or be slower than the
manifest's p99 target, and no more.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import (
    BudgetExhausted,
    ErrorBudgetExhausted,
    Failed,
    LeaseLost,
    SeedError,
    SeedRunNotFound,
    ShardSuperseded,
    WrongState,
)
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.plan import Batch, Plan
from seed_pipelines.sql import query

ALERT_PCT = 80
# Not the batch's fault: somebody else is to write it, or nobody.
_NO_FAULTS = (LeaseLost, ShardSuperseded, WrongState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a seed run may spend and has spent; `is_alerted` from four fifths on."""

    cap_micro_brl: int
    spent_micro_brl: int
    is_alerted: bool
    # Batches that failed or were too slow.
    faults: int

    @property
    def left_micro_brl(self) -> int:
        return self.cap_micro_brl - self.spent_micro_brl

    @property
    def percent(self) -> int:
        return self.spent_micro_brl * 100 // self.cap_micro_brl if self.cap_micro_brl else 100


def reserve(connection: Connection, run: SeedRun, plan: Plan, batch: Batch) -> bool:
    """Pay for a batch; True where this was the one that raised the alert.

    Raises BudgetExhausted or ErrorBudgetExhausted; then nothing was paid.
    """
    cost = plan.prices.batch_micro_brl(batch.entity, first_row=batch.first_row, rows=batch.rows)
    values = _place(run, batch) | {"cost": cost, "alert_pct": ALERT_PCT}
    with transaction(connection):
        held = connection.execute(query("budget_hold"), values).fetchone()
        if held is None:
            raise SeedRunNotFound(str(run.id))
        _assert_few_faults(plan, held["faults"])
        row = connection.execute(query("budget_reserve"), values).fetchone()
        if row is None:
            left = held["cap_micro_brl"] - held["spent_micro_brl"]
            raise BudgetExhausted(batch.entity, shard=batch.shard, number=batch.number, left=left, cost=cost)
        raised = bool(row["is_alerted"]) and not held["is_alerted"]
        if raised:
            connection.execute(query("budget_alert"), values)
    return raised


def spending_of(connection: Connection, run: SeedRun) -> Spending:
    """What was spent so far."""
    with translated():
        row = connection.execute(query("budget_of"), {"seed_run_id": run.id}).fetchone()
    if row is None:
        raise SeedRunNotFound(str(run.id))
    return Spending(**row)


@contextmanager
def blamed(batch: Batch) -> Iterator[None]:
    """Around the making or the writing of a batch: an error that is the batch's own is told which one it was."""
    try:
        yield
    except Failed as error:
        if not isinstance(error, _NO_FAULTS):
            error.batch = (batch.entity, batch.shard, batch.number)
        raise


@contextmanager
def faults_recorded(connection: Connection, run: SeedRun, *, attempt: int) -> Iterator[None]:
    """Around all batches of an entity: where one fails, code and SQLSTATE are kept, once, and no text.

    A batch may fail while it is made, ahead of its turn: the error says whose it is.
    """
    try:
        yield
    except Failed as error:
        if error.batch is not None:
            _record_failed(connection, run, error.batch, attempt=attempt, error=error)
        raise


def record_slow(connection: Connection, run: SeedRun, batch: Batch, *, attempt: int, elapsed_ms: int) -> None:
    """A batch took longer than the p99 target; in its own transaction, so that it counts once."""
    fault = {"kind": "slow", "code": None, "sqlstate": None, "elapsed_ms": elapsed_ms}
    connection.execute(query("batch_fault_record"), _place(run, batch) | fault | {"attempt": attempt})


def assert_few_faults(connection: Connection, run: SeedRun, plan: Plan) -> None:
    """Raises ErrorBudgetExhausted where more went wrong than the manifest allows."""
    _assert_few_faults(plan, spending_of(connection, run).faults)


def allowed_faults(plan: Plan) -> int:
    """How many batches may fail or be too slow."""
    return math.ceil(plan.total_batches * plan.manifest.budget.error_budget_pct / 100)


def _assert_few_faults(plan: Plan, faults: int) -> None:
    allowed = allowed_faults(plan)
    if faults > allowed:
        raise ErrorBudgetExhausted(faults, allowed=allowed, batches=plan.total_batches)


def _record_failed(
    connection: Connection, run: SeedRun, batch: tuple[str, str, int], *, attempt: int, error: Failed
) -> None:
    entity, shard, number = batch
    values = {
        "seed_run_id": run.id,
        "entity": entity,
        "shard": shard,
        "number": number,
        "attempt": attempt,
        "kind": "failed",
        "code": error.code,
        "sqlstate": getattr(error, "sqlstate", None),
        "elapsed_ms": None,
    }
    try:
        with translated():
            connection.execute(query("batch_fault_record"), values)
    except SeedError:
        # The database is away: the batch's own error is the one to report.
        return


def _place(run: SeedRun, batch: Batch) -> dict[str, object]:
    return {"seed_run_id": run.id, "entity": batch.entity, "shard": batch.shard, "number": batch.number}

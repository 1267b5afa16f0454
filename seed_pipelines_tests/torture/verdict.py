"""What must hold after every seed run, however it was interrupted. A promise that is broken ends the torture."""

from collections import Counter
from dataclasses import dataclass

from psycopg.rows import tuple_row
from seed_runs import all_batches, content, cost_of, expected_hash, look_at_everything

from torture.readers import look

WORKERS = "every worker that was left alone ended well"
PLANNED = "every planned row is published once, and no other row"
HASH = "the dataset hash is the one that is calculated without a database, a shard or a batch"
IN_PEACE = "hash and content are those of the same manifest's seed run that nobody interrupted"
CHECKPOINTS = "every batch has one checkpoint, and together they hold the planned rows"
BUDGET = "every batch was paid for once, and the budget has spent their sum"
ONCE = "one key was one seed run, one publication and one report to write"
NOTHING_HELD = "no build table, lease or slot was left"
READERS = "each look of a reader was a whole dataset, the old one or the new one, and none went back"

PROMISES = (WORKERS, PLANNED, HASH, IN_PEACE, CHECKPOINTS, BUDGET, ONCE, NOTHING_HELD, READERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published dataset; encrypted columns are drawn anew by every seed run, and `content` is without them."""

    dataset_hash: str
    content: dict


class Verdict:
    """Looks at the database as a superuser, and counts what it found in order."""

    def __init__(self, server) -> None:
        self.held: Counter = Counter()
        self._server, self._wholes, self._published = server, [], 0

    def workers_ended_well(self, endings: dict, complaints: list) -> None:
        self._hold(WORKERS, found=(set(endings.values()), complaints), wanted=({0}, []))

    def published(self, plan) -> None:
        """One more seed run has published."""
        self._published += 1
        self.take_note(plan)

    def take_note(self, plan) -> None:
        """Of what a reader is to see from now on."""
        with self._server.superuser() as connection:
            connection.execute("SET ROLE seed_auditor")
            whole = look(connection, plan, look_at_everything(plan))
        if whole not in self._wholes[-1:]:
            self._wholes.append(whole)

    def of(self, plan, *, key: str) -> Published:
        """Everything about one seed run that has just been published."""
        run = self._run(key)
        found = content(self._server, plan)
        rows = {entity: counts[:2] for entity, counts in found.items()}
        self._hold(PLANNED, found=rows, wanted={entity: (count, count) for entity, count in plan.rows.items()})
        self._hold(HASH, found=run["dataset_hash"], wanted=expected_hash(plan))
        self._hold(CHECKPOINTS, found=self._checkpoints(run), wanted=(plan.total_batches, plan.total_rows))
        self._hold(BUDGET, found=self._paid(run), wanted=_price(plan))
        self._hold(ONCE, found=self._counted(), wanted=(self._published,) * 3)
        self._hold(NOTHING_HELD, found=self._left_over(), wanted=0)
        return Published(dataset_hash=run["dataset_hash"], content=found)

    def same(self, tortured: Published, in_peace: Published) -> None:
        self._hold(IN_PEACE, found=tortured, wanted=in_peace)

    def readers_saw_whole_datasets(self, readers: list) -> None:
        """Nothing at first, then one dataset after the other."""
        for reader in readers:
            at = [self._wholes.index(whole) if whole in self._wholes else None for whole in reader.seen]
            in_order = None not in at and at == sorted(set(at))
            self._hold(READERS, found=in_order, wanted=True, times=reader.looks)

    def _hold(self, promise: str, *, found, wanted, times: int = 1) -> None:
        assert found == wanted, f"{promise}: found {found}, wanted {wanted}"
        self.held[promise] += times

    def _run(self, key: str) -> dict:
        with self._server.superuser() as connection:
            (run,) = connection.execute(
                "SELECT id, state, dataset_hash FROM seed_control.seed_run WHERE idempotency_key = %s", [key]
            ).fetchall()
        return run

    def _checkpoints(self, run: dict) -> tuple[int, int]:
        return self._row("SELECT count(*), sum(rows)::bigint FROM seed_control.checkpoint WHERE seed_run_id = %s", run)

    def _paid(self, run: dict) -> tuple[int, int, int]:
        """How many batches were paid for, what they cost together, and what the budget says."""
        return self._row(
            "SELECT count(*), sum(cost_micro_brl)::bigint, max(spent_micro_brl)"
            " FROM seed_control.budget JOIN seed_control.budget_reservation USING (seed_run_id)"
            " WHERE seed_run_id = %s",
            run,
        )

    def _counted(self) -> tuple[int, int, int]:
        """Seed runs, publications and reports of all that was done so far."""
        return self._row(
            "SELECT (SELECT count(*) FROM seed_control.seed_run), (SELECT sum(generation) FROM seed_control.dataset),"
            " (SELECT count(*) FROM seed_control.report_outbox)"
        )

    def _left_over(self) -> int:
        return self._server.value(
            "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build')"
            " + (SELECT count(*) FROM seed_control.build_table)"
            " + (SELECT count(*) FROM seed_control.lease WHERE lease_until > clock_timestamp())"
            " + (SELECT count(*) FROM seed_control.env_slot WHERE holder IS NOT NULL)"
        )

    def _row(self, statement: str, run: dict | None = None) -> tuple:
        with self._server.superuser() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(statement, [run["id"]] if run else None).fetchone()
        return tuple(int(value) for value in row)


def _price(plan) -> tuple[int, int, int]:
    costs = [cost_of(plan, batch) for batch in all_batches(plan)]
    return len(costs), sum(costs), sum(costs)

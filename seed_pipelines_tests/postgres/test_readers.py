"""Readers during publications: the old dataset or the new one, whole; and nobody's reading is cut short."""

import threading
import time

import pytest
from seed_runs import (
    Worker,
    assert_exactly_the_plan,
    build_tables,
    lean_plan,
    look_at_everything,
    publish_now,
    ready_to_publish,
    run_all,
    state_of,
)

from seed_pipelines import flow
from seed_pipelines.control import roles
from seed_pipelines.errors import DatabaseUnavailable

PUBLICATIONS = 10


class Poller:
    """A reader of the tenant that looks again and again, each time in one statement."""

    def __init__(self, seeded, run, plan):
        self.seen = []
        self._stop = threading.Event()
        self._worker = Worker(lambda: self._poll(seeded, run, look_at_everything(plan)))

    def _poll(self, seeded, run, statement):
        with seeded.connection(roles.AUDITOR) as connection:
            connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(run.tenant_id)])
            while not self._stop.is_set():
                self.seen.append(connection.execute(statement).fetchone()["everything"])

    def stop(self):
        self._stop.set()
        self._worker.result()


@pytest.mark.parametrize(
    "publishers", [["attach"], ["insert"], ["attach", "attach", "insert", "insert"]], ids=["attach", "insert", "both"]
)
def test_a_reader_sees_whole_datasets_only_while_ten_are_published(seeded, open_session, publishers):
    session = open_session()
    plans = [
        lean_plan(customers=(12, 30)[turn % 2], version=f"1.{turn}.0", publisher=publishers[turn % len(publishers)])
        for turn in range(PUBLICATIONS)
    ]
    first = run_all(session, plans[0], key="0")
    look = look_at_everything(plans[0])
    with seeded.connection(roles.AUDITOR) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(first.run.tenant_id)])
        whole = [connection.execute(look).fetchone()["everything"]]
        poller = Poller(seeded, first.run, plans[0])
        for turn, plan in enumerate(plans[1:], start=1):
            publish_in_spite_of_readers(session, plan, key=str(turn))
            whole.append(connection.execute(look).fetchone()["everything"])
        poller.stop()
    assert len(set(whole)) == PUBLICATIONS
    assert len(poller.seen) > PUBLICATIONS
    assert set(poller.seen) <= set(whole)
    assert [seen for at, seen in enumerate(poller.seen) if at == 0 or seen != poller.seen[at - 1]] == [
        seen for seen in whole if seen in poller.seen
    ]


def publish_in_spite_of_readers(session, plan, *, key):
    run, held = ready_to_publish(session, plan, key=key)
    for _ in range(20):
        try:
            return publish_now(session, run, held)
        except DatabaseUnavailable:
            time.sleep(0.05)
    return publish_now(session, run, held)


def test_a_publication_gives_way_to_a_reader_and_succeeds_afterwards(seeded, open_session):
    session = open_session()
    old, new = lean_plan(customers=12, publisher="attach"), lean_plan(customers=8, version="1.1.0", publisher="attach")
    first = run_all(session, old)
    run, held = ready_to_publish(session, new, key="second")
    with seeded.connection(roles.AUDITOR) as reader, reader.transaction():
        reader.execute("SELECT set_config('app.tenant_id', %s, true)", [str(first.run.tenant_id)])
        assert reader.execute("SELECT count(*) AS rows FROM app.loans").fetchone()["rows"] == old.rows["loans"]
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as gave_way:
            publish_now(session, run, held)
        assert gave_way.value.retryable
        assert time.monotonic() - started < 3
        for entity, rows in old.rows.items():
            assert reader.execute(f"SELECT count(*) AS rows FROM app.{entity}").fetchone()["rows"] == rows
    assert state_of(seeded, run) == "running"
    assert_exactly_the_plan(seeded, old)
    assert publish_now(session, run, held) == 2
    assert_exactly_the_plan(seeded, new)
    assert build_tables(seeded) == 0


def test_a_publication_that_gave_way_is_repeated_by_the_same_step(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=8, publisher="attach")
    run, _ = ready_to_publish(session, plan)
    with seeded.connection(roles.AUDITOR) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM app.tenants")
        with pytest.raises(DatabaseUnavailable):
            flow.publish(session, plan, run, shard="0000")
    assert flow.publish(session, plan, run, shard="0000").generation == 1


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_of_two_last_shards_one_publishes_and_both_report_it(seeded, open_session, publisher):
    plan = lean_plan(customers=12, publisher=publisher)
    sessions = [open_session(worker="same"), open_session(worker="same")]
    run, _ = ready_to_publish(sessions[0], plan)
    together = threading.Barrier(2)

    def publish(session):
        together.wait()
        return flow.publish(session, plan, run, shard="0000")

    published = [worker.result() for worker in [Worker(lambda s=session: publish(s)) for session in sessions]]
    assert sorted((one.generation for one in published), key=str) == [1, None]
    assert len({one.dataset_hash for one in published}) == 1
    assert_exactly_the_plan(seeded, plan)
    assert seeded.value("SELECT generation FROM seed_control.dataset") == 1

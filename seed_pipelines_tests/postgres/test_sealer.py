"""Seals beside the load: done by the time of the publication, made good where they were not, given up when told to."""

from dataclasses import replace

import pytest
from seed_runs import (
    assert_exactly_the_plan,
    begun,
    held_shard,
    lean_plan,
    load_all,
    publish_all,
    publish_now,
    ready_to_publish,
    wait_until,
)

from seed_pipelines.load.sealer import Sealer

UNSEALED = "SELECT count(*) FROM seed_control.build_table WHERE sealed_at IS NULL"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%seed_control.seal(%%'"


@pytest.fixture
def beside(open_session):
    """A session whose seals are made beside its loads."""
    sealer = Sealer(is_beside=True)
    yield replace(open_session(), sealer=sealer)
    sealer.close()


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_what_is_sealed_beside_the_load_is_published(seeded, beside, publisher):
    plan = lean_plan(customers=40, shards=2, publisher=publisher)
    run = begun(beside, plan)
    load_all(beside, plan, run)
    assert publish_all(beside, plan, run).generation == 1
    assert_exactly_the_plan(seeded, plan)


def test_after_the_wait_every_build_is_sealed(seeded, beside):
    plan = lean_plan(customers=4)
    run, held = ready_to_publish(beside, plan)
    beside.sealer.wait()
    assert seeded.value(UNSEALED) == 0
    assert publish_now(beside, run, held) == 1


def test_what_a_worker_left_unsealed_the_publication_seals(seeded, beside, open_session):
    plan = lean_plan(customers=4)
    run = begun(beside, plan)
    beside.sealer.close()
    load_all(beside, plan, run)
    beside.sealer.wait()
    assert seeded.value(UNSEALED) == len(plan.rows)
    assert publish_all(open_session(), plan, run).generation == 1
    assert_exactly_the_plan(seeded, plan)


def test_a_seal_that_has_begun_is_given_up_when_its_worker_leaves(seeded, beside):
    plan = lean_plan(customers=4)
    run = begun(beside, plan)
    load_all(beside, plan, run)
    beside.sealer.wait()
    held, _ = held_shard(beside, plan, run)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.build_table SET sealed_at = NULL WHERE entity = 'loans'")
        with connection.transaction():
            connection.execute(f"LOCK TABLE seed_build.loans_{run.id.hex} IN ACCESS EXCLUSIVE MODE")
            assert beside.sealer.seal(beside.connection, held, "loans") is False
            wait_until(lambda: seeded.value(WAITS), what="the seal waits for the table")
            beside.sealer.close()
    assert seeded.value(UNSEALED) == 1

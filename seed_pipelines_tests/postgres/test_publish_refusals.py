"""When a dataset is not published: something is missing, something is twice, or somebody said stop."""

import pytest
from seed_runs import (
    begun,
    content,
    held_shard,
    lean_plan,
    load_all,
    publish_now,
    ready_to_publish,
    run_all,
    state_of,
)

from seed_pipelines import flow
from seed_pipelines.control import lease, runs
from seed_pipelines.errors import DatabaseRefused, DatabaseSaysNo, LeaseLost, SeedRunCancelled, SeedRunEnded
from seed_pipelines.load import publish as publishing


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_what_is_not_sealed_is_not_published(seeded, open_session, publisher):
    session, plan = open_session(), lean_plan(customers=4, publisher=publisher)
    run = begun(session, plan)
    load_all(session, plan, run)
    held = lease.ensure(session.connection, run)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.build_table SET sealed_at = NULL WHERE entity = 'loans'")
    with pytest.raises(DatabaseSaysNo, match="is not sealed: loans"):
        publish_now(session, run, held)
    assert state_of(seeded, run) == "running"
    assert sum(rows for rows, *_ in content(seeded, plan).values()) == 0


def test_an_entity_is_not_sealed_before_its_last_row_is_in(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=40, shards=2)
    run = begun(session, plan)
    assert flow.load_entity(session, plan, run, shard="0000", entity="customers").sealed is False
    assert flow.load_entity(session, plan, run, shard="0001", entity="customers").sealed is True


def test_an_entity_without_a_build_is_not_sealed(open_session):
    session, plan = open_session(), lean_plan(customers=4)
    held, _ = held_shard(session, plan, begun(session, plan))
    with pytest.raises(DatabaseSaysNo, match="has no build of tenants"):
        publishing.seal(session.connection, held, "tenants")


def test_an_entity_that_is_not_planned_gets_no_build(open_session):
    session, plan = open_session(), lean_plan(customers=4)
    held, _ = held_shard(session, plan, begun(session, plan))
    with pytest.raises(DatabaseSaysNo, match="has no entity"):
        publishing.open_build(session.connection, held, "pg_class")


@pytest.mark.parametrize(
    ("entity", "twice"), [("customers", "email_digest"), ("customers", "document_number_digest"), ("tenants", "id")]
)
def test_a_value_that_is_there_twice_is_refused_at_the_seal(seeded, open_session, entity, twice):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    load_all(session, plan, run)
    held, _ = held_shard(session, plan, run)
    unseal(seeded, run, entity)
    with seeded.superuser() as connection:
        change = "" if twice == "id" else ", 'id', id + 100"
        connection.execute(
            f"INSERT INTO seed_build.{entity}_{run.id.hex} SELECT (jsonb_populate_record(t, jsonb_build_object("
            f"'tenant_id', tenant_id{change}))).* FROM seed_build.{entity}_{run.id.hex} AS t LIMIT 1"
        )
    with pytest.raises(DatabaseRefused) as refused:
        publishing.seal(session.connection, held, entity)
    assert refused.value.sqlstate == "23505"
    assert seeded.value("SELECT sealed_at FROM seed_control.build_table WHERE entity = %(e)s", e=entity) is None


def unseal(seeded, run, entity):
    """As it was before its keys were added."""
    table = f"seed_build.{entity}_{run.id.hex}"
    with seeded.superuser() as connection:
        keys = connection.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'u')", [table]
        ).fetchall()
        for key in keys:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key['conname']}")
        connection.execute(f"DROP POLICY tenant_rows ON {table}")
        connection.execute(f"DROP POLICY tenant_only ON {table}")
        connection.execute("UPDATE seed_control.build_table SET sealed_at = NULL WHERE entity = %s", [entity])


@pytest.mark.parametrize("cancel", [flow.cancel, runs.request_cancel], ids=["before the step", "during the step"])
@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_cancelled_seed_run_is_not_published_though_every_row_is_in(seeded, open_session, publisher, cancel):
    session = open_session()
    old = lean_plan(customers=12, publisher=publisher)
    run_all(session, old)
    before = content(seeded, old)
    new = lean_plan(customers=9, version="1.1.0", publisher=publisher)
    run, _ = ready_to_publish(session, new, key="second")
    cancel(session.connection, run.id)
    with pytest.raises(SeedRunCancelled) as cancelled:
        flow.publish(session, new, run, shard="0000")
    flow.leave(session.connection, run.id, worker=session.worker, error=cancelled.value)
    assert state_of(seeded, run) == "cancelled"
    assert content(seeded, old) == before


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_seed_run_whose_lease_went_elsewhere_publishes_nothing(seeded, open_session, publisher):
    session, other = open_session(), open_session()
    plan = lean_plan(customers=9, publisher=publisher)
    run, held = ready_to_publish(session, plan)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET lease_until = clock_timestamp() - interval '1 s'")
    begun(other, lean_plan(customers=4, version="1.1.0"), key="second")
    with pytest.raises(LeaseLost):
        publish_now(session, run, held)
    with pytest.raises(SeedRunEnded):
        flow.publish(session, plan, run, shard="0000")
    assert sum(rows for rows, *_ in content(seeded, plan).values()) == 0

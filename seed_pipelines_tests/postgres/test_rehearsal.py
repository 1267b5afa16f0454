"""A rehearsal on a real PostgreSQL: the same hash as a seed run, and nothing left."""

from uuid import UUID

import psycopg
import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.errors import ManifestGoesBackwards
from seed_pipelines.load.rehearsal import rehearse

EVERYTHING = (
    "SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %%I.%%I', schemaname, "
    "tablename), false, true, '')))[1]::text::bigint) FROM pg_tables "
    "WHERE schemaname IN ('app', 'seed_build', 'seed_control') AND tablename NOT IN ('migration')"
)


@pytest.mark.parametrize("wishes", [{}, {"mode": "carga", "shards": 3, "batch_rows": 50}])
def test_a_rehearsal_has_the_hash_of_the_seed_run_and_leaves_nothing(seeded, open_session, wishes):
    plan = make_plan(customers=40, **wishes)
    before = seeded.value(EVERYTHING)
    with seeded.connection() as connection:
        batches = []
        rehearsal = rehearse(connection, plan, on_batch=batches.append)
    assert batches == [
        batch for entity in plan.rows for shard in plan.shard_keys for batch in plan.batches(shard, entity)
    ]
    assert seeded.value(EVERYTHING) == before
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0
    assert {found.entity: found.rows for found in rehearsal.entities} == dict(plan.rows)
    session = open_session()
    run = flow.begin(session, plan, request_for(session))
    for shard in plan.shard_keys:
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)
        published = flow.publish(session, plan, run, shard=shard)
    assert rehearsal.dataset_hash == published.dataset_hash


def test_a_rehearsal_is_in_nobodys_way_and_needs_no_lease(seeded, open_session):
    session, plan = open_session(), make_plan(customers=20)
    flow.begin(session, plan, request_for(session))
    with seeded.connection() as connection:
        assert rehearse(connection, plan).dataset_hash


def test_a_rehearsal_refuses_what_a_seed_run_would_refuse(seeded, open_session):
    session, plan = open_session(), make_plan(customers=20, version="2.0.0")
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")
    with seeded.connection() as connection, pytest.raises(ManifestGoesBackwards):
        rehearse(connection, make_plan(customers=20, version="1.0.0"))


def test_nobody_can_keep_what_was_rehearsed(seeded):
    plan = make_plan(customers=20)
    with (
        seeded.connection() as connection,
        pytest.raises(psycopg.DatabaseError, match="never committed"),
        connection.transaction(),
    ):
        connection.execute(
            "SELECT seed_control.rehearse_build('customers', %s::uuid)", [str(UUID(bytes=plan.tenant_id))]
        )
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0


def test_a_rehearsal_seals_no_build_of_a_seed_run(seeded, open_session):
    session, plan = open_session(), make_plan(customers=20)
    run = flow.begin(session, plan, request_for(session))
    flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    name = seeded.value("SELECT table_name FROM seed_control.build_table")
    with seeded.connection() as connection, connection.transaction(force_rollback=True):
        connection.execute("SELECT seed_control.rehearse_build('tenants', %s::uuid)", [str(run.tenant_id)])
        with pytest.raises(psycopg.DatabaseError, match="is no rehearsal"):
            connection.execute("SELECT seed_control.rehearse_seal('tenants', %s)", [name])

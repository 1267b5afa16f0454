"""Purging on a real PostgreSQL: what goes, what stays, and what forbids it."""

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import lease, outbox, purge, runs
from seed_pipelines.control.expired import purge_datasets_of, purge_expired
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import (
    CheckpointsExpired,
    CheckpointsGone,
    DatasetNotFound,
    LeaseHeldElsewhere,
    PurgeRefused,
)

BASELINE = DatasetName(environment="dev", tenant="acme", mode="baseline")
DR = DatasetName(environment="dev", tenant="acme", mode="dr")
COUNT = "SELECT count(*) FROM app.customers WHERE id BETWEEN %(base)s AND %(base)s + 999999999999999"
BASE = {"baseline": 10**15, "dr": 3 * 10**15}


def publish(open_session, *, key="first", **wishes):
    session, plan = open_session(), make_plan(**({"customers": 20} | wishes))
    run = flow.begin(session, plan, request_for(session, key))
    for shard in plan.shard_keys:
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)
        published = flow.publish(session, plan, run, shard=shard)
    return session, plan, published.run


def expire(seeded):
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.dataset SET expires_at = now() - interval '1 minute'")


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_purge_takes_the_mode_and_leaves_the_others(seeded, open_session, publisher):
    wishes = {"publisher": publisher, "categories": 0, "suppliers": 0}
    publish(open_session, **wishes)
    session, plan, _ = publish(open_session, key="second", mode="dr", **wishes)
    gone = purge.purge(session.connection, DR, reason="asked")
    assert gone == {entity: plan.rows.get(entity, 0) for entity in gone}
    assert seeded.value(COUNT, base=BASE["dr"]) == 0
    assert seeded.value(COUNT, base=BASE["baseline"]) == 20
    assert [dataset.name for dataset in purge.listed(session.connection)] == [BASELINE]


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_after_the_last_purge_nothing_of_the_tenant_is_left(seeded, open_session, publisher):
    session, _, run = publish(open_session, publisher=publisher)
    purge.purge(session.connection, BASELINE, reason="asked")
    for entity in run.planned_rows:
        assert seeded.value(f"SELECT count(*) FROM app.{entity}") == 0
        assert seeded.value(f"SELECT count(*) FROM pg_inherits WHERE inhparent = 'app.{entity}'::regclass") == 1
    assert seeded.value("SELECT reason FROM seed_control.purge_log") == "asked"


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_rows_of_the_application_stay_and_keep_their_row_level_security(seeded, open_session, publisher):
    session, _, _ = publish(open_session, publisher=publisher)
    with seeded.superuser() as connection:
        connection.execute(
            "INSERT INTO app.customers SELECT (jsonb_populate_record(c, jsonb_build_object('id', 7, 'consultant_id', "
            "NULL, 'document_number_digest', '\\x07', 'email_digest', '\\x07'))).* FROM app.customers AS c LIMIT 1"
        )
    purge.purge(session.connection, BASELINE, reason="asked")
    assert seeded.value("SELECT array_agg(id) FROM app.customers") == [7]
    unprotected = (
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT (relrowsecurity AND relforcerowsecurity)"
    )
    assert seeded.value(unprotected) == 0
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_dataset_that_a_row_of_another_table_refers_to_stays_and_the_row_is_named(seeded, open_session, publisher):
    session, _, _ = publish(open_session, publisher=publisher)
    with seeded.superuser() as connection:
        connection.execute(
            "CREATE TABLE public.tickets (id bigint PRIMARY KEY, tenant_id uuid, customer_id bigint, "
            "FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id))"
        )
        connection.execute("GRANT SELECT ON public.tickets TO seed_owner")
        connection.execute("INSERT INTO public.tickets SELECT 41, tenant_id, min(id) FROM app.customers GROUP BY 2")
    preview = purge.preview(session.connection, BASELINE)
    assert preview.rows["customers"] == 20
    assert [str(reference) for reference in preview.references] == ["public.tickets to customers: ids 41"]
    with pytest.raises(PurgeRefused, match=r"public\.tickets to customers: ids 41"):
        purge.purge(session.connection, BASELINE, reason="asked")
    assert seeded.value(COUNT, base=BASE["baseline"]) == 20


def test_a_row_in_a_table_that_nobody_may_read_still_keeps_the_dataset(seeded, open_session):
    session, _, _ = publish(open_session)
    with seeded.superuser() as connection:
        connection.execute(
            "CREATE TABLE public.secrets (tenant_id uuid, customer_id bigint, "
            "FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id))"
        )
        connection.execute("INSERT INTO public.secrets SELECT tenant_id, min(id) FROM app.customers GROUP BY 1")
    with pytest.raises(PurgeRefused, match="constraint"):
        purge.purge(session.connection, BASELINE, reason="asked")
    assert seeded.value(COUNT, base=BASE["baseline"]) == 20


def test_a_purge_waits_for_nobody_at_work_and_names_him(seeded, open_session):
    session, _, _ = publish(open_session)
    at_work = flow.begin(session, make_plan(customers=20), request_for(session, "again"))
    with pytest.raises(LeaseHeldElsewhere, match=str(at_work.id)):
        purge.purge(session.connection, BASELINE, reason="asked")
    assert seeded.value(COUNT, base=BASE["baseline"]) == 20


def test_a_purge_makes_every_fence_of_before_an_old_one(seeded, open_session):
    session, plan, _ = publish(open_session)
    paused = flow.begin(session, plan, request_for(session, "again"))
    before = lease.ensure(session.connection, paused)
    lease.release(session.connection, paused)
    purge.purge(session.connection, BASELINE, reason="asked")
    assert lease.ensure(session.connection, paused).fence == before.fence + 1


def test_generations_grow_over_a_purge(seeded, open_session):
    session, _, _ = publish(open_session)
    purge.purge(session.connection, BASELINE, reason="asked")
    publish(open_session, key="again")
    assert [dataset.generation for dataset in purge.listed(session.connection)] == [2]


def test_only_what_expired_is_purged_as_expired(seeded, open_session):
    session, _, _ = publish(open_session)
    with pytest.raises(DatasetNotFound):
        purge.purge(session.connection, BASELINE, reason="expired")
    assert purge_datasets_of(session.connection, environment="dev") == []
    expire(seeded)
    assert purge_datasets_of(session.connection, environment="staging") == []
    (outcome,) = purge_datasets_of(session.connection, environment="dev")
    assert (outcome.error, outcome.rows["customers"]) == (None, 20)


def test_a_dataset_at_work_waits_and_does_not_keep_the_others(seeded, open_session):
    publish(open_session)
    session, plan, _ = publish(open_session, key="other", tenant="globex")
    flow.begin(session, plan, request_for(session, "again"))
    expire(seeded)
    outcomes = purge_datasets_of(session.connection, environment=None)
    assert [(str(outcome.dataset.name), outcome.waits) for outcome in outcomes] == [
        ("dev/acme baseline", False),
        ("dev/globex baseline", True),
    ]
    assert seeded.value("SELECT count(DISTINCT tenant_id) FROM app.customers") == 1


def test_the_loader_cannot_purge_rows_past_the_function(seeded, open_session):
    publish(open_session)
    rights = (
        "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'seed_loader' "
        "AND table_name IN ('purge_log', 'dataset') AND privilege_type <> 'SELECT'"
    )
    assert seeded.value(rights) == 0


@pytest.mark.parametrize("case", ["unreported", "unfinished", "reported", "superseded", "old"])
def test_checkpoints_go_once_they_are_reported_and_superseded_or_old(seeded, open_session, case):
    session, plan, run = publish(open_session)
    if case != "unreported":
        outbox.mark_written(session.connection, run.id, uri="file:///x", sha256="0" * 64)
    if case == "superseded":
        publish(open_session, key="again")
    with seeded.superuser() as connection:
        if case in ("old", "unreported"):
            connection.execute("UPDATE seed_control.checkpoint SET committed_at = now() - interval '31 days'")
        if case == "unfinished":
            connection.execute("ALTER TABLE seed_control.seed_run DISABLE TRIGGER USER")
            connection.execute("UPDATE seed_control.seed_run SET finished_at = NULL, state = 'paused'")
    deleted = purge.purge_checkpoints(session.connection)
    assert deleted == (plan.total_batches if case in ("superseded", "old") else 0)


@pytest.fixture
def stopped_long_ago(seeded, open_session):
    """A seed run that stopped with a batch in, 31 days ago."""
    session, plan = open_session(), make_plan(customers=30)
    run = flow.begin(session, plan, request_for(session))
    flow.load_entity(session, plan, run, shard="0000", entity="customers")
    flow.leave(session.connection, run.id, worker=session.worker, error=KeyboardInterrupt())
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.checkpoint SET committed_at = now() - interval '31 days'")
    return session, plan, run


def is_ended_and_its_build_is_gone(seeded, session, run):
    ended = runs.find(session.connection, run.id)
    assert (ended.state, ended.error_code) == (RunState.ABORTED, "checkpoints-expired")
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0
    assert seeded.value("SELECT count(*) FROM seed_control.report_outbox") == 1


@pytest.mark.parametrize("door", [flow.begin, flow.ask])
def test_a_seed_run_that_stopped_long_ago_is_not_gone_on_with(seeded, stopped_long_ago, door):
    session, plan, run = stopped_long_ago
    with pytest.raises(CheckpointsExpired, match=r"`seed-data run dev/acme\.yaml --reseed`"):
        door(session, plan, request_for(session))
    is_ended_and_its_build_is_gone(seeded, session, run)


def test_the_purge_ends_what_stopped_long_ago_and_its_checkpoints_go_when_it_is_reported(seeded, stopped_long_ago):
    session, _, run = stopped_long_ago
    purged = purge_expired(session.connection, environment="dev")
    assert (purged.ended, purged.checkpoints) == (1, 0)
    is_ended_and_its_build_is_gone(seeded, session, run)
    outbox.mark_written(session.connection, run.id, uri="file:///x", sha256="0" * 64)
    assert purge_expired(session.connection, environment="dev").checkpoints > 0


def test_the_purge_leaves_what_stopped_lately(seeded, stopped_long_ago):
    session, _, run = stopped_long_ago
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.checkpoint SET committed_at = now() - interval '29 days'")
    assert purge_expired(session.connection, environment="dev").ended == 0
    assert not runs.find(session.connection, run.id).is_finished


def test_a_published_seed_run_without_checkpoints_says_so_and_keeps_its_hash(seeded, open_session):
    session, plan, run = publish(open_session)
    outbox.mark_written(session.connection, run.id, uri="file:///x", sha256="0" * 64)
    purge.purge_checkpoints(session.connection, kept_days=0)
    again = flow.begin(session, plan, request_for(session))
    with pytest.raises(CheckpointsGone, match="--reseed"):
        flow.load_entity(session, plan, again, shard="0000", entity="customers")
    assert flow.publish(session, plan, again, shard="0000").dataset_hash == run.dataset_hash

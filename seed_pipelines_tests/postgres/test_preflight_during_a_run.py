"""The preflight in a seed run: what it found is kept with the run, and its cheap part guards every batch."""

import time

import pytest
from broken_schemas import TENANT
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import checkpoints
from seed_pipelines.errors import DatabaseNotSafe
from seed_pipelines.load import preflight

ENTITY = "customers"
BATCH_ROWS = 20

# Statement of the owner, in the midst of a run; the check that notices; how it is mended.
MUTATIONS = {
    "force is switched off": (
        "ALTER TABLE app.customers NO FORCE ROW LEVEL SECURITY",
        "row-security",
        "ALTER TABLE app.customers FORCE ROW LEVEL SECURITY",
    ),
    "row-level security is disabled": (
        "ALTER TABLE app.loans DISABLE ROW LEVEL SECURITY",
        "row-security",
        "ALTER TABLE app.loans ENABLE ROW LEVEL SECURITY",
    ),
    "a policy is added": (
        "CREATE POLICY open ON app.customers USING (true)",
        "tenant-policy",
        "DROP POLICY open ON app.customers",
    ),
    "the policy is replaced": (
        f"ALTER POLICY tenant_only ON app.customers USING (tenant_id = coalesce({TENANT}, tenant_id))",
        "tenant-policy",
        f"ALTER POLICY tenant_only ON app.customers USING (tenant_id = {TENANT})",
    ),
    "a target is renamed": (
        "ALTER TABLE app.installments RENAME TO hidden",
        "target-tables",
        "ALTER TABLE app.hidden RENAME TO installments",
    ),
    "the build table loses its check": (
        "ALTER TABLE seed_build.{build} DROP CONSTRAINT {constraint}",
        "build-tables",
        "ALTER TABLE seed_build.{build} ADD CONSTRAINT {constraint} CHECK (tenant_id = '{tenant_id}')",
    ),
}


def owner_does(seeded, statement, run):
    """One statement, in the name of the role that owns the schema."""
    build = seeded.value(f"SELECT table_name FROM seed_control.build_table WHERE entity = '{ENTITY}'")
    constraint = seeded.value(
        "SELECT conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid "
        "WHERE c.relname = %(build)s AND k.contype = 'c'",
        build=build,
    )
    values = {"build": build, "constraint": constraint or f"{build}_check", "tenant_id": run.tenant_id}
    with seeded.superuser() as connection:
        connection.execute("SET ROLE seed_owner")
        connection.execute(statement.format(**values))


@pytest.fixture
def begun(open_session):
    """A session, a plan of several batches, and its seed run."""
    session, plan = open_session(), make_plan(batch_rows=BATCH_ROWS)
    return session, plan, flow.begin(session, plan, request_for(session))


def load(session, plan, run, entity=ENTITY):
    return flow.load_entity(session, plan, run, shard=plan.shard_keys[0], entity=entity)


def committed(session, run):
    return [checkpoint.entity for checkpoint in checkpoints.of_run(session.connection, run.id)]


def test_what_the_preflight_found_is_kept_with_the_seed_run(begun):
    _, _, run = begun
    assert [fact["check"] for fact in run.preflight] == [check.name for check in preflight.CHECKS]
    assert all(fact["ok"] is True and fact["detail"] for fact in run.preflight)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_schema_that_is_broken_between_two_batches_is_refused_at_the_next(seeded, begun, open_session, mutation):
    _, plan, run = begun
    breaking, check, mending = MUTATIONS[mutation]
    pauses = []

    def break_before_the_second_batch(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            owner_does(seeded, breaking, run)

    session = open_session(sleep=break_before_the_second_batch)
    with pytest.raises(DatabaseNotSafe, match=check):
        load(session, plan, run)
    assert committed(session, run) == [ENTITY]
    build = seeded.value("SELECT table_name FROM seed_control.build_table WHERE entity = 'customers'")
    assert seeded.value(f"SELECT count(*) FROM seed_build.{build}") == BATCH_ROWS
    owner_does(seeded, mending, run)
    assert load(open_session(), plan, run).resumed_batches == 1


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_schema_that_is_broken_before_the_publication_is_not_published_to(seeded, open_session, publisher):
    session, plan = open_session(), make_plan(publisher=publisher)
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        load(session, plan, run, entity)
    owner_does(seeded, "ALTER TABLE app.loans NO FORCE ROW LEVEL SECURITY", run)
    with pytest.raises(DatabaseNotSafe, match=r"row-security: app\.loans"):
        flow.publish(session, plan, run, shard=plan.shard_keys[0])
    assert seeded.value("SELECT count(*) FROM seed_control.dataset") == 0
    assert seeded.value("SELECT count(*) FROM app.loans") == 0


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_published_dataset_and_a_sealed_build_pass_the_preflight(open_session, publisher):
    session, plan = open_session(), make_plan(publisher=publisher)
    for key in ("first", "again"):
        run = flow.begin(session, plan, request_for(session, key))
        for entity in plan.rows:
            load(session, plan, run, entity)
        assert preflight.assert_safe(session.connection, tuple(plan.rows))
        flow.publish(session, plan, run, shard=plan.shard_keys[0])
        assert preflight.assert_safe(session.connection, tuple(plan.rows))


def test_an_open_build_of_a_run_passes_the_preflight_and_its_canary(begun, open_session):
    session, plan, run = begun
    load(session, plan, run, "tenants")
    flow.publishing.open_build(session.connection, flow.lease.ensure(session.connection, run), ENTITY)
    with session.connection.transaction():
        assert preflight.assert_safe(open_session().connection, tuple(plan.rows))


def test_a_build_table_without_its_check_is_refused_by_the_preflight(seeded, begun, open_session):
    session, plan, run = begun
    flow.publishing.open_build(session.connection, flow.lease.ensure(session.connection, run), ENTITY)
    owner_does(seeded, MUTATIONS["the build table loses its check"][0], run)
    with pytest.raises(DatabaseNotSafe, match="build-tables"):
        preflight.assert_safe(session.connection, tuple(plan.rows))


def test_the_canary_tries_the_check_of_a_build_table(seeded, begun):
    session, _, run = begun
    flow.publishing.open_build(session.connection, flow.lease.ensure(session.connection, run), ENTITY)
    assert preflight.try_canary(session.connection, (ENTITY,)).ok
    owner_does(seeded, MUTATIONS["the build table loses its check"][0], run)
    assert "takes a stranger's row" in preflight.try_canary(session.connection, (ENTITY,)).detail


def test_the_part_that_a_batch_repeats_is_one_cheap_statement(begun):
    """Some tenths of a millisecond on two cores; the bound leaves room for a machine that does other things too."""
    session, plan, _ = begun
    spent = []
    for _ in range(100):
        with session.connection.transaction():
            started = time.perf_counter()
            preflight.assert_still_safe(session.connection, tuple(plan.rows))
            spent.append(time.perf_counter() - started)
    assert sorted(spent)[50] < 0.02

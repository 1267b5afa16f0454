"""The preflight of one worker while another seals: it neither waits nor takes offence."""

import threading

import pytest
from factories import make_plan
from seed_runs import Worker, begun, first_batch, held_shard, wait_until, waits_for_a_lock, write_rows
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.errors import DatabaseUnavailable
from seed_pipelines.load import catalogue_checks, preflight
from seed_pipelines.load import publish as publishing
from seed_pipelines.load.canary import try_canary
from seed_pipelines.outside.postgres import transaction


def test_a_preflight_does_not_wait_for_a_table_that_is_being_sealed(seeded, open_session):
    plan, session = make_plan(customers=40), open_session()
    run = flow.begin(session, plan, request_for(session))
    flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    with seeded.superuser() as sealer:
        name = seeded.value("SELECT table_name FROM seed_control.build_table WHERE entity = 'tenants'")
        sealer.execute("BEGIN")
        sealer.execute(f"LOCK TABLE seed_build.{name} IN ACCESS EXCLUSIVE MODE")
        done = threading.Event()

        def look():
            with seeded.connection() as connection:
                preflight.assert_safe(connection, tuple(plan.rows))
            done.set()

        looker = threading.Thread(target=look)
        looker.start()
        was_in_time = done.wait(3)
        sealer.execute("ROLLBACK")
        looker.join()
    assert was_in_time


@pytest.fixture
def two_builds(seeded, open_session):
    """A session, its lease, and the builds of customers and tenants; every row of tenants is in and not sealed."""
    plan, session = make_plan(customers=4), open_session()
    run = begun(session, plan)
    held, attempt = held_shard(session, plan, run)
    builds = [publishing.open_build(session.connection, held, entity) for entity in ("customers", "tenants")]
    with transaction(session.connection):
        write_rows(session, plan, held, first_batch(plan), attempt=attempt)
    return session, held, builds


@pytest.mark.parametrize("fate", ["sealed", "dropped"])
def test_a_build_that_is_sealed_or_dropped_while_the_canary_is_on_its_way_takes_no_row(
    seeded, open_session, two_builds, fate
):
    session, held, (customers, tenants) = two_builds
    other = open_session()
    with seeded.superuser() as superuser:
        with superuser.transaction():
            # The canary has its list by now and waits at the first build, in the order of their names.
            superuser.execute(f"LOCK TABLE seed_build.{customers} IN SHARE MODE")
            canary = Worker(lambda: try_canary(other.connection, ("tenants",)))
            wait_until(lambda: waits_for_a_lock(seeded, other), what="the canary waits")
            if fate == "sealed":
                assert publishing.seal(session.connection, held, "tenants")
            else:
                superuser.execute(f"DROP TABLE seed_build.{tenants}")
        assert canary.result().ok


def test_a_canary_that_may_not_try_for_a_lock_is_to_be_tried_again_and_no_refusal(seeded, open_session, two_builds):
    _, _, (customers, _) = two_builds
    other = open_session()
    other.connection.execute("SET lock_timeout = '100ms'")
    with seeded.superuser() as superuser, superuser.transaction():
        superuser.execute(f"LOCK TABLE seed_build.{customers} IN SHARE MODE")
        with pytest.raises(DatabaseUnavailable):
            try_canary(other.connection, ("tenants",))


@pytest.mark.parametrize(
    ("found", "ok"), [([("seen half",), ()], True), ([("a door",), ("a door",)], False), ([("two",), ("one",)], False)]
)
def test_what_is_found_once_only_is_no_finding(seeded, monkeypatch, found, ok):
    """The database cannot be made to show a table half at a certain moment; two workers and enough time can."""
    checks = len(catalogue_checks.CATALOGUE_CHECKS)
    answers = iter(found)
    monkeypatch.setattr(catalogue_checks, "_asked", lambda *_: [next(answers), *[()] * (checks - 1)])
    with seeded.connection() as connection:
        results = list(catalogue_checks.ask_catalogue(connection, ("tenants",)))
    assert [result.ok for result in results] == [ok, *[True] * (checks - 1)]

"""What the API sees of seed runs and does to them: one tenant, one strong validator, one canceller."""

import threading
from dataclasses import asdict
from uuid import uuid4

import psycopg
import pytest
from seed_runs import Worker, begun, claimed, held_shard, lean_plan, load_all, run_all, state_of
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.api.cancelling import ask_to_stop
from seed_pipelines.api.etags import Match
from seed_pipelines.api.runs import state_of as told_state_of
from seed_pipelines.api.service import Whose, show_tenant
from seed_pipelines.control import abandoned, budget, roles, runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import LeaseHeldElsewhere, PreconditionFailed, SeedRunEnded, SeedRunNotFound
from seed_pipelines.outside.postgres import transaction
from seed_pipelines.sql import query

ACME = Whose(tenant="acme", environment="dev")
GLOBEX = Whose(tenant="globex", environment="dev")
PLAN = lean_plan(customers=4)
DENIED = psycopg.errors.InsufficientPrivilege

FORBIDDEN = [
    "SELECT resume_token FROM seed_control.checkpoint",
    "SELECT content_digest FROM seed_control.checkpoint",
    "UPDATE seed_control.api_request SET fingerprint = repeat('0', 64)",
    "TRUNCATE seed_control.api_request",
    "SELECT FROM seed_control.idempotency_key",
    "SELECT FROM seed_control.lease",
    "SELECT FROM app.customers",
    "SELECT FROM seed_control.access_decision",
    "UPDATE seed_control.seed_run SET state = 'failed'",
    "INSERT INTO seed_control.seed_run DEFAULT VALUES",
    "DELETE FROM seed_control.seed_shard",
    "DELETE FROM seed_control.api_rate_limit",
    "CREATE TABLE seed_control.mine (id integer)",
    "SELECT seed_control.discard_build(gen_random_uuid())",
    "SET ROLE seed_loader",
    "SET ROLE seed_owner",
]


def look(seeded, run, *, whose=ACME, name="api_run"):
    with seeded.connection(roles.API) as connection, transaction(connection):
        show_tenant(connection, whose)
        values = {"seed_run_id": run.id, "environment": whose.environment}
        return connection.execute(query(name), values).fetchone()


def cancel(seeded, run, *, match, whose=ACME):
    with seeded.connection() as connection, transaction(connection):
        ask_to_stop(connection, whose, run.id, match=match)


def only(etag):
    return Match(any=False, strong=(etag,))


def test_the_api_sees_the_tenant_that_it_named_and_no_other(seeded, open_session):
    acme = begun(open_session(), PLAN)
    globex = run_all(open_session(tenant="globex"), lean_plan(customers=4, tenant="globex")).run
    assert look(seeded, acme)["tenant"] == "acme"
    assert look(seeded, globex, whose=GLOBEX)["status"] == "published"
    assert look(seeded, globex) is None
    assert look(seeded, acme, whose=GLOBEX) is None
    assert look(seeded, acme, whose=Whose(tenant="acme", environment="staging")) is None
    with seeded.connection(roles.API) as connection:
        for table in ("seed_run", "seed_shard", "checkpoint", "budget", "batch_fault", "report_outbox"):
            assert connection.execute(f"SELECT FROM seed_control.{table}").rowcount == 0, table


def test_the_api_can_do_nothing_but_read(seeded):
    permitted = []
    with seeded.connection(roles.API) as connection:
        for statement in FORBIDDEN:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(statement)
                permitted.append(statement)
            except DENIED:
                continue
    assert permitted == []


def test_a_seed_run_is_queued_until_its_worker_comes(seeded, open_session):
    session = open_session()
    run = flow.ask(session, PLAN, request_for(session))
    assert look(seeded, run)["status"] == "queued"
    assert seeded.value("SELECT count(*) FROM seed_control.lease") == 0
    worker = open_session()
    assert begun(worker, PLAN).id == run.id
    held_shard(worker, PLAN, run)
    assert look(seeded, run)["status"] == "running"


def test_a_seed_run_that_was_asked_for_keeps_what_its_preflight_found_and_runs_to_its_end(seeded, open_session):
    session = open_session()
    asked = flow.ask(session, PLAN, request_for(session))
    assert len(asked.preflight) > 20
    published = run_all(open_session(), PLAN)
    assert published.run.id == asked.id
    assert published.run.preflight == asked.preflight
    assert flow.ask(session, PLAN, request_for(session)).state is RunState.PUBLISHED


def test_nothing_is_asked_for_while_another_seed_run_holds_the_lease(seeded, open_session):
    begun(open_session(), PLAN)
    session = open_session()
    with pytest.raises(LeaseHeldElsewhere):
        flow.ask(session, lean_plan(customers=5, version="1.1.0"), request_for(session, "second"))
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1


def test_a_seed_run_without_its_worker_is_abandoned_after_a_quarter_of_an_hour_and_not_before(seeded, open_session):
    session = open_session()
    # The tenant's lease is another seed run's, which ended long ago.
    run_all(session, lean_plan(customers=3, version="0.9.0"), key="before")
    run = flow.ask(session, PLAN, request_for(session))
    assert abandoned.found(session.connection, environment="dev") == []
    assert not abandoned.mark(session.connection, run.id)
    age(seeded, run)
    (found,) = abandoned.found(session.connection, environment="dev")
    assert found.id == run.id
    assert abandoned.mark(session.connection, run.id)
    assert state_of(seeded, run) == "failed"


def test_the_first_seed_run_of_a_tenant_can_be_abandoned_too(seeded, open_session):
    session = open_session()
    run = flow.ask(session, PLAN, request_for(session))
    age(seeded, run)
    assert [found.id for found in abandoned.found(session.connection, environment="dev")] == [run.id]
    assert abandoned.mark(session.connection, run.id)
    assert state_of(seeded, run) == "failed"
    assert begun(open_session(), PLAN).state is RunState.RUNNING


def age(seeded, run):
    with seeded.superuser() as connection:
        connection.execute(
            "UPDATE seed_control.seed_run SET started_at = started_at - interval '16 min' WHERE id = %s", [run.id]
        )


def test_whatever_changes_of_a_seed_run_changes_its_validator(seeded, open_session):
    session = open_session()
    run = claimed(session, PLAN)
    seen = [look(seeded, run)["etag"]]

    def changed(what):
        etag = look(seeded, run)["etag"]
        assert etag not in seen, what
        assert look(seeded, run)["etag"] == etag, "it changes only with the seed run"
        assert look(seeded, run, name="api_run_progress")["etag"] == etag
        seen.append(etag)

    begun(session, PLAN)
    changed("it was resumed")
    held_shard(session, PLAN, run)
    changed("a shard was begun")
    flow.load_entity(session, PLAN, run, shard="0000", entity="tenants")
    changed("a batch came in")
    batch = next(PLAN.batches("0000", "customers"))
    budget.record_slow(session.connection, run, batch, attempt=1, elapsed_ms=10_000)
    changed("a batch was slow")
    load_all(session, PLAN, run)
    flow.publish(session, PLAN, run, shard="0000")
    changed("it was published")
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.report_outbox SET written_at = now(), uri = 'x', sha256 = 'y'")
    changed("its report was written")


def test_of_eight_who_saw_the_same_seed_run_one_cancels_it(seeded, open_session):
    run = begun(open_session(), PLAN)
    etag, together = look(seeded, run)["etag"], threading.Barrier(8)

    def stop():
        together.wait()
        try:
            cancel(seeded, run, match=only(etag))
        except PreconditionFailed:
            return False
        return True

    assert sorted(worker.result() for worker in [Worker(stop) for _ in range(8)]) == [False] * 7 + [True]


@pytest.mark.parametrize(
    "match", [only("1-0"), Match(any=False), Match(any=False, weak=("right",))], ids=["stale", "none", "weak"]
)
def test_who_saw_something_else_cancels_nothing(seeded, open_session, match):
    run = begun(open_session(), PLAN)
    if match.weak:
        match = Match(any=False, weak=(look(seeded, run)["etag"],))
    with pytest.raises(PreconditionFailed):
        cancel(seeded, run, match=match)
    assert seeded.value("SELECT cancel_requested_at FROM seed_control.seed_run") is None


def test_any_seed_run_matches_the_asterisk_unless_it_has_ended_or_is_anothers(seeded, open_session):
    run = begun(open_session(), PLAN)
    with pytest.raises(PreconditionFailed):
        cancel(seeded, run, match=Match(any=True), whose=GLOBEX)
    cancel(seeded, run, match=Match(any=True))
    published = run_all(open_session(tenant="globex"), lean_plan(customers=4, tenant="globex")).run
    with pytest.raises(SeedRunEnded):
        cancel(seeded, published, match=Match(any=True), whose=GLOBEX)
    with seeded.connection() as connection, pytest.raises(SeedRunNotFound):
        ask_to_stop(connection, ACME, uuid4(), match=Match(any=True))


def test_what_is_told_of_a_seed_run_adds_up(seeded, open_session):
    session = open_session()
    run = run_all(session, PLAN).run
    told = told_state_of(look(seeded, run))
    assert (told.status, told.rows, list(told.rows)) == ("published", PLAN.rows, list(PLAN.rows))
    batches = sum(checkpoint.batches for checkpoint in told.checkpoints)
    assert batches == seeded.value("SELECT count(*) FROM seed_control.checkpoint")
    assert {shard.state for shard in told.shards} == {"done"}
    assert told.budget.spent_micro_brl == budget.spending_of(session.connection, run).spent_micro_brl
    assert told.report.uri is None
    found = runs.find(session.connection, run.id)
    assert (told.dataset_hash, told.traceparent) == (found.dataset_hash, asdict(found)["traceparent"])

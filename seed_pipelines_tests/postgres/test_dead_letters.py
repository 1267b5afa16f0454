"""Batches that are given up: kept by name, never skipped, and written when somebody tries again."""

from dataclasses import replace

import pytest
from factories import make_plan
from seed_runs import lean_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import dead_letters
from seed_pipelines.errors import (
    BudgetExhausted,
    DatabaseRefused,
    LeaseLost,
    LendingServiceUnavailable,
    OracleDisagrees,
)
from seed_pipelines.generate.oracle import Oracle
from seed_pipelines.lending.check import calculate


@pytest.fixture
def given_up(seeded, open_session):
    """A seed run whose customers cannot be written: their build table refuses the rows."""
    session, plan = open_session(), make_plan(customers=20, batch_rows=10)
    run = flow.begin(session, plan, request_for(session))
    for entity in ("tenants", "users", "consultants"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    with seeded.superuser() as connection:
        table = f"customers_{run.id.hex}"
        connection.execute("SELECT seed_control.make_build('customers', %s, %s)", [table, run.tenant_id])
        connection.execute(f"ALTER TABLE seed_build.{table} OWNER TO seed_owner")
        connection.execute(f"GRANT INSERT ON seed_build.{table} TO seed_loader")
        connection.execute(f"ALTER TABLE seed_build.{table} ADD CONSTRAINT broken CHECK (id < {plan.first_id + 10})")
        connection.execute("INSERT INTO seed_control.build_table VALUES (%s, 'customers', %s)", [run.id, table])
    with pytest.raises(DatabaseRefused) as caught:
        flow.load_entity(session, plan, run, shard="0000", entity="customers")
    flow.leave(session.connection, run.id, worker=session.worker, error=caught.value)
    return session, plan, run


def test_a_batch_that_is_given_up_is_kept_by_name_without_any_of_its_rows(seeded, given_up):
    session, _, run = given_up
    (letter,) = dead_letters.found(session.connection)
    assert (letter.seed_run_id, letter.entity, letter.shard, letter.number) == (run.id, "customers", "0000", 1)
    assert (letter.code, letter.sqlstate, letter.attempts, letter.state) == ("database-refused", "23514", 1, "dead")
    columns = "SELECT string_agg(column_name, ' ') FROM information_schema.columns WHERE table_name = 'dead_letter'"
    known = "attempts code died_at entity loans number retried_at seed_run_id shard sqlstate"
    assert sorted(seeded.value(columns).split()) == known.split()


def test_a_retry_begins_at_that_batch_and_the_letter_says_that_it_was_written(seeded, given_up):
    session, plan, run = given_up
    with seeded.superuser() as connection:
        connection.execute(f"ALTER TABLE seed_build.customers_{run.id.hex} DROP CONSTRAINT broken")
    dead_letters.mark_retried(session.connection, run.id)
    assert [letter.state for letter in dead_letters.found(session.connection)] == ["retried"]
    again = flow.begin(session, plan, request_for(session))
    load = flow.load_entity(session, plan, again, shard="0000", entity="customers")
    assert (again.id, load.resumed_batches, load.rows) == (run.id, 1, 20)
    assert [letter.state for letter in dead_letters.found(session.connection, seed_run_id=run.id)] == ["written"]


def test_a_second_death_counts_the_attempts_and_keeps_one_letter(seeded, given_up):
    session, plan, run = given_up
    again = flow.begin(session, plan, request_for(session))
    with pytest.raises(DatabaseRefused) as caught:
        flow.load_entity(session, plan, again, shard="0000", entity="customers")
    flow.leave(session.connection, run.id, worker=session.worker, error=caught.value)
    (letter,) = dead_letters.found(session.connection)
    assert (letter.attempts, letter.state) == (2, "dead")


def test_a_batch_that_the_official_calculation_refuses_names_its_loans_and_nothing_of_them(open_session):
    def one_cent_off(questions):
        """Like ours, but for the fourth loan of whatever is asked."""
        answers = list(calculate(questions))
        first, *others = answers[3].rows
        answers[3] = replace(answers[3], rows=(replace(first, payment_cents=first.payment_cents + 1), *others))
        return answers

    session, plan = replace(open_session(), oracle=Oracle(official=one_cent_off)), lean_plan(customers=10)
    run = flow.begin(session, plan, request_for(session))
    for entity in ("tenants", "customers"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    with pytest.raises(OracleDisagrees) as caught:
        flow.load_entity(session, plan, run, shard="0000", entity="loans")
    flow.leave(session.connection, run.id, worker=session.worker, error=caught.value)
    (letter,) = dead_letters.found(session.connection)
    assert (letter.entity, letter.shard, letter.number, letter.loans) == ("loans", "0000", 0, (3,))
    assert (letter.code, letter.sqlstate, letter.attempts) == ("oracle-disagrees", None, 1)


def test_a_batch_that_could_not_be_made_is_kept_with_how_often_it_was_tried(open_session):
    def away(_questions):
        raise LendingServiceUnavailable("http://calculation.test", why="does not answer")

    session, plan = replace(open_session(), oracle=Oracle(official=away)), lean_plan(customers=10)
    run = flow.begin(session, plan, request_for(session))
    for entity in ("tenants", "customers"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    for _ in range(2):
        with pytest.raises(LendingServiceUnavailable) as caught:
            flow.load_entity(session, plan, run, shard="0000", entity="loans")
    flow.leave(session.connection, run.id, worker=session.worker, error=caught.value)
    (letter,) = dead_letters.found(session.connection)
    assert (letter.entity, letter.number, letter.code) == ("loans", 0, "lending-service-unavailable")
    assert letter.attempts == 2


@pytest.mark.parametrize("error", [LeaseLost(), RuntimeError("a bug")])
def test_a_worker_that_stops_between_batches_leaves_no_letter(seeded, open_session, error):
    session, plan = open_session(), make_plan(customers=20)
    run = flow.begin(session, plan, request_for(session))
    flow.leave(session.connection, run.id, worker=session.worker, error=error)
    assert dead_letters.found(session.connection) == []


def test_the_letters_of_a_seed_run_that_ended_cannot_be_helped(seeded, given_up):
    session, _, run = given_up
    error = BudgetExhausted("customers", shard="0000", number=1, left=0, cost=1)
    flow.leave(session.connection, run.id, worker=session.worker, error=error)
    assert [letter.state for letter in dead_letters.found(session.connection)] == ["ended"]

"""The states of a seed run: the database itself refuses every step that is not on the map."""

import itertools

import psycopg
import pytest
from seed_runs import begun, lean_plan, run_all

from seed_pipelines import flow
from seed_pipelines.control import budget, checkpoints, dead_letters
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import DatabaseUnavailable

ALLOWED = {
    (RunState.RUNNING, RunState.FAILED),
    (RunState.RUNNING, RunState.PAUSED),
    (RunState.RUNNING, RunState.PUBLISHED),
    (RunState.RUNNING, RunState.CANCELLED),
    (RunState.RUNNING, RunState.ABORTED),
    (RunState.FAILED, RunState.RUNNING),
    (RunState.FAILED, RunState.CANCELLED),
    (RunState.FAILED, RunState.ABORTED),
    (RunState.PAUSED, RunState.RUNNING),
    (RunState.PAUSED, RunState.CANCELLED),
    (RunState.PAUSED, RunState.ABORTED),
}
ENDED = {RunState.PUBLISHED, RunState.CANCELLED, RunState.ABORTED}

MOVE = """
    UPDATE seed_control.seed_run
    SET state = %(state)s::text, finished_at = CASE WHEN %(ended)s THEN clock_timestamp() END
"""


def move(connection, state):
    connection.execute(MOVE, {"state": state, "ended": state in ENDED})


@pytest.fixture
def in_state(seeded, open_session):
    """Brings one seed run into a state, on a legal way."""
    begun(open_session(), lean_plan(customers=4))

    def bring(connection, state):
        if state is not RunState.RUNNING:
            move(connection, state)

    return bring


def test_every_step_that_is_not_on_the_map_is_refused(seeded, in_state):
    steps = [pair for pair in itertools.permutations(RunState, 2) if pair not in ALLOWED]
    assert len(steps) == 19
    with seeded.superuser() as connection:
        for before, after in steps:
            with connection.transaction(force_rollback=True):
                in_state(connection, before)
                with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                    move(connection, after)


def test_every_step_on_the_map_is_possible(seeded, in_state):
    with seeded.superuser() as connection:
        for before, after in ALLOWED:
            with connection.transaction(force_rollback=True):
                in_state(connection, before)
                move(connection, after)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_a_seed_run_has_an_end_exactly_when_it_has_ended(seeded, in_state, state):
    with seeded.superuser() as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE seed_control.seed_run SET finished_at = clock_timestamp()")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE seed_control.seed_run SET state = %s", [state])


def test_a_seed_run_begins_as_running(seeded, in_state):
    with seeded.superuser() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "INSERT INTO seed_control.seed_run SELECT (jsonb_populate_record(r, jsonb_build_object("
            "'id', gen_random_uuid(), 'state', 'failed'))).* FROM seed_control.seed_run AS r"
        )


def test_only_a_publication_makes_a_seed_run_published(seeded, in_state):
    with seeded.connection() as loader, pytest.raises(psycopg.errors.CheckViolation, match="only a publication"):
        move(loader, RunState.PUBLISHED)


@pytest.mark.parametrize(
    ("state", "reports"), [("failed", 0), ("paused", 0), ("cancelled", 1), ("aborted", 1), ("published", 1)]
)
def test_exactly_the_seed_runs_that_ended_wait_for_a_report(seeded, in_state, state, reports):
    with seeded.superuser() as connection:
        move(connection, RunState(state))
    assert seeded.value("SELECT count(*) FROM seed_control.report_outbox WHERE written_at IS NULL") == reports


def test_a_publication_waits_for_one_report(seeded, open_session):
    run_all(open_session(), lean_plan(customers=4))
    assert seeded.value("SELECT count(*) FROM seed_control.report_outbox") == 1


@pytest.mark.parametrize("change", ["attempt = attempt - 1", "state = 'active'", "state = 'idle'"])
def test_a_shard_that_is_done_stays_done_and_no_attempt_comes_back(seeded, open_session, change):
    session, plan = open_session(), lean_plan(customers=4)
    run_all(session, plan)
    with seeded.connection() as loader, pytest.raises(psycopg.errors.CheckViolation):
        loader.execute(f"UPDATE seed_control.seed_shard SET {change}")


def test_a_batch_is_reserved_failed_dead_and_written_in_turn(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run, connection = begun(session, plan), session.connection
    (batch,) = plan.batches("0000", "customers")
    assert checkpoints.batch_states(connection, run.id) == {}
    budget.reserve(connection, run, plan, batch)
    assert checkpoints.batch_states(connection, run.id) == {"reserved": 1}
    error = DatabaseUnavailable("57P01")
    recorded = budget.faults_recorded(connection, run, attempt=1)
    with pytest.raises(DatabaseUnavailable), recorded, budget.blamed(batch):
        raise error
    assert checkpoints.batch_states(connection, run.id) == {"failed": 1}
    dead_letters.bury(connection, run.id, error)
    assert checkpoints.batch_states(connection, run.id) == {"dead": 1}
    flow.load_entity(session, plan, run, shard="0000", entity="customers")
    assert checkpoints.batch_states(connection, run.id)["written"] == 1
    assert "dead" not in checkpoints.batch_states(connection, run.id)

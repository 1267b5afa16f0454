"""The key of a seed run that nobody gave one: whoever comes again finds the run that can go on, else a new one."""

import pytest
from seed_runs import begun, lean_plan, run_all

from seed_pipelines import flow
from seed_pipelines.control import purge, runs
from seed_pipelines.control.default_key import default_key
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.control.runs import RunState

PLAN = lean_plan(customers=4)
HASH = PLAN.manifest.manifest_hash


def cancelled(session, plan, *, key):
    """A seed run that is over, and published nothing."""
    run = begun(session, plan, key=key)
    runs.leave_shard(session.connection, run.id, worker=session.worker, state=RunState.FAILED, code="x", detail="x")
    assert flow.cancel(session.connection, run.id).is_finished
    return run


def purged(session, plan, *, key):
    """A seed run that was published, and whose rows are gone."""
    run = run_all(session, plan, key=key).run
    purge.purge(session.connection, DatasetName(environment="dev", tenant="acme", mode="baseline"), reason="asked")
    return run


def test_the_first_run_has_the_manifests_hash_until_it_has_ended(open_session):
    session = open_session()
    assert default_key(session.connection, PLAN) == HASH
    run = begun(session, PLAN, key=HASH)
    runs.leave_shard(session.connection, run.id, worker=session.worker, state=RunState.FAILED, code="x", detail="x")
    assert default_key(session.connection, PLAN) == HASH


def test_what_readers_see_is_not_done_twice_whatever_its_key(open_session):
    session = open_session()
    run_all(session, PLAN, key="of somebody else")
    assert default_key(session.connection, PLAN) == "of somebody else"


@pytest.mark.parametrize("end", [cancelled, purged])
def test_a_run_that_has_ended_is_followed_by_one_that_can_be_gone_on_with(open_session, end):
    session = open_session()
    first = end(session, PLAN, key=HASH)
    second = default_key(session.connection, PLAN)
    assert second == f"{HASH}:after-{first.id}"
    run = begun(session, PLAN, key=second)
    assert run.id != first.id
    assert default_key(session.connection, PLAN) == second
    flow.cancel(session.connection, run.id)


def test_a_manifest_that_comes_back_is_a_new_run_each_time_that_one_of_it_has_ended(open_session):
    session, other = open_session(), lean_plan(customers=5, version="1.1.0")
    run_all(session, other, key="other")
    assert default_key(session.connection, PLAN) == f"{HASH}:after-1"

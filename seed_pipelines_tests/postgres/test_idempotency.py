"""Idempotency keys: one key, one seed run, whoever asks and how many at once."""

from dataclasses import replace

import pytest
from seed_runs import begun, claimed, held_shard, lean_plan, load_all, run_all, state_of
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import (
    GeneratorChanged,
    IdempotencyKeyReused,
    LeaseHeldElsewhere,
    MaskKeyDiverged,
    SeedRunCancelled,
    SeedRunEnded,
)


def stopped(session, plan, *, key="first"):
    """An unfinished seed run that nobody works on."""
    run = begun(session, plan, key=key)
    held_shard(session, plan, run)
    runs.leave_shard(
        session.connection, run.id, worker=session.worker, state=RunState.FAILED, code="test", detail="test"
    )
    return run


@pytest.mark.parametrize("ended", [False, True], ids=["unfinished", "published"])
def test_a_key_of_another_manifest_is_refused(seeded, open_session, ended):
    session = open_session()
    run = (run_all if ended else begun)(session, lean_plan(customers=4))
    with pytest.raises(IdempotencyKeyReused):
        begun(session, lean_plan(customers=5, version="1.1.0"))
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1
    assert run is not None


def test_one_key_serves_two_tenants_apart(open_session):
    first, second = open_session(), open_session(tenant="globex")
    one = begun(first, lean_plan(customers=4))
    other = begun(second, lean_plan(customers=4, tenant="globex"))
    assert one.id != other.id


def test_a_published_key_comes_back_as_it_is_and_writes_nothing(seeded, open_session):
    plan, session = lean_plan(customers=4), open_session()
    published = run_all(session, plan)
    before = seeded.value("SELECT count(*) FROM seed_control.checkpoint")
    again = run_all(open_session(), plan)
    assert (again.run.id, again.generation, again.dataset_hash) == (published.run.id, None, published.dataset_hash)
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") == before
    assert seeded.value("SELECT generation FROM seed_control.dataset") == 1


def test_a_request_joins_a_stopped_seed_run_and_both_keys_lead_to_it(open_session):
    plan, session = lean_plan(customers=4), open_session()
    run = stopped(session, plan)
    joined = begun(session, plan, key="second", may_join=True)
    assert joined.id == run.id
    for key in ("first", "second"):
        assert runs.find_by_key(session.connection, environment="dev", tenant="acme", key=key).id == run.id


def test_a_request_that_may_not_join_gets_a_seed_run_of_its_own(open_session):
    plan, session = lean_plan(customers=4), open_session()
    run = stopped(session, plan)
    assert begun(session, plan, key="second").id != run.id


def test_nobody_joins_a_seed_run_at_work(seeded, open_session):
    plan, session = lean_plan(customers=4), open_session()
    begun(session, plan)
    with pytest.raises(LeaseHeldElsewhere):
        begun(open_session(), plan, key="second", may_join=True)
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1


@pytest.mark.parametrize("why", ["ended", "cancel asked for", "another manifest", "another generator"])
def test_nobody_joins_a_seed_run_that_is_not_the_same_or_cannot_go_on(seeded, open_session, why):
    plan, session = lean_plan(customers=4), open_session()
    run = stopped(session, plan)
    request = request_for(session, "second", may_join=True)
    if why == "ended":
        flow.cancel(session.connection, run.id)
    elif why == "cancel asked for":
        runs.request_cancel(session.connection, run.id)
    elif why == "another manifest":
        plan = lean_plan(customers=5, version="1.1.0")
    else:
        request = replace(request, generator_version="2.0.0")
    assert flow.begin(session, plan, request).id == request.seed_run_id


def test_a_seed_run_is_not_gone_on_with_by_another_generator(open_session):
    plan, session = lean_plan(customers=4), open_session()
    run = stopped(session, plan)
    with pytest.raises(GeneratorChanged):
        flow.begin(session, plan, replace(request_for(session), generator_version="2.0.0"))
    assert runs.find(session.connection, run.id).state is RunState.FAILED


def test_a_seed_run_is_not_gone_on_with_under_another_masking_key(open_session):
    plan = lean_plan(customers=4)
    stopped(open_session(), plan)
    with pytest.raises(MaskKeyDiverged):
        begun(open_session(secret=b"other key of thirty-two bytes...."[:32]), plan)


def test_a_cancelled_key_is_refused_for_good(seeded, open_session):
    plan, session = lean_plan(customers=4), open_session()
    run = stopped(session, plan)
    flow.cancel(session.connection, run.id)
    with pytest.raises(SeedRunEnded):
        begun(session, plan)
    with pytest.raises((SeedRunEnded, SeedRunCancelled)):
        load_all(session, plan, run)
    assert state_of(seeded, run) == "cancelled"


def test_a_refused_request_leaves_no_seed_run_behind(seeded, open_session):
    begun(open_session(), lean_plan(customers=4))
    with pytest.raises(LeaseHeldElsewhere):
        begun(open_session(), lean_plan(customers=5, version="1.1.0"), key="second")
    assert seeded.value("SELECT count(*) FROM seed_control.idempotency_key") == 1


def test_a_new_seed_run_ends_the_stopped_ones_and_drops_what_they_built(seeded, open_session):
    first, second = lean_plan(customers=4), lean_plan(customers=5, version="1.1.0")
    session = open_session()
    left = begun(session, first)
    load_all(session, first, left)
    runs.leave_shard(session.connection, left.id, worker=session.worker, state=RunState.FAILED, code="t", detail="t")
    run_all(session, second, key="second")
    assert state_of(seeded, left) == "aborted"
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0


def test_a_claim_alone_holds_no_lease(seeded, open_session):
    claimed(open_session(), lean_plan(customers=4))
    assert seeded.value("SELECT count(*) FROM seed_control.lease") == 0


def one_shard_in(session, plan):
    """A seed run of two shards that holds its lease; the first shard is done."""
    run = begun(session, plan, key="run:1", may_join=True)
    load_all(session, plan, run, shards=["0000"])
    assert flow.publish(session, plan, run, shard="0000") is None
    return run


def test_two_shards_that_are_launched_one_by_one_are_one_seed_run_though_its_lease_is_live(seeded, open_session):
    plan, first, second = lean_plan(customers=40, shards=2), open_session(), open_session()
    run = one_shard_in(first, plan)
    fence = "SELECT fence FROM seed_control.lease WHERE lease_until > clock_timestamp()"
    before = seeded.value(fence)
    joined = begun(second, plan, key="run:2", may_join=True)
    assert (joined.id, seeded.value(fence)) == (run.id, before)
    load_all(second, plan, joined, shards=["0001"])
    assert flow.publish(second, plan, joined, shard="0001").generation == 1
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1


@pytest.mark.parametrize("at_work", ["before its first shard", "in a shard", "in its second shard"])
def test_a_seed_run_that_somebody_works_on_is_not_joined(open_session, at_work):
    plan, first, second = lean_plan(customers=40, shards=2), open_session(), open_session()
    if at_work == "in its second shard":
        held_shard(first, plan, one_shard_in(first, plan), shard="0001")
    else:
        run = begun(first, plan, key="run:1", may_join=True)
        if at_work == "in a shard":
            held_shard(first, plan, run)
    with pytest.raises(LeaseHeldElsewhere):
        begun(second, plan, key="run:2", may_join=True)


def test_another_manifest_does_not_join_between_two_shards(open_session):
    first, second = open_session(), open_session()
    one_shard_in(first, lean_plan(customers=40, shards=2))
    with pytest.raises(LeaseHeldElsewhere):
        begun(second, lean_plan(customers=40, shards=2, version="1.1.0"), key="run:2", may_join=True)

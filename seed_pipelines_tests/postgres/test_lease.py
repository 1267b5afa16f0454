"""The lease, its fence and the environment's slots, with real connections against each other."""

import time

import pytest
from seed_runs import (
    Worker,
    begun,
    claimed,
    first_batch,
    held_shard,
    lean_plan,
    wait_until,
    waits_for_a_lock,
    with_manifest,
    write_rows,
)

from seed_pipelines import flow
from seed_pipelines.control import lease, runs
from seed_pipelines.errors import DatabaseUnavailable, EnvironmentFull, LeaseHeldElsewhere, LeaseLost
from seed_pipelines.load import publish as publishing
from seed_pipelines.manifest.model import RateLimit
from seed_pipelines.outside.postgres import transaction
from seed_pipelines.sql import query

# In environment prod the two have one hashtext, so their lock names collide.
COLLIDING = ("gwfi", "smev")


@pytest.fixture
def pair(open_session):
    """Two seed runs of one tenant, each with a session of its own; neither holds the lease."""
    plan = lean_plan(customers=4)
    first, second = open_session(), open_session()
    return (first, claimed(first, plan, key="first")), (second, claimed(second, plan, key="second"))


def lease_row(seeded):
    with seeded.superuser() as connection:
        return connection.execute("SELECT holder, fence, lease_until FROM seed_control.lease").fetchone()


def expire(seeded):
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET lease_until = clock_timestamp() - interval '1 ms'")
        connection.execute("UPDATE seed_control.env_slot SET held_until = clock_timestamp() - interval '1 ms'")


def test_a_held_lease_is_refused_with_its_holder_and_its_end(seeded, pair):
    (first, holder), (second, other) = pair
    lease.ensure(first.connection, holder)
    with pytest.raises(LeaseHeldElsewhere) as refused:
        lease.ensure(second.connection, other)
    row = lease_row(seeded)
    assert (refused.value.holder, refused.value.until) == (str(holder.id), row["lease_until"])
    assert str(holder.id) in str(refused.value)
    assert f"{row['lease_until']:%H:%M:%S}" in str(refused.value)


def test_a_held_lease_is_refused_at_once_though_a_batch_is_in_flight(open_session):
    plan = lean_plan(customers=4)
    first, second = open_session(), open_session()
    run = begun(first, plan)
    held, attempt = held_shard(first, plan, run)
    with transaction(first.connection):
        lease.guard(first.connection, held, shard="0000", attempt=attempt)
        started = time.monotonic()
        with pytest.raises(LeaseHeldElsewhere):
            begun(second, plan, key="second")
        assert time.monotonic() - started < 2


def test_a_lease_changes_hands_only_after_its_end(pair):
    (first, holder), (second, other) = pair
    lease.ensure(first.connection, holder, ttl_seconds=0.5)
    with pytest.raises(LeaseHeldElsewhere):
        lease.ensure(second.connection, other)
    time.sleep(0.6)
    assert lease.ensure(second.connection, other).fence == 2


def test_the_fence_grows_with_every_change_of_holder_and_with_nothing_else(seeded, pair):
    (first, holder), (second, other) = pair
    assert [lease.ensure(first.connection, holder).fence for _ in range(3)] == [1, 1, 1]
    lease.release(first.connection, holder)
    assert lease.ensure(first.connection, holder).fence == 1
    expire(seeded)
    assert lease.ensure(second.connection, other).fence == 2
    expire(seeded)
    assert lease.ensure(first.connection, holder).fence == 3


def test_a_released_lease_keeps_its_fence(seeded, pair):
    (first, holder), (second, other) = pair
    lease.ensure(first.connection, holder)
    lease.release(first.connection, holder)
    assert lease_row(seeded)["fence"] == 1
    assert lease.holder_of(first.connection, holder) is None
    assert lease.ensure(second.connection, other).fence == 2


def test_a_release_by_another_takes_nothing_away(pair):
    (first, holder), (second, other) = pair
    lease.ensure(first.connection, holder)
    lease.release(second.connection, other)
    assert lease.holder_of(second.connection, other) == holder.id


def test_shards_of_one_seed_run_do_not_wait_for_each_others_batches(open_session):
    plan = lean_plan(customers=40, shards=2, batch_rows=20)
    first, second = open_session(), open_session()
    run = begun(first, plan)
    for entity in plan.rows:
        flow.load_entity(first, plan, run, shard="0000", entity=entity)
    held, attempt = held_shard(first, plan, run)
    with transaction(first.connection):
        lease.guard(first.connection, held, shard="0000", attempt=attempt)
        begun(second, plan)
        worker = Worker(lambda: flow.load_entity(second, plan, run, shard="0001", entity="customers"))
        assert worker.result(timeout=4).rows == 20
        lease.renew(first.connection, held)


def test_a_takeover_waits_for_the_batch_in_flight_which_then_cannot_commit(seeded, open_session):
    plan = lean_plan(customers=4)
    first, second = open_session(lease_seconds=0.6), open_session()
    run = begun(first, plan)
    held, attempt = held_shard(first, plan, run)
    publishing.open_build(first.connection, held, "tenants")
    taker = []

    def sleep_in_a_batch():
        with transaction(first.connection):
            lease.guard(first.connection, held, shard="0000", attempt=attempt)
            write_rows(first, plan, held, first_batch(plan), attempt=attempt)
            time.sleep(0.7)
            taker.append(Worker(lambda: begun(second, plan, key="second")))
            wait_until(lambda: waits_for_a_lock(seeded, second), what="the taker waits")
            lease.renew(first.connection, held)

    with pytest.raises(LeaseLost):
        sleep_in_a_batch()
    assert taker[0].result().id == lease_row(seeded)["holder"]
    assert lease_row(seeded)["fence"] == held.fence + 1
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") == 0


def test_a_taker_gives_up_waiting_and_may_try_again(open_session):
    plan = lean_plan(customers=4)
    first, second = open_session(lease_seconds=0.3), open_session()
    held, attempt = held_shard(first, plan, begun(first, plan))
    second.connection.execute("SET lock_timeout = '200ms'")
    with transaction(first.connection):
        lease.guard(first.connection, held, shard="0000", attempt=attempt)
        time.sleep(0.4)
        with pytest.raises(DatabaseUnavailable) as busy:
            begun(second, plan, key="second")
        assert busy.value.retryable
    assert begun(second, plan, key="second").state == "running"


def test_a_batch_is_refused_once_the_lease_has_run_out(open_session):
    plan = lean_plan(customers=4)
    session = open_session(lease_seconds=0.2)
    held, attempt = held_shard(session, plan, begun(session, plan))
    time.sleep(0.3)
    with pytest.raises(LeaseLost), transaction(session.connection):
        lease.guard(session.connection, held, shard="0000", attempt=attempt)


def test_an_old_fence_writes_nothing_though_its_seed_run_holds_the_lease_again(seeded, open_session):
    plan = lean_plan(customers=4)
    first, second = open_session(), open_session()
    run = begun(first, plan)
    other = claimed(second, plan, key="second")
    held, attempt = held_shard(first, plan, run)
    expire(seeded)
    lease.ensure(second.connection, other)
    expire(seeded)
    assert lease.ensure(first.connection, run).fence == held.fence + 2
    with pytest.raises(LeaseLost), transaction(first.connection):
        lease.guard(first.connection, held, shard="0000", attempt=attempt)


@pytest.mark.parametrize("statement", ["open_build", "seal", "publish"])
def test_nothing_of_the_build_is_done_with_an_old_fence(seeded, open_session, statement):
    plan = lean_plan(customers=4)
    session = open_session()
    run = begun(session, plan)
    held = lease.ensure(session.connection, run)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET fence = fence + 1")
    acts = {
        "open_build": lambda: publishing.open_build(session.connection, held, "tenants"),
        "seal": lambda: publishing.seal(session.connection, held, "tenants"),
        "publish": lambda: publishing.publish(session.connection, run, held, dataset_hash="0", ttl_days=1),
    }
    with pytest.raises(LeaseLost):
        acts[statement]()


def test_a_long_wait_for_the_rate_limit_does_not_cost_the_lease(open_session):
    rate = RateLimit(limit=1, window_seconds=1, burst=1)
    plan = with_manifest(lean_plan(customers=4), rate_limit=rate)
    session = open_session(lease_seconds=0.6)
    run = begun(session, plan)
    for entity in ("tenants", "customers"):
        loaded = flow.load_entity(session, plan, run, shard="0000", entity=entity)
        assert loaded.rows == plan.rows[entity]


def test_a_seal_that_takes_longer_than_the_lease_keeps_lease_and_slot_all_the_while(seeded, open_session):
    plan, first, second = lean_plan(customers=4), open_session(lease_seconds=0.6), open_session()
    run = begun(first, plan)
    held, attempt = held_shard(first, plan, run)
    publishing.open_build(first.connection, held, "tenants")
    with transaction(first.connection):
        write_rows(first, plan, held, first_batch(plan), attempt=attempt)
    with seeded.superuser() as connection, connection.transaction():
        # The engine waits for this row in the middle of a seal.
        connection.execute("SELECT FROM seed_control.build_table FOR UPDATE")
        worker = Worker(lambda: flow.load_entity(first, plan, run, shard="0000", entity="tenants"))
        wait_until(lambda: waits_for_a_lock(seeded, first), what="the seal waits")
        time.sleep(1.5)
        with pytest.raises(LeaseHeldElsewhere):
            begun(second, plan, key="second")
        assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE held_until > clock_timestamp()") == 1
    assert worker.result().sealed


def test_nothing_is_renewed_once_the_long_statement_has_ended(seeded, open_session):
    session = open_session(lease_seconds=0.3)
    held, _ = held_shard(session, lean_plan(customers=4), begun(session, lean_plan(customers=4)))
    with lease.kept(session.connection, held, ttl_seconds=0.3):
        time.sleep(0.5)
    time.sleep(0.4)
    assert seeded.value("SELECT lease_until < clock_timestamp() FROM seed_control.lease") is True


def test_tenants_whose_lock_names_collide_write_at_the_same_time(seeded, open_session):
    plans = [lean_plan(customers=4, tenant=tenant, environment="prod") for tenant in COLLIDING]
    sessions = [open_session(environment="prod", tenant=tenant) for tenant in COLLIDING]
    hashes = seeded.value(
        "SELECT array_agg(hashtext('seed_data:' || tenant || ':prod')) FROM unnest(%(names)s::text[]) AS tenant",
        names=list(COLLIDING),
    )
    assert hashes[0] == hashes[1]
    run = begun(sessions[0], plans[0])
    held, attempt = held_shard(sessions[0], plans[0], run)
    with transaction(sessions[0].connection):
        lease.guard(sessions[0].connection, held, shard="0000", attempt=attempt)
        other = begun(sessions[1], plans[1])
        loaded = flow.load_entity(sessions[1], plans[1], other, shard="0000", entity="tenants")
        assert loaded.rows == 1
    assert seeded.value("SELECT count(*) FROM seed_control.lease WHERE lease_until > clock_timestamp()") == 2


def test_a_colliding_lock_name_is_waited_for_and_never_a_refusal(seeded, open_session):
    plans = [lean_plan(customers=4, tenant=tenant, environment="prod") for tenant in COLLIDING]
    sessions = [open_session(environment="prod", tenant=tenant) for tenant in COLLIDING]
    with transaction(sessions[0].connection):
        sessions[0].connection.execute(query("lease_lock_key"), {"tenant": COLLIDING[0], "environment": "prod"})
        waiting = Worker(lambda: begun(sessions[1], plans[1]))
        wait_until(lambda: waits_for_a_lock(seeded, sessions[1]), what="the other tenant waits")
    assert waiting.result().tenant == COLLIDING[1]


def test_exactly_two_of_eight_seed_runs_get_a_slot_of_the_environment(seeded, open_session):
    plans = [lean_plan(customers=4, tenant=f"tenant-{number}") for number in range(8)]
    sessions = [open_session(tenant=plan.manifest.metadata.tenant) for plan in plans]
    claims = [claimed(session, plan) for session, plan in zip(sessions, plans, strict=True)]

    def attempt(session, run):
        try:
            return lease.ensure(session.connection, run)
        except EnvironmentFull as full:
            return full

    workers = [Worker(lambda s=s, r=r: attempt(s, r)) for s, r in zip(sessions, claims, strict=True)]
    answers = [worker.result() for worker in workers]
    holders = {str(answer.holder) for answer in answers if isinstance(answer, lease.Lease)}
    assert len(holders) == 2
    refusals = [answer for answer in answers if isinstance(answer, EnvironmentFull)]
    assert [set(refusal.holders) for refusal in refusals] == [holders] * 6
    assert seeded.value("SELECT count(*) FROM seed_control.lease") == 2


def test_a_seed_run_holds_one_slot_however_often_it_asks(seeded, pair):
    (first, holder), _ = pair
    for _ in range(3):
        lease.ensure(first.connection, holder)
    assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE holder IS NOT NULL") == 1


def test_an_expired_slot_is_used_again(seeded, open_session):
    plans = [lean_plan(customers=4, tenant=f"tenant-{number}") for number in range(3)]
    sessions = [open_session(tenant=plan.manifest.metadata.tenant) for plan in plans]
    claims = [claimed(session, plan) for session, plan in zip(sessions, plans, strict=True)]
    for session, run in zip(sessions[:2], claims[:2], strict=True):
        lease.ensure(session.connection, run)
    with pytest.raises(EnvironmentFull):
        lease.ensure(sessions[2].connection, claims[2])
    expire(seeded)
    assert lease.ensure(sessions[2].connection, claims[2]).fence == 1
    assert lease.ensure(sessions[1].connection, claims[1])
    with pytest.raises(EnvironmentFull):
        lease.ensure(sessions[0].connection, claims[0])


def test_other_environments_have_slots_of_their_own(open_session):
    for environment in ("dev", "staging", "prod"):
        for tenant in ("acme", "globex"):
            session = open_session(environment=environment, tenant=tenant)
            assert begun(session, lean_plan(customers=4, environment=environment, tenant=tenant)).state == "running"


def test_every_batch_renews_lease_and_slot(seeded, open_session):
    plan = lean_plan(customers=4)
    session = open_session(lease_seconds=30)
    run = begun(session, plan)
    held, attempt = held_shard(session, plan, run)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.lease SET lease_until = clock_timestamp() + interval '2 s'")
        connection.execute("UPDATE seed_control.env_slot SET held_until = clock_timestamp() + interval '2 s'")
    with transaction(session.connection):
        lease.guard(session.connection, held, shard="0000", attempt=attempt)
        lease.renew(session.connection, held, ttl_seconds=30)
    for statement in (
        "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM seed_control.lease",
        "SELECT extract(epoch FROM held_until - clock_timestamp()) FROM seed_control.env_slot WHERE holder IS NOT NULL",
    ):
        assert 20 < seeded.value(statement) <= 30


def test_a_seed_run_that_ended_cannot_take_the_lease_again(seeded, open_session):
    plan = lean_plan(customers=4)
    session = open_session()
    run = begun(session, plan)
    runs.end(session.connection, run.id, runs.RunState.ABORTED, code="test", detail="test")
    with pytest.raises(flow.SeedRunEnded):
        flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    assert lease.holder_of(session.connection, run) is None

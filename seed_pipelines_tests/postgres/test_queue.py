"""The queue on a real PostgreSQL: in order, without locks, for five minutes at most, and with a line for each wait."""

import json
import time
from contextlib import contextmanager
from datetime import UTC, timedelta
from threading import Thread

import pytest
from factories import make_plan
from seed_runs import with_manifest
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.cli import show
from seed_pipelines.control import lease, queue, runs
from seed_pipelines.errors import (
    DatabaseRefused,
    EnvironmentFull,
    LeaseHeldElsewhere,
    OutsideWindow,
    QueuedBehind,
    QueueExpired,
    SeedRunCancelled,
    WindowNotIgnorable,
)
from seed_pipelines.manifest.window import Window
from seed_pipelines.orchestration.turn import begin_in_turn
from seed_pipelines.outside.postgres import translated


def plan_for(tenant):
    return make_plan(customers=10, tenant=tenant)


def begun(open_session, tenant, key="first"):
    session = open_session(tenant=tenant)
    return session, flow.begin(session, plan_for(tenant), request_for(session, key))


def whose(tenant, key="waits", waiter="somebody"):
    return {"environment": "dev", "tenant": tenant, "idempotency_key": key, "waiter": waiter}


@contextmanager
def waits_in_thread(open_session, tenant, *, key="waits", ttl_seconds=30.0):
    """Somebody who waits for a turn until the block ends; the list is filled with what came of it."""
    session, came = open_session(tenant=tenant, sleep=lambda seconds: time.sleep(seconds / 20)), []

    def wait():
        try:
            request = request_for(session, key)
            came.append(begin_in_turn(session, plan_for(tenant), request, waits=True, ttl_seconds=ttl_seconds))
        except Exception as error:
            came.append(error)

    thread = Thread(target=wait)
    thread.start()
    yield came
    thread.join(timeout=60)
    assert not thread.is_alive()


def interrupt(_seconds):
    raise KeyboardInterrupt


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_seed_run_that_may_not_wait_is_refused_at_once(seeded, open_session):
    begun(open_session, "acme")
    session = open_session()
    with pytest.raises(LeaseHeldElsewhere):
        begin_in_turn(session, plan_for("acme"), request_for(session, "other"), waits=False)
    assert queue.recent(session.connection) == []


def test_a_busy_tenant_is_waited_for_and_the_wait_leaves_a_line(seeded, open_session):
    session, first = begun(open_session, "acme")
    with waits_in_thread(open_session, "acme") as came:
        until(lambda: queue.recent(session.connection))
        assert seeded.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        flow.cancel(session.connection, first.id)
        lease.release(session.connection, first)
    (wait,) = queue.recent(session.connection)
    assert (wait.tenant, wait.reason, wait.outcome) == ("acme", "lease-held-elsewhere", "started")
    assert wait.seed_run_id == came[0].id
    assert wait.waited_seconds > 0


def test_a_full_environment_is_waited_for_in_order_and_nobody_jumps_the_queue(seeded, open_session):
    (session, first), _ = begun(open_session, "one"), begun(open_session, "two")
    with waits_in_thread(open_session, "three") as came:
        until(lambda: queue.recent(session.connection))
        late = open_session(tenant="four")
        with pytest.raises(EnvironmentFull):
            flow.begin(late, plan_for("four"), request_for(late))
        with late.connection.transaction(force_rollback=True):
            late.connection.execute("UPDATE seed_control.env_slot SET held_until = '-infinity' WHERE slot = 1")
            with pytest.raises(QueuedBehind, match="1 seed runs wait before it"):
                flow.begin(late, plan_for("four"), request_for(late))
        lease.release(session.connection, first)
    assert came[0].tenant == "three"


def test_who_waits_until_the_window_is_closed_is_refused_and_holds_nothing(seeded, open_session, monkeypatch):
    session, first = begun(open_session, "acme")
    now = seeded.value("SELECT clock_timestamp()").astimezone(UTC)

    def two_hours_later(_seconds):
        lease.release(session.connection, first)
        monkeypatch.setattr(runs, "database_now", lambda _connection: now + timedelta(hours=2))

    late, hour = open_session(sleep=two_hours_later), timedelta(hours=1)
    plan = with_manifest(plan_for("acme"), window=Window(start=(now - hour).time(), end=(now + hour).time()))
    with pytest.raises(OutsideWindow):
        begin_in_turn(late, plan, request_for(late, "late", ignore_window=False), waits=True)
    (wait,) = queue.recent(session.connection)
    assert (wait.outcome, wait.error_code) == ("refused", "outside-window")
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1


def test_a_wait_is_five_minutes_long_at_most(seeded, open_session):
    begun(open_session, "acme")
    session = open_session(sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        begin_in_turn(session, plan_for("acme"), request_for(session, "other"), waits=True)
    assert seeded.value("SELECT round(extract(epoch FROM expires_at - queued_at)) FROM seed_control.queue_entry") == 300


def test_one_whose_tenant_is_busy_keeps_no_other_back(seeded, open_session):
    session, _ = begun(open_session, "acme")
    with queue.waiting(session.connection, whose("acme"), reason="lease-held-elsewhere", ttl_seconds=60):
        other, run = begun(open_session, "globex")
        assert lease.holder_of(other.connection, run) == run.id


def test_a_wait_ends_after_its_time_and_says_so(seeded, open_session):
    session, _ = begun(open_session, "acme")
    with waits_in_thread(open_session, "acme", ttl_seconds=0.3) as came:
        pass
    assert isinstance(came[0], QueueExpired)
    assert [wait.outcome for wait in queue.recent(session.connection)] == ["expired"]


@pytest.mark.parametrize(
    ("death", "outcome"),
    [
        ("seen_at = now() - interval '16 s'", "died"),
        ("seen_at = now() - interval '9 min', expires_at = now() - interval '5 min'", "died"),
        ("expires_at = now() - interval '1 s'", "expired"),
        ("seen_at = now() - interval '301 s', expires_at = now() - interval '300 s'", "expired"),
    ],
    ids=["silent", "silent before its time was over", "too old", "too old and not seen since"],
)
def test_a_dead_head_keeps_nobody_back_and_is_put_aside_by_the_next_look(seeded, open_session, death, outcome):
    session = open_session()
    with queue.waiting(session.connection, whose("dead"), reason="environment-full", ttl_seconds=60):
        with seeded.superuser() as connection:
            connection.execute(f"UPDATE seed_control.queue_entry SET {death}")
            connection.execute("INSERT INTO seed_control.env_slot VALUES ('dev', 1, NULL, '-infinity')")
        with queue.waiting(session.connection, whose("alive"), reason="environment-full", ttl_seconds=60) as place:
            assert queue.is_turn(session.connection, place)
    outcomes = {wait.tenant: wait.outcome for wait in queue.recent(session.connection)}
    assert outcomes == {"dead": outcome, "alive": "cancelled"}


def test_of_three_who_wait_two_have_a_turn_when_both_slots_are_free(seeded, open_session):
    session = open_session()
    with (
        queue.waiting(session.connection, whose("one"), reason="environment-full", ttl_seconds=60) as first,
        queue.waiting(session.connection, whose("two"), reason="environment-full", ttl_seconds=60) as second,
        queue.waiting(session.connection, whose("three"), reason="environment-full", ttl_seconds=60) as third,
    ):
        turns = [queue.is_turn(session.connection, place) for place in (third, second, first)]
    assert turns == [False, True, True]


@pytest.mark.parametrize(
    ("error", "outcome", "error_code"),
    [
        (WindowNotIgnorable("staging"), "refused", "window-not-ignorable"),
        (ValueError("a row"), "refused", "unexpected"),
        (SeedRunCancelled("a run"), "cancelled", None),
        (KeyboardInterrupt(), "cancelled", None),
    ],
    ids=["refused", "a fault of ours", "cancelled", "interrupted"],
)
def test_a_wait_says_what_ended_it(seeded, open_session, error, outcome, error_code):
    session = open_session()
    with (
        pytest.raises(type(error)),
        queue.waiting(session.connection, whose("acme"), reason="environment-full", ttl_seconds=60),
    ):
        raise error
    (wait,) = queue.recent(session.connection)
    assert (wait.outcome, wait.error_code) == (outcome, error_code)


def test_the_list_of_waits_says_which_error_refused_one(seeded, open_session, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    session = open_session()
    with pytest.raises(WindowNotIgnorable), queue.waiting(session.connection, whose("acme"), reason="x", ttl_seconds=9):
        raise WindowNotIgnorable("staging")
    found = queue.recent(session.connection)
    show.waits(found, as_json=False)
    assert "refused (window-not-ignorable)" in capsys.readouterr().out
    show.waits(found, as_json=True)
    assert json.loads(capsys.readouterr().out)["waits"][0]["error_code"] == "window-not-ignorable"


@pytest.mark.parametrize("outcome", ["'refused'", "'lost'"], ids=["without its error", "unknown"])
def test_the_database_knows_which_endings_there_are(seeded, open_session, outcome):
    session = open_session()
    with (
        queue.waiting(session.connection, whose("acme"), reason="environment-full", ttl_seconds=60),
        pytest.raises(DatabaseRefused),
        translated(),
    ):
        session.connection.execute(f"UPDATE seed_control.queue_entry SET outcome = {outcome}, ended_at = now()")

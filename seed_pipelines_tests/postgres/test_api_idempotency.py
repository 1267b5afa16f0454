"""Idempotency keys of the API: one request is done once, whoever sends it, how often, and whatever dies in between."""

import threading
from dataclasses import replace

import pytest
from seed_runs import Worker

from seed_pipelines.api import idempotency
from seed_pipelines.api.idempotency import Answer, Claim, RequestKey, fingerprint_of
from seed_pipelines.errors import HeaderNotUsable, RequestInFlight, RequestKeyReused
from seed_pipelines.outside.connections import ConnectionPool

KEY = RequestKey(environment="dev", tenant="acme", route="POST /seed-runs", key="the one")
SAID, SAID_OTHERWISE = fingerprint_of({"mode": "baseline"}), fingerprint_of({"mode": "carga"})
ANSWER = Answer(status=201, headers={"ETag": '"1"'}, body='{"seed_run_id":"1"}')


@pytest.fixture
def pool(seeded):
    pool = ConnectionPool(seeded.loader_url, most=8, application="test")
    yield pool
    pool.close()


def answered(pool, work, *, key=KEY, said=SAID):
    return idempotency.answered_once(pool, key, fingerprint=said, work=work)


def kept(pool):
    """Work that is done, and whose answer is kept."""

    def work(claim):
        with pool.lent() as connection:
            idempotency.keep(connection, claim, ANSWER)
        return ANSWER

    return work


def never(claim):
    raise AssertionError("this must not be done")


def test_of_eight_at_once_one_does_the_work_and_the_others_are_told_to_wait(pool):
    together, finish, done = threading.Barrier(8), threading.Event(), []

    def work(claim):
        done.append(claim)
        finish.wait(20)
        return kept(pool)(claim)

    def ask():
        together.wait()
        try:
            return answered(pool, work)
        except RequestInFlight:
            return None
        finally:
            refusals.release()

    refusals = threading.Semaphore(0)
    workers = [Worker(ask) for _ in range(8)]
    for _ in range(7):
        assert refusals.acquire(timeout=20)
    finish.set()
    answers = [worker.result() for worker in workers]
    assert answers.count(ANSWER) == 1
    assert answers.count(None) == 7
    assert len(done) == 1
    assert answered(pool, never) == ANSWER


def test_a_replay_is_the_same_answer(pool):
    first = answered(pool, kept(pool))
    again = answered(pool, never)
    assert (again.status, dict(again.headers), again.body) == (first.status, dict(first.headers), first.body)


@pytest.mark.parametrize("when", ["answered", "in flight"])
def test_the_same_key_with_another_request_is_refused(pool, when):
    if when == "answered":
        answered(pool, kept(pool))
    else:
        with pool.lent() as connection:
            idempotency.claim(connection, KEY, fingerprint=SAID)
    with pytest.raises(RequestKeyReused):
        answered(pool, never, said=SAID_OTHERWISE)


@pytest.mark.parametrize("other", [{"tenant": "globex"}, {"environment": "staging"}, {"route": "POST /cancel"}])
def test_another_tenant_environment_or_route_has_the_key_for_itself(pool, other):
    answered(pool, kept(pool))
    done = []
    answered(pool, lambda claim: done.append(claim) or kept(pool)(claim), key=replace(KEY, **other))
    assert len(done) == 1


def test_a_claim_whose_process_died_is_taken_over_when_its_time_is_over_and_not_before(seeded, pool):
    with pool.lent() as connection:
        dead = idempotency.claim(connection, KEY, fingerprint=SAID, ttl_seconds=30)
        with pytest.raises(RequestInFlight):
            idempotency.claim(connection, KEY, fingerprint=SAID)
        with seeded.superuser() as superuser:
            superuser.execute("UPDATE seed_control.api_request SET claimed_until = now() - interval '1 s'")
        with pytest.raises(RequestKeyReused):
            idempotency.claim(connection, KEY, fingerprint=SAID_OTHERWISE)
        assert answered(pool, kept(pool)) == ANSWER
        # It was only asleep: its answer comes too late.
        with pytest.raises(RequestInFlight):
            idempotency.keep(connection, dead, replace(ANSWER, body="{}"))
        assert idempotency.claim(connection, KEY, fingerprint=SAID) == ANSWER


def test_a_request_that_was_refused_leaves_its_key_free_for_another(pool):
    def refused(claim):
        raise HeaderNotUsable("X", why="is missing")

    with pytest.raises(HeaderNotUsable):
        answered(pool, refused)
    assert answered(pool, kept(pool), said=SAID_OTHERWISE) == ANSWER


def test_answers_are_forgotten_after_a_week(seeded, pool):
    answered(pool, kept(pool))
    with seeded.superuser() as superuser:
        superuser.execute("UPDATE seed_control.api_request SET answered_at = now() - interval '8 d'")
    with pool.lent() as connection:
        assert isinstance(idempotency.claim(connection, replace(KEY, key="other"), fingerprint=SAID), Claim)
    assert seeded.value("SELECT string_agg(key, ',') FROM seed_control.api_request") == "other"

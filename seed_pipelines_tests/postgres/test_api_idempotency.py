"""Idempotency keys of the API: one request is done once, whoever sends it, how often, and whatever dies in between."""

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from seed_runs import Worker

from seed_pipelines.api import idempotency, quota
from seed_pipelines.api.idempotency import Answer, RequestKey, fingerprint_of
from seed_pipelines.api.quota import QuotaPolicy
from seed_pipelines.api.service import Whose, show_tenant
from seed_pipelines.control import purge, roles
from seed_pipelines.errors import DatabaseRefused, HeaderNotUsable, RequestInFlight, RequestKeyReused
from seed_pipelines.outside.connections import ConnectionPool
from seed_pipelines.outside.postgres import transaction

KEY = RequestKey(environment="dev", tenant="acme", route="POST /seed-runs", key="the one")
SAID, SAID_OTHERWISE = fingerprint_of({"mode": "baseline"}), fingerprint_of({"mode": "carga"})
ANSWER = Answer(status=201, headers={"ETag": '"1"'}, body='{"seed_run_id":"1"}')


@pytest.fixture
def pool(seeded):
    pool = ConnectionPool(seeded.url(roles.API), most=8, application="test")
    yield pool
    pool.close()


@contextmanager
def viewed(pool, key=KEY):
    """As the API sees it: one tenant."""
    with pool.lent() as connection, transaction(connection):
        show_tenant(connection, Whose(tenant=key.tenant, environment=key.environment))
        yield connection


def answered(pool, work, *, key=KEY, said=SAID):
    return idempotency.answered_once(lambda: viewed(pool, key), key, fingerprint=said, work=work)


def kept(pool):
    """Work that is done, and whose answer is kept."""

    def work(claim):
        with viewed(pool, claim.request) as connection:
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
        with viewed(pool) as connection:
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
    with viewed(pool) as connection:
        dead = idempotency.claim(connection, KEY, fingerprint=SAID, ttl_seconds=30)
    with pytest.raises(RequestInFlight):
        answered(pool, never)
    with seeded.superuser() as superuser:
        superuser.execute("UPDATE seed_control.api_request SET claimed_until = now() - interval '1 s'")
    with pytest.raises(RequestKeyReused):
        answered(pool, never, said=SAID_OTHERWISE)
    assert answered(pool, kept(pool)) == ANSWER
    # It was only asleep: its answer comes too late.
    with viewed(pool) as connection, pytest.raises(RequestInFlight):
        idempotency.keep(connection, dead, replace(ANSWER, body="{}"))
    assert answered(pool, never) == ANSWER


def test_a_request_that_was_refused_leaves_its_key_free_for_another(pool):
    def refused(claim):
        raise HeaderNotUsable("X", why="is missing")

    with pytest.raises(HeaderNotUsable):
        answered(pool, refused)
    assert answered(pool, kept(pool), said=SAID_OTHERWISE) == ANSWER


GLOBEX = replace(KEY, tenant="globex")
STAGING = replace(KEY, environment="staging")


@pytest.mark.parametrize("seen", [GLOBEX, STAGING], ids=["another tenant", "another environment"])
def test_the_api_sees_the_requests_of_the_tenant_that_it_named_and_no_others(pool, seen):
    answered(pool, kept(pool))
    with pool.lent() as connection:
        assert connection.execute("SELECT FROM seed_control.api_request").rowcount == 0
    with viewed(pool, seen) as connection:
        assert connection.execute("SELECT FROM seed_control.api_request").rowcount == 0
        assert connection.execute("DELETE FROM seed_control.api_request").rowcount == 0
    with pytest.raises(DatabaseRefused, match="42501"), viewed(pool, seen) as connection:
        connection.execute(CLAIMED_FOR_ACME)
    assert answered(pool, never) == ANSWER


CLAIMED_FOR_ACME = """
    INSERT INTO seed_control.api_request (environment, tenant, route, key, fingerprint, claim, claimed_until)
    VALUES ('dev', 'acme', 'POST /x', 'y', repeat('0', 64), gen_random_uuid(), now())
"""


def test_what_a_release_before_this_one_claims_as_the_loader_is_seen_by_the_api(seeded, pool):
    with seeded.connection() as loader:
        held = idempotency.claim(loader, KEY, fingerprint=SAID)
        idempotency.keep(loader, held, ANSWER)
    assert answered(pool, never) == ANSWER


def test_the_purge_forgets_old_answers_and_dead_claims_of_every_tenant_and_whole_quotas(seeded, pool):
    for key in (KEY, GLOBEX, replace(KEY, key="young")):
        answered(pool, kept(pool), key=key)
    with viewed(pool) as connection:
        idempotency.claim(connection, replace(KEY, key="dead"), fingerprint=SAID)
    with pool.lent() as connection:
        for tenant in ("acme", "globex"):
            quota.take(connection, QuotaPolicy(name="caller", requests=5, window_seconds=60), caller="a", tenant=tenant)
    with seeded.superuser() as superuser:
        aged = "SET answered_at = answered_at - interval '8 d', claimed_until = claimed_until - interval '8 d'"
        superuser.execute(f"UPDATE seed_control.api_request {aged} WHERE key <> 'young'")
        late = "SET arrival_at = now() - interval '2 h' WHERE tenant = 'acme'"
        superuser.execute(f"UPDATE seed_control.api_rate_limit {late}")
    with seeded.connection() as loader:
        assert purge.purge_api_rows(loader) == 4
    assert seeded.value("SELECT string_agg(key, ',') FROM seed_control.api_request") == "young"
    assert seeded.value("SELECT string_agg(tenant, ',') FROM seed_control.api_rate_limit") == "globex"

"""How long a delivery takes where a store is silent, and that no chain keeps the others from their turn."""

import time

import pytest
from factories import make_plan
from report_factory import private_key
from seed_runs import begun, lean_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import outbox
from seed_pipelines.errors import DatabaseUnavailable, ReportNotStored, VaultUnavailable
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.evidence.signature import DevSigner
from seed_pipelines.outside.report_files import FileStore

HANGS_SECONDS = 0.3


class Hangs:
    """A store that takes the connection and never answers; `asked` is how often it was tried."""

    def __init__(self):
        self.asked = 0

    def put(self, key, body):
        self.asked += 1
        time.sleep(HANGS_SECONDS)
        raise ReportNotStored(key, why="S3 does not answer (ReadTimeoutError)", is_silent=True)


class RemoteSigner(DevSigner):
    """As a key in Vault would sign: other environments than dev take no other."""

    is_local = False


class Refuses(FileStore):
    """A store that refuses one tenant's reports."""

    def put(self, key, body):
        if "/acme/" in key:
            raise ReportNotStored(key, why="S3 answered AccessDenied")
        return super().put(key, body)


@pytest.fixture
def ended(open_session):
    """Cancelled seed runs of a tenant; their ids in the order in which they ended."""

    def end(number, *, tenant, environment="dev"):
        session = open_session(tenant=tenant, environment=environment)
        plan, found = make_plan(customers=20, tenant=tenant, environment=environment), []
        for key in range(number):
            run = flow.begin(session, plan, request_for(session, f"{tenant}-{key}"))
            flow.cancel(session.connection, run.id)
            found.append(run.id)
        return found

    return end


def deliver(seeded, store_of, *, signer_of=lambda _: RemoteSigner(private_key()), **wishes):
    with seeded.connection() as connection:
        return deliver_waiting(connection, store_of=store_of, signer_of=signer_of, **wishes)


def test_a_silent_store_is_asked_once_for_all_tenants_of_its_environment(seeded, ended, tmp_path):
    for tenant in ("acme", "globex", "initech"):
        ended(2, tenant=tenant)
    [elsewhere] = ended(1, tenant="acme", environment="staging")
    silent, answers = Hangs(), FileStore(tmp_path)
    delivered = deliver(seeded, lambda environment: silent if environment == "dev" else answers)
    assert silent.asked == 1
    assert [each.seed_run_id for each in delivered if each.error is None] == [elsewhere]


def test_a_silent_vault_is_asked_once_for_all_tenants_of_its_environment(seeded, ended, tmp_path):
    asked = []

    def signer_of(environment):
        asked.append(environment)
        raise VaultUnavailable("https://vault", doing="sign", why="does not answer")

    for tenant in ("acme", "globex"):
        ended(1, tenant=tenant)
    deliver(seeded, lambda _: FileStore(tmp_path), signer_of=signer_of)
    assert asked == ["dev"]


def test_no_report_is_begun_once_the_time_is_over(seeded, ended, tmp_path):
    ended(2, tenant="acme")
    assert deliver(seeded, lambda _: FileStore(tmp_path), seconds=0) == []
    assert len(deliver(seeded, lambda _: FileStore(tmp_path))) == 2


def test_the_long_chain_of_one_tenant_does_not_take_the_turns_of_another(seeded, ended, tmp_path):
    long, [other] = ended(4, tenant="acme"), ended(1, tenant="globex")
    first, second = deliver(seeded, lambda _: FileStore(tmp_path), limit=2)
    assert [first.seed_run_id, second.seed_run_id] == [long[0], other]


def test_a_chain_that_is_refused_is_tried_once_and_the_others_are_written_whole(seeded, ended, tmp_path):
    blocked, others = ended(3, tenant="acme"), ended(3, tenant="globex")
    delivered = deliver(seeded, lambda _: Refuses(tmp_path))
    assert [each.seed_run_id for each in delivered if each.error is not None] == blocked[:1]
    assert [each.seed_run_id for each in delivered if each.error is None] == others


def test_a_seed_run_that_failed_and_is_left_is_overdue_until_it_is_gone_on_with(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    flow.leave(session.connection, run.id, worker=session.worker, error=DatabaseUnavailable("57P01"))
    with seeded.connection() as connection:
        assert outbox.overdue(connection) == []
        (late,) = outbox.overdue(connection, seconds=0)
    assert (late.seed_run_id, late.has_failed) == (run.id, True)
    begun(session, plan)
    with seeded.connection() as connection:
        assert outbox.overdue(connection, seconds=0) == []

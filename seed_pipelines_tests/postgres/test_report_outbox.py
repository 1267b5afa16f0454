"""Reports on their way from the outbox into the store: one chain, in the order in which seed runs ended, and an alert
where one is late."""

import contextlib
import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest
from factories import make_plan
from report_factory import make_public_pem, make_signer
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import outbox
from seed_pipelines.errors import EarlierReportWaits, ReportNotStored, Unexpected
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.evidence.verify import payload_of, verify_chain, verify_envelope
from seed_pipelines.orchestration.report_sensor import report_sensor
from seed_pipelines.outside.report_files import FileStore
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment


class NoStore:
    """A store that keeps nothing."""

    def put(self, key, body):
        raise ReportNotStored(key, why="the store is away")


@pytest.fixture
def ended(open_session):
    """Seed runs that ended one after the other, each cancelled; their ids in that order."""

    def end(number, *, tenant="acme"):
        found = []
        for key in range(number):
            session, plan = open_session(tenant=tenant), make_plan(customers=20, tenant=tenant)
            run = flow.begin(session, plan, request_for(session, f"{tenant}-{key}"))
            flow.cancel(session.connection, run.id)
            found.append(run.id)
        return found

    return end


def deliver(seeded, store, *, limit=100):
    signer = make_signer()
    with seeded.connection() as connection:
        return deliver_waiting(
            connection,
            store_of=lambda _: store,
            signer_of=lambda _: signer,
            limit=limit,
        )


def chain(seeded, store, ids):
    """The bytes of the reports of these runs, in their order."""
    with seeded.connection() as connection:
        return [store.get(outbox.place_of(connection, seed_run_id).uri) for seed_run_id in ids]


def test_reports_are_one_chain_in_the_order_in_which_runs_ended(seeded, ended, tmp_path):
    ids, store = ended(4), FileStore(tmp_path)
    assert [delivery.error for delivery in deliver(seeded, store)] == [None] * 4
    reports = chain(seeded, store, ids)
    assert verify_chain(reports).ok
    assert all(verify_envelope(report, public_key_pem=make_public_pem()).ok for report in reports)


def test_the_chain_is_listed_in_its_order_with_what_waits(seeded, ended, tmp_path):
    ids = ended(3)
    deliver(seeded, FileStore(tmp_path), limit=1)
    with seeded.connection() as connection:
        chain = outbox.chain_of(connection, environment="dev", tenant="acme")
    assert [report.seed_run_id for report in chain] == ids
    assert [report.uri is None for report in chain] == [False, True, True]


def test_a_report_never_overtakes_the_one_before_it(seeded, ended, tmp_path):
    first, second = ended(2)
    away = deliver(seeded, NoStore())
    assert [(delivery.seed_run_id, type(delivery.error)) for delivery in away] == [(first, ReportNotStored)]
    store = FileStore(tmp_path)
    assert [delivery.error for delivery in deliver(seeded, store)] == [None, None]
    assert verify_chain(chain(seeded, store, [first, second])).ok


def test_another_tenants_report_does_not_wait(seeded, ended, tmp_path):
    [blocked], [other] = ended(1), ended(1, tenant="globex")
    store = FileStore(tmp_path)

    class OneTenantAway(FileStore):
        def put(self, key, body):
            return NoStore().put(key, body) if "/acme/" in key else super().put(key, body)

    delivered = {delivery.seed_run_id: delivery.error for delivery in deliver(seeded, OneTenantAway(tmp_path))}
    assert type(delivered[blocked]) is ReportNotStored
    assert delivered[other] is None
    assert payload_of(chain(seeded, store, [other])[0])["previous_report_hash"] is None


def test_a_fault_of_our_own_in_one_report_does_not_keep_the_others_and_tells_no_text(seeded, ended, tmp_path):
    [broken], [other] = ended(1), ended(1, tenant="globex")

    class OneTenantBroken(FileStore):
        def put(self, key, body):
            if "/acme/" in key:
                raise ZeroDivisionError("customer 529.982.247-25 has no income")
            return super().put(key, body)

    delivered = {delivery.seed_run_id: delivery for delivery in deliver(seeded, OneTenantBroken(tmp_path))}
    assert delivered[other].error is None
    assert (type(delivered[broken].error), delivered[broken].environment) == (Unexpected, "dev")
    assert "529" not in str(delivered[broken].error)
    assert "ZeroDivisionError" in str(delivered[broken].error)
    assert [delivery.error for delivery in deliver(seeded, FileStore(tmp_path))] == [None]


def test_two_writers_at_once_write_each_report_once_and_one_chain(seeded, ended, tmp_path):
    ids, store = ended(6), FileStore(tmp_path)
    with ThreadPoolExecutor(max_workers=3) as writers:
        results = [writers.submit(deliver, seeded, store) for _ in range(3)]
        errors = [delivery.error for result in results for delivery in result.result() if delivery.error is not None]
    assert [error for error in errors if not isinstance(error, EarlierReportWaits)] == []
    deliver(seeded, store)
    reports = chain(seeded, store, ids)
    assert verify_chain(reports).ok
    assert len(list(tmp_path.rglob("*.json"))) == 6
    with seeded.connection() as connection:
        kept = [outbox.place_of(connection, seed_run_id).sha256 for seed_run_id in ids]
    assert kept == [hashlib.sha256(report).hexdigest() for report in reports]


@pytest.mark.parametrize(("minutes", "is_late"), [(14, False), (16, True)])
def test_a_report_that_waits_for_longer_than_fifteen_minutes_is_overdue(seeded, ended, minutes, is_late):
    [seed_run_id] = ended(1)
    age(seeded, minutes)
    with seeded.connection() as connection:
        late = outbox.overdue(connection)
    assert [report.seed_run_id for report in late] == ([seed_run_id] if is_late else [])


def test_the_sensor_raises_an_alert_until_the_report_is_written(seeded, ended, tmp_path, monkeypatch, caplog):
    [seed_run_id] = ended(1)
    age(seeded, 16)
    (tmp_path / "blocked").write_text("a file where the folder has to be")
    tick(seeded, tmp_path, f"file://{tmp_path}/blocked", caplog)
    assert f"REPORT OVERDUE: seed run {seed_run_id} of dev/acme is without its verified report since" in caplog.text
    # Dagster ends a tick that takes too long: an alert that came last might never come.
    assert caplog.text.index("REPORT OVERDUE") < caplog.text.index("waits: cannot keep the report")
    told = "".join(path.read_text() for path in (tmp_path / "home/telemetry").iterdir())
    assert "seed_reports_overdue" in told
    assert "seed_report_errors" in told
    caplog.clear()
    tick(seeded, tmp_path, f"file://{tmp_path}/reports", caplog)
    assert len(list((tmp_path / "reports").rglob("*.json"))) == 1
    caplog.clear()
    tick(seeded, tmp_path, f"file://{tmp_path}/reports", caplog)
    assert "OVERDUE" not in caplog.text


def tick(seeded, tmp_path, store, caplog):
    """One tick of the sensor, whether it fails or not."""
    settings = {
        "SEED_HOME": str(tmp_path / "home"),
        "SEED_MANIFESTS_DIR": str(tmp_path),
        "SEED_DATABASE_URL": seeded.loader_url,
        "SEED_WORM_URL": store,
    }
    sensor = report_sensor(Installation.of(from_environment(settings)))
    with caplog.at_level(logging.INFO), dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        context.log.addHandler(caplog.handler)
        with contextlib.suppress(dg.Failure):
            sensor(context)


def age(seeded, minutes):
    with seeded.superuser() as connection:
        connection.execute(
            "UPDATE seed_control.report_outbox SET queued_at = clock_timestamp() - make_interval(mins => %s)",
            (minutes,),
        )

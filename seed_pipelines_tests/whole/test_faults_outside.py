"""Vault, the write-once store and the OTLP receiver fail, before a run and in the middle of it, and come back.

Whatever happens: refused or resumed, the same rows at the end, and nothing is published without evidence.
"""

import json

import pytest
from faulty_proxy import answer
from staging_worker import SHARD, Worker

from seed_pipelines.control import data_keys
from seed_pipelines.errors import (
    ReportNotStored,
    ReportStoreNotReady,
    ReportStoreUnreachable,
    TelemetryIncomplete,
    TelemetryUnavailable,
    TelemetryUnreachable,
    VaultRefused,
    VaultUnavailable,
)
from seed_pipelines.evidence.verify import verify_envelope
from seed_pipelines.outside.vault import Vault, wrapping_key_name

pytest_plugins = ("staging",)

NOT_FOUND_XML = b"<Error><Code>AccessDenied</Code></Error>"
HTML = answer(200, b"<html>please log in</html>", kind="text/html")

# What the part does, what the step ends with, and whether Dagster tries it again by itself.
FAULTS = [
    pytest.param("vault", "down", VaultUnavailable, True, id="vault down"),
    pytest.param("vault", "hang", VaultUnavailable, True, id="vault never answers"),
    pytest.param("vault", answer(429, b"{}"), VaultUnavailable, True, id="vault has too many requests"),
    pytest.param("vault", answer(503, b"{}"), VaultUnavailable, True, id="vault sealed"),
    pytest.param("vault", answer(403, b"{}"), VaultRefused, False, id="vault denies"),
    pytest.param("vault", HTML, VaultRefused, False, id="vault behind a login page"),
    pytest.param("worm", "down", ReportStoreUnreachable, True, id="store down"),
    pytest.param("worm", "hang", ReportStoreUnreachable, True, id="store never answers", marks=pytest.mark.slow),
    pytest.param("worm", answer(503), ReportStoreUnreachable, True, id="store busy"),
    pytest.param("worm", answer(403, NOT_FOUND_XML, "application/xml"), ReportStoreNotReady, False, id="store denies"),
    pytest.param("otlp", "down", TelemetryUnreachable, True, id="receiver down", marks=pytest.mark.slow),
    pytest.param("otlp", "hang", TelemetryUnreachable, True, id="receiver never answers", marks=pytest.mark.slow),
    pytest.param("otlp", answer(400), TelemetryUnavailable, False, id="receiver refuses"),
    pytest.param("otlp", HTML, TelemetryUnavailable, False, id="receiver behind a login page"),
]


def published_rows(staging):
    return staging.seeded.value("SELECT count(*) FROM app.customers")


def checkpoints(staging):
    return staging.seeded.value("SELECT count(*) FROM seed_control.checkpoint")


def masked(staging):
    """A digest of everything about people that is kept."""
    return staging.seeded.value("SELECT md5(string_agg(c::text, '|' ORDER BY id)) FROM app.customers AS c")


def only_report(staging):
    [body] = staging.reports()
    verification = verify_envelope(body, public_key_pem=staging.signing_key())
    assert verification.ok, verification.doubts
    return json.loads(body)["payload"]


def finish(staging, worker):
    """What is left of the run; the report comes back."""
    worker.load(*worker.entities)
    assert worker.publish().dataset_hash
    assert [delivery.error for delivery in worker.deliver()] == [None]
    assert published_rows(staging) == 40
    return only_report(staging)


@pytest.mark.parametrize(("part", "fault", "error", "retryable"), FAULTS)
def test_a_fault_before_the_run_refuses_it_and_when_it_is_over_the_run_is_whole(staging, part, fault, error, retryable):
    worker = Worker(staging)
    staging.proxies[part].set(fault)
    with pytest.raises(error) as refusal:
        worker.load(*worker.entities)
    assert type(refusal.value) is error
    assert refusal.value.retryable is retryable
    assert (checkpoints(staging), published_rows(staging), staging.reports()) == (0, 0, [])
    staging.proxies[part].set(None)
    assert finish(staging, worker)["outcome"] == "published"


@pytest.mark.parametrize(("part", "fault", "error", "retryable"), FAULTS)
def test_a_fault_between_two_steps_stops_the_run_and_it_goes_on_from_there(staging, part, fault, error, retryable):
    worker = Worker(staging)
    worker.load(*worker.entities[:4])
    before = checkpoints(staging)
    assert before > 0
    staging.proxies[part].set(fault)
    with pytest.raises(error):
        worker.load(*worker.entities[4:])
    # A part that never answers takes its whole time limit, and is the same to a publication as one that is down.
    if fault != "hang":
        with pytest.raises(error):
            worker.publish()
    assert (checkpoints(staging), published_rows(staging), staging.reports()) == (before, 0, [])
    staging.proxies[part].set(None)
    report = finish(staging, worker)
    assert report["actual_rows"] == report["planned_rows"]


def test_vault_may_go_away_once_a_step_has_its_keys_and_no_value_changes(staging):
    calm = Worker(staging)
    calm.load(*calm.entities)
    calm.publish()
    calm.deliver()
    before = masked(staging)
    stormy = Worker(staging, key="again")
    stormy.load(*stormy.entities, after_opening=lambda: staging.proxies["vault"].set("down"))
    staging.proxies["vault"].set(None)
    assert stormy.publish().generation == 2
    assert masked(staging) == before


def test_the_key_rotates_in_the_middle_of_a_run_and_the_values_stay(staging):
    calm = Worker(staging)
    calm.load(*calm.entities)
    first = calm.publish()
    before = masked(staging)
    rotated = Worker(staging, key="again")
    rotated.load(*rotated.entities[:4])
    staging.vault.client().secrets.transit.rotate_key("seed-staging-acme")
    staging.vault.client().secrets.transit.rotate_key("seed-report-staging")
    assert rewrapped(staging).generation == 2
    rotated.load(*rotated.entities[4:])
    second = rotated.publish()
    assert (second.generation, second.dataset_hash) == (2, first.dataset_hash)
    assert masked(staging) == before
    assert [delivery.error for delivery in rotated.deliver()] == [None, None]
    # What was written before the rotation and what was written after it opens with the same key.
    with rotated.step("read") as (session, _):
        passphrase = session.keys.column("customers", "name").pgp.passphrase
        assert session.keys.origin.wrapping_version > 1
    opened = "SELECT count(pgp_sym_decrypt(name, %(key)s)) FROM app.customers"
    with staging.seeded.superuser() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")
        assert connection.execute(opened, {"key": passphrase}).fetchone()["count"] == 40


def test_a_report_that_was_put_before_the_signing_key_rotated_is_the_report(staging):
    """A worker that died between putting it and marking it leaves it to a sensor that signs with another version."""
    finish(staging, Worker(staging))
    [before] = staging.reports()
    with staging.seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.report_outbox SET written_at = NULL, uri = NULL, sha256 = NULL")
    staging.vault.client().secrets.transit.rotate_key("seed-report-staging")
    assert [delivery.error for delivery in Worker(staging).deliver()] == [None]
    assert staging.reports() == [before]


def rewrapped(staging):
    """The data key of the tenant, wrapped by a newer version of its wrapping key."""
    with staging.seeded.connection() as connection, Vault(staging.vault.settings()) as vault:
        vault.rotate(wrapping_key_name("staging", "acme"))
        return data_keys.rewrap(connection, vault, environment="staging", tenant="acme")


@pytest.mark.parametrize("behaviour", [400, "reject-one", "html"], ids=["refuses", "rejects one", "login page"])
def test_a_step_that_lost_spans_keeps_the_dataset_back_until_it_was_repeated(staging, behaviour):
    worker = Worker(staging)
    with pytest.raises(TelemetryIncomplete) as loss:
        worker.load(*worker.entities, after_opening=lambda: setattr(staging.receiver, "behaviour", behaviour))
    assert loss.value.retryable
    staging.receiver.behaviour = "accept"
    assert checkpoints(staging) > 0
    with pytest.raises(TelemetryIncomplete, match=f"{SHARD}/tenants"):
        worker.publish()
    assert (published_rows(staging), staging.reports()) == (0, [])

    report = finish(staging, worker)
    assert report["telemetry"]["ok"] is True
    assert report["telemetry"]["failed"] > 0
    assert report["telemetry"]["lost_by"] == {}
    # What the lost spans would have said of the batches is said by those of the repetition.
    resumed = [span for span in staging.receiver.spans if span.name == "seed.batch.resumed"]
    assert len(resumed) >= len(report["batches"])


@pytest.mark.parametrize("behaviour", [400, "reject-one"], ids=["refuses", "rejects one"])
def test_nothing_is_published_while_the_publishing_step_itself_loses_spans(staging, behaviour):
    worker = Worker(staging)
    worker.load(*worker.entities)
    with pytest.raises(TelemetryIncomplete):
        worker.publish(after_opening=lambda: setattr(staging.receiver, "behaviour", behaviour))
    assert published_rows(staging) == 0
    staging.receiver.behaviour = "accept"
    assert finish(staging, worker)["outcome"] == "published"


@pytest.mark.parametrize(
    ("part", "fault", "error"),
    [
        pytest.param("vault", "down", VaultUnavailable, id="vault down"),
        pytest.param("vault", answer(403, b"{}"), VaultRefused, id="vault denies"),
        pytest.param("vault", "hang", VaultUnavailable, id="vault never answers"),
        pytest.param("worm", "down", ReportNotStored, id="store down"),
        pytest.param("worm", answer(503), ReportNotStored, id="store busy"),
        pytest.param("worm", answer(403, NOT_FOUND_XML, "application/xml"), ReportNotStored, id="store denies"),
    ],
)
def test_a_report_waits_while_it_cannot_be_signed_or_kept_and_is_written_once(staging, part, fault, error):
    worker = Worker(staging)
    worker.load(*worker.entities)
    worker.publish()
    staging.proxies[part].set(fault)
    [waiting] = worker.deliver()
    assert type(waiting.error) is error
    assert staging.reports() == []
    staging.proxies[part].set(None)
    [written] = worker.deliver()
    assert written.error is None
    assert worker.deliver() == []
    assert only_report(staging)["outcome"] == "published"

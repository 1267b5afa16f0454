"""Runs of a manifest's job in this process, on a real PostgreSQL: what they do, and how they refuse, fail and go on."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from run_results import checks_of, failure_of, metadata_by_asset
from sealed_manifests import window_around
from seed_runs import Worker, wait_until
from small_manifests import SMALL, carga

from seed_pipelines import flow
from seed_pipelines.errors import DatabaseUnavailable, LeaseHeldElsewhere, OracleDisagrees
from seed_pipelines.evidence.collect import evidence_of
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.orchestration.worker import wait_seconds
from seed_pipelines.session import opened

TWO_SHARDS = carga(shards=2)


def seed_runs(seeded):
    with seeded.superuser() as connection:
        return connection.execute("SELECT * FROM seed_control.seed_run ORDER BY started_at").fetchall()


def test_a_run_publishes_the_dataset_and_shows_checkpoints_as_metadata(seeded_place, seeded, monkeypatch):
    monkeypatch.setenv("SEED_TRACE_URL", "https://tracing.test/trace/{trace_id}")
    manifest_hash = seeded_place.write(**SMALL)
    result = seeded_place.run()
    assert result.success
    metadata = metadata_by_asset(result)
    assert metadata["customers"]["rows"] == metadata["customers"]["planned_rows"] == 20
    assert metadata["loans"]["batches"] == 1
    assert metadata["loans"]["resumed_batches"] == 0
    assert len(metadata["loans"]["content_hash"]) == 32
    assert metadata["dataset"]["published"] == "yes"
    (run,) = seed_runs(seeded)
    trace_id = run["traceparent"].split("-")[1]
    assert {told["trace"] for told in metadata.values()} == {f"https://tracing.test/trace/{trace_id}"}
    assert (run["state"], run["manifest_hash"]) == ("published", manifest_hash)
    assert run["dataset_hash"] == metadata["dataset"]["dataset_hash"]
    checks = checks_of(result)
    assert checks[("dataset", "tenant_isolated")]
    assert checks[("installments", "equal_to_oracle")]
    assert all(checks.values())


@pytest.mark.parametrize("given", ["rubbish", f"00-{'0' * 32}-{'b' * 16}-01", "x" * 500])
def test_a_tag_that_is_no_trace_context_keeps_no_report_from_being_written(seeded_place, seeded, given):
    seeded_place.write(**SMALL)
    assert seeded_place.run(traceparent=given).success
    (run,) = seed_runs(seeded)
    with seeded.connection() as connection:
        found = evidence_of(connection, run["id"])
    assert run["traceparent"] == f"00-{found.otel_trace_id}-{found.otel_span_id}-01"


def test_the_first_shard_publishes_nothing_and_the_last_one_everything(seeded_place, seeded):
    seeded_place.write(**TWO_SHARDS)
    result = seeded_place.run("globex", shard="0001", idempotency_key="once")
    assert result.success
    assert metadata_by_asset(result)["dataset"]["published"].startswith("no")
    assert ("dataset", "tenant_isolated") not in checks_of(result)
    assert seeded.value("SELECT count(*) FROM app.customers") == 0
    result = seeded_place.run("globex", shard="0000", idempotency_key="once")
    assert metadata_by_asset(result)["dataset"]["published"] == "yes"
    assert checks_of(result)[("dataset", "tenant_isolated")]
    assert len(seed_runs(seeded)) == 1
    assert seeded.value("SELECT count(*) FROM app.customers") == 5001


def test_the_same_key_again_does_nothing_and_says_so(seeded_place, seeded):
    seeded_place.write(**SMALL)
    first = seeded_place.run(idempotency_key="once")
    again = seeded_place.run(idempotency_key="once")
    assert again.success
    assert metadata_by_asset(again)["loans"]["resumed_batches"] == 1
    dataset = metadata_by_asset(again)["dataset"]
    assert dataset["generation"] == "published before"
    assert dataset["dataset_hash"] == metadata_by_asset(first)["dataset"]["dataset_hash"]
    assert len(seed_runs(seeded)) == 1


def test_a_reseed_of_the_same_manifest_is_checked_against_the_hash_before(seeded_place):
    seeded_place.write(**SMALL)
    seeded_place.run(idempotency_key="first")
    again = seeded_place.run(idempotency_key="second")
    assert checks_of(again)[("dataset", "hash_as_before")]


def test_another_seed_run_of_the_tenant_is_refused_with_the_holders_id(seeded_place, seeded):
    seeded_place.write(**SMALL)
    holder = hold_lease(seeded_place, key="holder")
    step, code, description = failure_of(seeded_place.run())
    assert (step, code) == ("validate_profile", "lease-held-elsewhere")
    assert str(holder) in description


def hold_lease(place, *, key):
    """Another door's seed run at work; its id."""
    from seeded import request_for

    manifest = place.installation.manifest("dev/acme.yaml")
    plan = place.installation.plan(manifest)
    with opened(place.installation, manifest, worker="another") as session:
        run = flow.begin(session, plan, request_for(session, key))
        session.telemetry.finish()
    return run.id


@pytest.mark.parametrize(
    ("shard", "code", "says"),
    [("0007", "shard-unknown", "'0007'"), ("", "shard-unknown", "0000")],
)
def test_a_shard_that_the_plan_has_not_is_refused(seeded_place, seeded, shard, code, says):
    """Programs may name any partition: Dagster launches it."""
    seeded_place.write(**SMALL)
    job = seeded_place.definitions.resolve_job_def("seed__dev__acme")
    result = job.execute_in_process(
        instance=seeded_place.instance, tags={"dagster/partition": shard}, raise_on_error=False
    )
    assert failure_of(result)[1] == code
    assert says in failure_of(result)[2]
    assert seed_runs(seeded) == []


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"dagster/asset_partition_range_start": "0000", "dagster/asset_partition_range_end": "0001"},
    ],
)
def test_a_run_of_no_shard_or_of_several_is_refused(seeded_place, tags):
    seeded_place.write(**TWO_SHARDS)
    job = seeded_place.definitions.resolve_job_def("seed__dev__globex")
    result = job.execute_in_process(instance=seeded_place.instance, tags=tags, raise_on_error=False)
    assert failure_of(result)[1] == "shard-not-named"


def test_a_manifest_that_changed_after_the_code_was_loaded_is_refused(seeded_place, seeded):
    old = seeded_place.write(**SMALL)
    loaded = seeded_place.definitions
    new = seeded_place.write(**SMALL, version="1.1.0")
    step, code, description = failure_of(seeded_place.run(definitions=loaded))
    assert (step, code) == ("validate_profile", "definitions-stale")
    assert "definitions are stale: reload the code location" in description
    assert old[:12] in description
    assert new[:12] in description
    assert seed_runs(seeded) == []
    assert seeded_place.run().success


CLOSED = window_around(datetime.now(UTC), before_hours=-2)


@pytest.mark.parametrize("tags", [{}, {"trigger": "schedule", "idempotency_key": "schedule:too-late"}])
def test_a_run_outside_the_window_is_refused_though_it_was_scheduled(seeded_place, seeded, tags):
    seeded_place.write(**SMALL, window=CLOSED)
    assert failure_of(seeded_place.run(**tags))[1] == "outside-window"
    assert seed_runs(seeded) == []


def test_dev_may_ignore_the_window(seeded_place):
    seeded_place.write(**SMALL, window=CLOSED)
    assert seeded_place.run(ignore_window="true").success


@pytest.fixture
def broken_loading(monkeypatch):
    """Entity → errors that its next loads raise before they write anything."""
    waiting = {}
    real = flow.load_entity

    def load(*arguments, entity, **more):
        if waiting.get(entity):
            raise waiting[entity].pop(0)
        return real(*arguments, entity=entity, **more)

    monkeypatch.setattr(flow, "load_entity", load)
    return waiting


FAST_BACKOFF = {"base_seconds": 1, "max_interval_seconds": 1, "jitter_factor": 1, "max_retries": 2}


def test_what_may_pass_is_tried_again_as_often_as_the_manifest_says(seeded_place, broken_loading):
    seeded_place.write(**SMALL, backoff=FAST_BACKOFF)
    broken_loading["loans"] = [DatabaseUnavailable("57P01"), DatabaseUnavailable("57P01")]
    result = seeded_place.run()
    assert result.success
    retries = [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert len(retries) == 2


def test_after_the_last_retry_the_run_fails_and_gives_the_lease_back(seeded_place, seeded, broken_loading):
    seeded_place.write(**SMALL, backoff=FAST_BACKOFF)
    broken_loading["loans"] = [DatabaseUnavailable("57P01")] * 3
    result = seeded_place.run()
    assert failure_of(result)[:2] == ("loans", "database-unavailable")
    assert seed_runs(seeded)[0]["state"] == "failed"
    assert seeded.value("SELECT lease_until <= clock_timestamp() FROM seed_control.lease") is True
    told = "".join(path.read_text() for path in (seeded_place.home / "telemetry").iterdir())
    assert told.count('"name":"seed_run_duration_ms"') == 1, "an ending is measured once, whatever the retries"
    assert '"stringValue":"failed"' in told


@pytest.fixture
def retry_of_loans(seeded_place, broken_loading, monkeypatch):
    """A manifest whose loans fail once and are tried again after more seconds than a lease lives; does something in
    between, so long after the failure."""
    monkeypatch.setenv("SEED_LEASE_SECONDS", "2")
    wait = {"base_seconds": 5, "max_interval_seconds": 5, "jitter_factor": 0}
    seeded_place.write(**SMALL, backoff=FAST_BACKOFF | wait)
    broken_loading["loans"] = [DatabaseUnavailable("57P01")]

    def meanwhile(act, *, after_seconds):
        wait_until(lambda: not broken_loading["loans"], what="the first attempt fails")
        time.sleep(after_seconds)
        act()

    def run(act, *, after_seconds):
        other = Worker(lambda: meanwhile(act, after_seconds=after_seconds))
        result = seeded_place.run()
        other.result()
        return result

    return run


def test_another_seed_run_stays_refused_while_a_retry_waits_longer_than_a_lease_lives(seeded_place, retry_of_loans):
    def begin_another():
        with pytest.raises(LeaseHeldElsewhere):
            hold_lease(seeded_place, key="another")

    assert retry_of_loans(begin_another, after_seconds=4).success


def test_a_seed_run_that_is_cancelled_while_a_retry_waits_ends_before_the_next_attempt(seeded, retry_of_loans):
    def cancel():
        with seeded.connection() as connection:
            flow.cancel(connection, seed_runs(seeded)[0]["id"])

    result = retry_of_loans(cancel, after_seconds=0.5)
    assert failure_of(result)[:2] == ("loans", "seed-run-ended")
    (run,) = seed_runs(seeded)
    assert run["state"] == "cancelled"
    assert run["finished_at"] - run["cancel_requested_at"] < timedelta(seconds=5)


def test_what_cannot_pass_is_not_tried_again(seeded_place, broken_loading):
    seeded_place.write(**SMALL, backoff=FAST_BACKOFF)
    broken_loading["loans"] = [ZeroDivisionError("customer 529.982.247-25 has no income")]
    result = seeded_place.run()
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


@pytest.mark.parametrize("entity", ["loans", "installments", "financial_transactions", "contracts"])
def test_where_the_official_calculation_disagrees_its_check_fails_and_the_step_with_it(
    seeded_place, broken_loading, entity
):
    seeded_place.write(**SMALL | {"financial_transactions": 2_000, "contracts": 100})
    broken_loading[entity] = [OracleDisagrees(entity, indexes=(3,))]
    result = seeded_place.run()
    assert failure_of(result)[:2] == (entity, "oracle-disagrees")
    assert checks_of(result)[(entity, "equal_to_oracle")] is False


def test_a_step_that_finds_all_batches_in_says_how_many_loans_were_compared_before(seeded_place, seeded):
    seeded_place.write(**SMALL)
    seeded_place.run(idempotency_key="once")
    assert checks_of(seeded_place.run(idempotency_key="once"))[("loans", "equal_to_oracle")]
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.checkpoint SET oracle_loans = 0")
    assert checks_of(seeded_place.run(idempotency_key="once"))[("loans", "equal_to_oracle")] is False


def test_a_bug_is_reported_by_class_and_place_and_never_by_its_text(seeded_place, seeded, broken_loading):
    seeded_place.write(**SMALL)
    broken_loading["loans"] = [ZeroDivisionError("customer 529.982.247-25 ana@example.com has no income")]
    result = seeded_place.run()
    step, code, description = failure_of(result)
    assert (step, code) == ("loans", "unexpected")
    assert "ZeroDivisionError at test_seed_jobs:" in description
    told = "\n".join(str(event) for event in result.all_events)
    assert "529.982" not in told
    assert "ana@" not in told
    assert "529.982" not in (seed_runs(seeded)[0]["error_detail"] or "")


def test_a_run_that_failed_goes_on_where_it_stopped(seeded_place, seeded, broken_loading):
    seeded_place.write(**SMALL)
    whole = metadata_by_asset(seeded_place.run(idempotency_key="whole"))["dataset"]["dataset_hash"]
    broken_loading["installments"] = [ZeroDivisionError()]
    assert not seeded_place.run(idempotency_key="stopped").success
    resumed = seeded_place.run(idempotency_key="stopped")
    metadata = metadata_by_asset(resumed)
    assert metadata["loans"]["resumed_batches"] == 1
    assert metadata["installments"]["resumed_batches"] == 0
    assert metadata["dataset"]["dataset_hash"] == whole
    assert len(seed_runs(seeded)) == 2


def test_a_run_without_a_key_goes_on_with_an_idle_seed_run_of_its_manifest(seeded_place, seeded, broken_loading):
    seeded_place.write(**SMALL)
    broken_loading["installments"] = [ZeroDivisionError()]
    seeded_place.run()
    assert metadata_by_asset(seeded_place.run())["loans"]["resumed_batches"] == 1
    assert len(seed_runs(seeded)) == 1


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [(0, 0.0, 1.0), (0, 0.5, 2.0), (3, 0.5, 16.0), (9, 0.5, 60.0), (9, 0.0, 30.0), (9, 1.0, 90.0)],
)
def test_waits_double_up_to_the_longest_and_spread_by_the_jitter(place, attempt, chance, seconds):
    place.write(**SMALL, backoff={"base_seconds": 2, "jitter_factor": 0.5, "max_interval_seconds": 60})
    backoff = place.installation.manifest("dev/acme.yaml").backoff
    assert wait_seconds(backoff, attempt=attempt, chance=chance) == seconds


def test_asset_keys_name_the_manifest():
    name = ManifestName(environment="dev", tenant="acme")
    assert ManifestName.of_key(name.key("loans")) == name
    assert ManifestName.of_path(name.path) == name


def test_a_run_that_is_ended_between_two_steps_gives_the_lease_back(seeded_place, seeded, monkeypatch):
    """No step is at work then, and none can clean up."""
    seeded_place.write(**SMALL)
    handle = seeded_place.instance.handle_new_event

    def interrupted_after_customers(event, **more):
        handle(event, **more)
        told = event.dagster_event
        if told is not None and told.is_step_success and told.step_key.endswith(".customers"):
            raise dg.DagsterExecutionInterruptedError

    monkeypatch.setattr(seeded_place.instance, "handle_new_event", interrupted_after_customers)
    assert not seeded_place.run().success
    (run,) = seed_runs(seeded)
    assert (run["state"], run["error_code"]) == ("failed", "interrupted")
    assert seeded.value("SELECT state FROM seed_control.seed_shard") == "idle"
    assert seeded.value("SELECT lease_until <= clock_timestamp() FROM seed_control.lease") is True


def test_a_shard_that_is_in_leaves_its_seed_run_to_the_other_shards(seeded_place, seeded):
    seeded_place.write(**TWO_SHARDS)
    seeded_place.run("globex", shard="0001", idempotency_key="once")
    (run,) = seed_runs(seeded)
    assert run["state"] == "running"
    assert seeded.value("SELECT lease_until > clock_timestamp() FROM seed_control.lease") is True

"""Telemetry against a real OTLP/HTTP receiver: all of it arrived, or the run knows that it did not."""

import json
import stat
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_receiver import OtlpReceiver

from seed_pipelines.errors import SeedRunNotFound, TelemetryIncomplete, TelemetryUnavailable, TelemetryUnreachable
from seed_pipelines.outside import telemetry as telemetry_module
from seed_pipelines.outside.span_destination import FileDestination, OtlpDestination
from seed_pipelines.outside.telemetry import (
    Telemetry,
    continue_from,
    current_traceparent,
    open_telemetry,
    require_complete,
)
from seed_pipelines.session import Installation, say_rejected
from seed_pipelines.settings import from_environment

CPF = "529.982.247-25"
EMAIL = "maria.souza@bank.test"
ABOUT = {"tenant_id": "acme", "seed_run_id": "run-1", "manifest_version": "1.2.0", "mode": "baseline", "dry_run": False}


OUTDATED, INSTANCE = SeedRunNotFound("any"), "service.instance.id"


class RowError(Exception):
    sqlstate = "23505"


@pytest.fixture
def receiver(monkeypatch):
    receiver = OtlpReceiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    yield receiver
    receiver.close()


@pytest.fixture
def open_one(receiver):
    opened = []

    def open_one(**options):
        opened.append(Telemetry(OtlpDestination(), about={"environment": "dev", **ABOUT}, **options))
        return opened[-1]

    yield open_one
    receiver.behaviour = "accept"
    receiver.release.set()
    for telemetry in opened:
        telemetry.finish(5)


def end_spans(telemetry, number):
    for batch in range(number):
        with telemetry.span("seed.batch", entity="loans", batch=batch):
            pass


def attributes_of(span):
    found = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        found[attribute.key] = getattr(attribute.value, kind)
    return found


@pytest.mark.parametrize("method", ["send_spans", "send_metrics"])
def test_an_exporter_that_crashes_is_no_telemetry(receiver, open_one, monkeypatch, capfd, method):
    def crash(*_):
        raise RuntimeError(CPF)

    monkeypatch.setattr(OtlpDestination, method, crash)
    telemetry = open_one()
    telemetry.metrics.rows_published(3, entity="loans")
    end_spans(telemetry, 1)
    state = telemetry.finish(5)
    assert (state.ok, state.error_code) == (False, "exporter-crashed")
    assert CPF not in "".join(capfd.readouterr())


def test_every_span_arrives_with_its_attributes(receiver, open_one):
    telemetry = open_one()
    with telemetry.span("seed.run", shard="0000") as run:
        end_spans(telemetry, 3)
    state = telemetry.finish(5)
    assert (state.ok, state.ended, state.exported, state.failed, state.error_code) == (True, 4, 4, 0, None)
    assert attributes_of(receiver.span("seed.run")) == {"environment": "dev", "shard": "0000", **ABOUT}
    batch = receiver.span("seed.batch")
    assert batch.parent_span_id.hex() == run.span_id
    assert batch.trace_id.hex() == run.trace_id


def test_thousands_of_spans_all_arrive(receiver, open_one):
    telemetry = open_one()
    end_spans(telemetry, 5_000)
    state = telemetry.finish(20)
    assert state.ok
    assert len(receiver.spans) == state.exported == 5_000


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (400, "otlp-400"),
        (401, "otlp-401"),
        (503, "otlp-503"),
        ("reject-one", "otlp-partial-success"),
        ("html", "otlp-not-protobuf"),
        ("empty", "otlp-not-protobuf"),
        ("redirect", "otlp-302"),
        (204, "otlp-204"),
    ],
)
def test_a_receiver_that_does_not_take_all_fails_the_run(receiver, open_one, behaviour, code):
    receiver.behaviour = behaviour
    telemetry = open_one()
    end_spans(telemetry, 3)
    state = telemetry.finish(3)
    assert not state.ok
    assert (state.ended, state.exported, state.failed) == (3, 0, 3)
    assert state.error_code == code
    with pytest.raises(TelemetryIncomplete, match=f"0 of 3 spans were accepted .{code}"):
        require_complete(state)


def test_a_receiver_that_never_answers_is_left_at_the_deadline(receiver, open_one):
    receiver.behaviour = "hang"
    telemetry = open_one()
    end_spans(telemetry, 2)
    started = time.monotonic()
    state = telemetry.finish(0.5)
    assert time.monotonic() - started < 1.5
    assert (state.ok, state.failed, state.error_code) == (False, 2, "deadline")


def test_a_receiver_that_is_not_there_fails_the_run(receiver, open_one):
    telemetry = open_one()
    receiver.close()
    end_spans(telemetry, 1)
    state = telemetry.finish(2)
    assert (state.ok, state.error_code) == (False, "otlp-unreachable")


def test_a_receiver_that_was_away_for_a_while_gets_every_span_once(receiver, open_one):
    receiver.behaviour = 503
    telemetry = open_one()
    end_spans(telemetry, 700)
    with pytest.raises(TelemetryUnavailable, match="otlp-503"):
        telemetry.preflight(2.5)
    assert telemetry.fault is None
    receiver.behaviour = "accept"
    state = telemetry.finish(10)
    assert (state.ok, state.exported) == (True, 701)
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans) == 701


def test_a_refusal_for_good_in_the_middle_is_known_before_the_end_and_stays(receiver, open_one):
    telemetry = open_one()
    telemetry.preflight(5)
    receiver.behaviour = "reject-one"
    end_spans(telemetry, 512)
    deadline = time.monotonic() + 5
    while telemetry.fault is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert telemetry.fault == "otlp-partial-success"
    receiver.behaviour = "accept"
    end_spans(telemetry, 1)
    state = telemetry.finish(5)
    assert (state.ok, state.failed, state.exported) == (False, 512, 2)


def test_a_queue_without_room_counts_what_it_drops(receiver, open_one):
    receiver.behaviour = "hang"
    telemetry = open_one(room=10)
    end_spans(telemetry, 25)
    state = telemetry.finish(0.2)
    assert (state.ok, state.ended, state.failed) == (False, 25, 25)


def test_a_run_without_a_span_is_not_proven(open_one):
    state = open_one().finish(5)
    assert (state.ok, state.error_code) == (False, "no-spans")


def test_finishing_again_says_the_same_without_a_word_in_the_log(open_one, caplog):
    telemetry = open_one()
    end_spans(telemetry, 1)
    assert telemetry.finish(5) == telemetry.finish(5)
    assert not caplog.records


def test_a_span_that_ends_after_the_end_is_not_ok(open_one):
    telemetry = open_one()
    end_spans(telemetry, 1)
    assert telemetry.finish(5).ok
    end_spans(telemetry, 1)
    assert not telemetry.finish(5).ok


def test_preflight_passes_when_the_first_span_is_accepted(receiver, open_one):
    open_one().preflight(5)
    assert receiver.span("seed.preflight")


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (503, TelemetryUnreachable),
        ("hang", TelemetryUnreachable),
        ("html", TelemetryUnavailable),
        ("reject-one", TelemetryUnavailable),
        (400, TelemetryUnavailable),
    ],
)
def test_preflight_refuses_when_the_first_span_is_not_accepted(receiver, open_one, behaviour, error):
    receiver.behaviour = behaviour
    with pytest.raises(TelemetryUnavailable) as refusal:
        open_one().preflight(0.5)
    assert type(refusal.value) is error


def test_metrics_arrive_with_the_end(receiver, open_one):
    telemetry = open_one()
    end_spans(telemetry, 1)
    telemetry.metrics.batch_took(40, entity="loans")
    telemetry.metrics.batch_took(4_000, entity="loans")
    telemetry.metrics.run_took(90_000, outcome="published")
    assert telemetry.finish(5).ok
    metrics = {metric.name: metric for metric in receiver.metrics}
    (point,) = metrics["seed_batch_latency_ms"].histogram.data_points
    assert (point.count, point.sum) == (2, 4_040)
    assert attributes_of(point) == {"tenant_id": "acme", "environment": "dev", "mode": "baseline", "entity": "loans"}
    assert metrics["seed_run_duration_ms"].histogram.data_points[0].count == 1


def test_metrics_that_are_refused_fail_the_run_though_every_span_arrived(receiver, open_one):
    receiver.behaviour = "reject-metrics"
    telemetry = open_one()
    end_spans(telemetry, 1)
    telemetry.metrics.batch_took(40, entity="loans")
    state = telemetry.finish(5)
    assert (state.ok, state.exported, state.error_code) == (False, 1, "otlp-partial-success")


def test_nothing_about_people_leaves_in_a_span(receiver, open_one):
    telemetry = open_one()

    def fail():
        with telemetry.span("seed.batch", entity=f"loans of {CPF}", name="Maria Souza", row=CPF) as span:
            span.set(email=EMAIL, rows=5, error_code=f"for {EMAIL}")
            message = f"Failing row contains ({CPF}, {EMAIL}, Maria Souza)"
            raise RowError(message)

    with pytest.raises(RowError):
        fail()
    assert telemetry.finish(5).ok
    sent = b"".join(receiver.bodies)
    assert all(text.encode() not in sent for text in (CPF, EMAIL, "Maria", "Failing row"))
    found = attributes_of(receiver.span("seed.batch"))
    assert (found["error_class"], found["sqlstate"], found["rows"]) == ("RowError", "23505", 5)
    assert receiver.span("seed.batch").status.code == 2
    assert not receiver.span("seed.batch").events


def test_what_a_foreign_hand_puts_into_a_span_is_taken_out_on_its_way(receiver, open_one):
    from opentelemetry import trace

    telemetry = open_one()
    with telemetry.span("seed.batch"):
        current = trace.get_current_span()
        current.set_attribute("customer.email", EMAIL)
        current.record_exception(ValueError(EMAIL))
        current.set_status(trace.Status(trace.StatusCode.ERROR, EMAIL))
        current.update_name(f"batch of {EMAIL}")
    assert telemetry.finish(5).ok
    assert EMAIL.encode() not in b"".join(receiver.bodies)
    assert receiver.spans[0].name == "seed.unnamed"


def test_a_trace_goes_on_in_another_process(receiver, open_one):
    first, second = open_one(), open_one()
    with first.span("seed.run") as run:
        traceparent = current_traceparent()
    with second.span("seed.run.shard", traceparent=traceparent) as shard:
        assert shard.trace_id == run.trace_id
    second.finish(5)
    assert receiver.span("seed.run.shard").parent_span_id.hex() == run.span_id


def test_a_parent_that_was_not_sampled_does_not_silence_us(receiver, open_one):
    telemetry = open_one()
    with telemetry.span("seed.run", traceparent=f"00-{'a' * 32}-{'b' * 16}-00") as run:
        assert run.trace_id == "a" * 32
    assert telemetry.finish(5).exported == 1


@pytest.mark.parametrize("traceparent", ["", "rubbish", f"00-{'0' * 32}-{'b' * 16}-01", f"ff-{'a' * 32}-{'b' * 16}-01"])
def test_what_is_no_traceparent_begins_a_new_trace(open_one, traceparent):
    with open_one().span("seed.run", traceparent=traceparent) as run:
        assert int(run.trace_id, 16) != 0
        assert run.trace_id != "a" * 32


def test_without_a_span_there_is_no_traceparent():
    assert current_traceparent() is None
    assert continue_from("") is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ],
)
def test_a_setting_that_would_silence_the_sdk_is_refused(tmp_path, name, value):
    with pytest.raises(TelemetryUnavailable, match=name):
        open_telemetry(about={}, environment="dev", home=tmp_path, otlp_endpoint=None, environ={name: value})


def test_outside_of_dev_an_otlp_address_is_needed(tmp_path):
    with pytest.raises(TelemetryUnavailable, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        open_telemetry(about={}, environment="staging", home=tmp_path, otlp_endpoint=None, environ={})


def test_headers_and_resource_of_the_environment_are_used(receiver, monkeypatch, tmp_path):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-seed-test=yes")
    telemetry = open_telemetry(
        about=ABOUT, environment="staging", home=tmp_path, otlp_endpoint=receiver.endpoint, environ={}
    )
    end_spans(telemetry, 1)
    assert telemetry.finish(5).exporter == "otlp"
    assert any(headers.get("x-seed-test") == "yes" for headers in receiver.headers)


def test_in_dev_spans_go_to_a_file_that_is_checked_the_same_way(tmp_path):
    telemetry = open_telemetry(about=ABOUT, environment="dev", home=tmp_path, otlp_endpoint=None, environ={})
    telemetry.preflight(5)
    with telemetry.span("seed.run") as run:
        telemetry.metrics.batch_took(5, entity="loans")
    state = telemetry.finish(5)
    assert (state.ok, state.exporter, state.exported) == (True, "file", 2)
    (path,) = (tmp_path / "telemetry").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    spans = [
        span for line in lines for each in line.get("resourceSpans", ()) for span in each["scopeSpans"][0]["spans"]
    ]
    assert {span["name"] for span in spans} == {"seed.preflight", "seed.run"}
    assert run.trace_id in {span["traceId"] for span in spans}
    assert any("resourceMetrics" in line for line in lines)


def test_a_file_that_takes_nothing_more_fails_the_run():
    telemetry = Telemetry(FileDestination(Path("/dev/full")), about={})
    end_spans(telemetry, 1)
    state = telemetry.finish(1)
    assert not state.ok
    assert state.error_code.startswith("file-")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "telemetry").write_text("in the way")
    with pytest.raises(TelemetryUnavailable, match="SEED_HOME"):
        open_telemetry(about={}, environment="dev", home=tmp_path, otlp_endpoint=None, environ={})


def test_spans_of_many_threads_are_all_counted(receiver, open_one):
    telemetry = open_one()
    threads = [threading.Thread(target=end_spans, args=(telemetry, 200)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.finish(10).exported == 1_600


def test_deadlines_fit_into_a_run():
    assert telemetry_module.PREFLIGHT_SECONDS + telemetry_module.FINISH_SECONDS < 60


def test_a_rejected_manifest_is_counted_by_its_error_and_seen_as_a_span(receiver, monkeypatch, tmp_path):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    say_rejected(installation(tmp_path, receiver.endpoint), environment="staging", tenant="acme", error=OUTDATED)
    (metric,) = [metric for metric in receiver.metrics if metric.name == "seed_rejected_manifests"]
    (point,) = metric.sum.data_points
    assert point.as_int == 1
    assert attributes_of(point) == {"tenant_id": "acme", "environment": "staging", "error_code": OUTDATED.code}
    assert attributes_of(receiver.span("seed.manifest.validate"))["error_code"] == OUTDATED.code


def test_a_rejection_that_cannot_be_told_is_a_rejection_all_the_same(tmp_path):
    say_rejected(installation(tmp_path, None), environment="staging", tenant="acme", error=OUTDATED)


def test_what_is_published_and_what_is_left_of_a_limit_are_measured(receiver, open_one):
    telemetry = open_one()
    end_spans(telemetry, 1)
    for rows in (500, 250):
        telemetry.metrics.rows_published(rows, entity="loans")
    for left in (7, 3):
        telemetry.metrics.rate_limit_left(left)
    assert telemetry.finish(5).ok
    metrics = {metric.name: metric for metric in receiver.metrics}
    assert metrics["seed_published_rows"].sum.data_points[0].as_int == 750
    assert metrics["seed_rate_limit_remaining"].gauge.data_points[0].as_int == 3


def test_two_workers_are_told_apart(receiver, open_one):
    identities = set()
    for _ in range(2):
        telemetry = open_one()
        end_spans(telemetry, 1)
        telemetry.finish(5)
    for body in receiver.bodies:
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            identities |= {item.value.string_value for item in each.resource.attributes if item.key == INSTANCE}
    assert len(identities) == 2


def installation(tmp_path, endpoint):
    environ = {"SEED_HOME": str(tmp_path), "SEED_MANIFESTS_DIR": str(tmp_path)}
    return Installation.of(from_environment(environ | ({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if endpoint else {})))

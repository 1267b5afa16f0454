"""Outside dev, for real and through the command line: Vault masks and signs, Object Lock keeps the report, a collector
gets the spans, and nothing about people leaves but to where it is encrypted."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_proxy import answer
from personal_traces import written
from staging_worker import PATH, Worker

from seed_pipelines import catalog
from seed_pipelines.evidence.verify import verify_envelope
from seed_pipelines.generate.rows import generate

pytest_plugins = ("staging", "sentry_receiver")

SEED_DATA = str(Path(sys.executable).with_name("seed-data"))
# Shorter values (a house number, an agency) are in any output by chance.
TELLING_LENGTH = 9
PEOPLE = re.compile(rb"[\w.+-]+@[\w-]*example[\w.-]*|\+55\d{10,11}\b|\b\d{3}\.\d{3}\.\d{3}-\d{2}\b")


@pytest.fixture
def variables(staging, tmp_path):
    """What an operator would set, for a process that is started with nothing else."""
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster/dagster.yaml").write_text("telemetry: {enabled: false}\n")
    process = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), "DAGSTER_HOME": str(tmp_path / "dagster")}
    return process | staging.variables


def seed_data(variables, *arguments):
    command = [SEED_DATA, *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=240)


def run(variables):
    return seed_data(variables, "run", PATH, "--json")


@pytest.mark.slow
def test_a_staging_run_is_masked_signed_locked_and_traced(staging, variables, tmp_path):
    done = run(variables | {"TRACEPARENT": f"00-{'c1' * 16}-{'c2' * 8}-01"})
    assert done.returncode == 0, done.stdout + done.stderr
    ended = json.loads(done.stdout)
    assert ended["state"] == "published"
    assert ended["report"].startswith(f"s3://{staging.bucket}/evidence/worm/seeds/staging/acme/")
    assert staging.seeded.value("SELECT count(*) FROM app.customers") == 40

    [body] = staging.reports()
    verification = verify_envelope(body, public_key_pem=staging.signing_key())
    assert verification.ok, verification.doubts
    report = json.loads(body)["payload"]
    assert report["masking_key"]["source"] == "vault"
    assert report["masking_key"]["wrapping_key"] == "seed-staging-acme.data"
    assert report["telemetry"]["ok"] is True
    tried = {fact["check"] for fact in report["preflight"] if fact["ok"]}
    assert {"report-store", "signing-key", "masking-key", "telemetry", "row-security"} <= tried
    spans = {span.name for span in staging.receiver.spans}
    assert {"seed.run", "seed.batch", "seed.manifest.validate"} <= spans
    assert report["otel_trace_id"] == staging.receiver.span("seed.batch").trace_id.hex() == "c1" * 16
    runs = [span for span in staging.receiver.spans if span.name == "seed.run"]
    steps = {span.span_id.hex(): span.parent_span_id.hex() for span in runs}
    # The report names a span that there is, and that is below the caller's.
    assert steps[report["otel_span_id"]] == "c2" * 8
    wanted = {"seed_batch_latency_ms", "seed_run_duration_ms", "seed_published_rows", "seed_rate_limit_remaining"}
    assert wanted <= {metric.name for metric in staging.receiver.metrics}

    (tmp_path / "key.pem").write_bytes(staging.signing_key())
    verified = seed_data(variables, "report", "verify", ended["report"], "--public-key", str(tmp_path / "key.pem"))
    assert (verified.returncode, "verified" in verified.stdout) == (0, True), verified.stdout + verified.stderr


@pytest.mark.slow
def test_no_personal_value_is_in_any_byte_that_leaves_the_process(staging, variables, tmp_path):
    """A CPF, a name or an address of the dataset is searched for wherever the run has written or sent something."""
    done = run(variables | {"SEED_LOG": "json"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"event": "step ended"' in done.stderr
    left = {
        "standard output": done.stdout.encode(),
        "standard error": done.stderr.encode(),
        "report": b"".join(staging.reports()),
        **{f"sent to {name}": bytes(proxy.sent) for name, proxy in staging.proxies.items()},
        **{str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()},
    }
    assert all(left[name] for name in ("standard output", "report", "sent to vault", "sent to worm", "sent to otlp"))
    assert any(path.endswith(".db") for path in left), "Dagster's own storage is among them"
    personal = personal_values(Worker(staging))
    assert len(personal) > 200
    forms = {form.encode() for value in personal for form in written(value)}
    assert len(forms) > len(personal), "some of the names have accents"
    found = {(name, form) for name, content in left.items() for form in forms if form in content}
    assert found == set()
    told = {(name, match) for name, content in left.items() for match in PEOPLE.findall(content)}
    assert told == set()


def personal_values(worker):
    """Every value of a personal column, before it was masked, that is long enough to be told from chance."""
    found = set()
    for name, rows in worker.plan.rows.items():
        batch = generate(worker.plan, name, first_row=0, rows=rows)
        for column in catalog.ENTITIES[name].columns:
            if column.pii is not None:
                found |= {value for value in batch.column(column.name).to_pylist() if value}
    return {value for value in found if len(value) >= TELLING_LENGTH}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("away", "code"),
    [
        ({"SEED_VAULT_ADDR": "http://127.0.0.1:9"}, "vault-unavailable"),
        ({"SEED_VAULT_ADDR": ""}, "mask-key-unavailable"),
        ({"SEED_WORM_URL": "file:///tmp/not-locked"}, "store-not-write-once"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "report-store-unreachable"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "telemetry-refused"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "telemetry-unreachable"),
    ],
    ids=["vault down", "no vault", "store that does not lock", "store down", "no collector", "collector down"],
)
def test_without_one_of_them_nothing_is_written(staging, variables, away, code):
    done = run(variables | away)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == code
    assert staging.seeded.value("SELECT count(*) FROM seed_control.checkpoint") == 0
    assert staging.seeded.value("SELECT count(*) FROM app.customers") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "connections", "fault", "code"),
    [
        ("vault", 8, answer(403, b"{}"), "vault-refused"),
        ("worm", 5, answer(403, b"<Error><Code>AccessDenied</Code></Error>"), "report-store-not-ready"),
        ("otlp", 12, answer(400), "telemetry"),
    ],
    ids=["vault denies", "store denies", "receiver refuses"],
)
def test_a_fault_in_the_middle_of_a_dagster_run_fails_it_and_the_same_command_finishes_it(
    staging, variables, sentry, part, connections, fault, code
):
    staging.proxies[part].set_after(connections, fault)
    done = run(variables | {"SENTRY_DSN": sentry.dsn})
    assert done.returncode in (3, 4), done.stdout + done.stderr
    assert json.loads(done.stdout)["error"]["code"].startswith(code)
    assert staging.seeded.value("SELECT state FROM seed_control.seed_run") == "failed"
    assert staging.seeded.value("SELECT count(*) FROM seed_control.checkpoint") > 0
    assert staging.seeded.value("SELECT count(*) FROM app.customers") == 0
    assert staging.reports() == []
    assert_told_and_nothing_else(staging, sentry, code)
    staging.proxies[part].set(None)
    done = run(variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert staging.seeded.value("SELECT count(*) FROM app.customers") == 40
    assert len(staging.reports()) == 1


def assert_told_and_nothing_else(staging, sentry, code):
    """The error is at Sentry, once for each try, and no personal value is in any byte that went there."""
    told = sentry.events[-1]
    assert told["tags"]["error_code"].startswith(code)
    assert told["environment"] == "staging"
    personal = personal_values(Worker(staging))
    assert [value for value in personal if value.encode() in sentry.seen] == []
    assert PEOPLE.findall(bytes(sentry.seen)) == []
    assert staging.vault.settings().token.encode() not in sentry.seen


def test_the_vault_token_is_in_no_output(variables):
    done = run(variables | {"SEED_VAULT_TOKEN": "hvs.wrong-token-for-this-test"})
    assert done.returncode != 0
    assert "hvs.wrong-token-for-this-test" not in done.stdout + done.stderr

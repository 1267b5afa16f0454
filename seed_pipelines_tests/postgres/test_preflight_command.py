"""`seed-data preflight`: what a person and a program are told, and the exit code."""

import json

import pytest
import typer
from broken_schemas import A_TENANT
from factories import manifest_data
from otlp_receiver import OtlpReceiver
from typer.testing import CliRunner

from seed_pipelines.cli import preflight_parts
from seed_pipelines.cli.preflight import preflight
from seed_pipelines.load.mapped_checks import MAPPED_CHECKS
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

MANIFEST = "dev/acme.yaml"
A_ROW = f"INSERT INTO app.tenants VALUES ({A_TENANT}, 1, 'acme', 'dev', 'baseline', 'active', now())"


@pytest.fixture
def call(seeded, tmp_path, monkeypatch):
    """The command on a laptop (CI refuses the local dev key), as one JSON object or as it is shown."""
    file = tmp_path / "manifests" / MANIFEST
    file.parent.mkdir(parents=True)
    file.write_text(sealed_text(as_yaml(manifest_data(customers=40))))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    for name, value in {"DATABASE_URL": seeded.loader_url, "HOME": tmp_path, "MANIFESTS_DIR": file.parents[1]}.items():
        monkeypatch.setenv(f"SEED_{name}", str(value))
    app = typer.Typer()
    app.command()(preflight)

    def run(*options, manifest=MANIFEST):
        ended = CliRunner().invoke(app, [manifest, *options])
        return ended.exit_code, json.loads(ended.stdout) if "--json" in options else ended.stdout

    return run


def refused_in(answer):
    return {check["check"] for check in answer["checks"] if not check["ok"]}


def test_everything_in_order_is_let_in(call, seeded):
    exit_code, answer = call("--json", "--ignore-window")
    assert (exit_code, answer["ok"], refused_in(answer)) == (0, True, set())
    # There is no mapping, and the window is passed over.
    left_out = (*MAPPED_CHECKS, preflight_parts.WINDOW)
    assert [check["check"] for check in answer["checks"]] == [
        check.name for check in preflight_parts.CHECKS if check not in left_out
    ]
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0


def test_a_broken_schema_ends_with_exit_code_three_and_says_what_to_do(call, seeded):
    with seeded.superuser() as superuser:
        superuser.execute("ALTER TABLE app.loans NO FORCE ROW LEVEL SECURITY")
    exit_code, answer = call("--json", "--ignore-window")
    assert (exit_code, answer["ok"], refused_in(answer)) == (3, False, {"row-security", "canary"})
    exit_code, shown = call("--ignore-window")
    assert exit_code == 3
    assert "app.loans: not forced" in shown
    assert "FORCE ROW LEVEL SECURITY" in shown
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0


def test_a_closed_window_is_told_beside_everything_else(call, seeded, tmp_path):
    now = seeded.value("SELECT extract(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::integer")
    closed = {"start_utc": f"{(now + 3) % 24:02d}:00", "end_utc": f"{(now + 4) % 24:02d}:00"}
    data = manifest_data(customers=40) | {"window": closed}
    (tmp_path / "manifests" / MANIFEST).write_text(sealed_text(as_yaml(data)))
    exit_code, answer = call("--json")
    assert (exit_code, refused_in(answer)) == (3, {"window"})


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("SEED_DATABASE_URL", "postgresql://seed_loader@127.0.0.1:1/none", "database"),
        ("SEED_WORM_URL", "file:///proc/reports", "report-store"),
        ("CI", "true", "masking-key"),
    ],
)
def test_what_does_not_answer_is_told_and_the_rest_is_still_tried(call, monkeypatch, variable, value, check):
    monkeypatch.setenv(variable, value)
    exit_code, answer = call("--json", "--ignore-window")
    assert exit_code == 3
    assert refused_in(answer) == {check}
    assert len(answer["checks"]) >= 4


def test_a_collector_that_takes_no_span_is_told(call, monkeypatch):
    receiver = OtlpReceiver()
    # A status that is not tried again.
    receiver.behaviour = 400
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.endpoint}/v1/traces")
    exit_code, answer = call("--json", "--ignore-window")
    receiver.close()
    assert (exit_code, refused_in(answer)) == (3, {"telemetry"})


def test_the_command_shows_no_row_and_no_secret(call, seeded):
    with seeded.superuser() as superuser:
        superuser.execute(A_ROW)
        superuser.execute("ALTER TABLE app.tenants DISABLE ROW LEVEL SECURITY")
    _, shown = call()
    assert "only-for-tests" not in shown
    assert A_TENANT.split("'")[1] not in shown

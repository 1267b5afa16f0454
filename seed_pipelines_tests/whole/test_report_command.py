"""`seed-data report` in a process of its own, without a database, Vault or a network."""

import hashlib
import json
import subprocess
import sys

import pytest
from report_factory import make_evidence, make_public_pem, make_signer

from seed_pipelines.evidence.facts import MaskingKey, Outcome, Problem
from seed_pipelines.evidence.report import sealed_envelope

LOCAL_KEY = {"source": "env_local", "key": None, "key_version": None, "key_check": "0123456789abcdef"}
RUN = "import sys; from seed_pipelines.cli.report import app; app(sys.argv[1:], standalone_mode=True)"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "report.json").write_bytes(sealed_envelope(make_evidence(), signer=make_signer()))
    (tmp_path / "key.pem").write_bytes(make_public_pem())
    return tmp_path


def report(folder, *arguments):
    command = [sys.executable, "-c", RUN, *arguments]
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_good_report_is_verified_and_every_check_is_said(folder):
    answer = report(folder, "verify", "report.json", "--public-key", "key.pem")
    assert answer.returncode == 0
    assert "report.json: verified" in answer.stdout
    assert "signature_hash" in answer.stdout


def test_without_the_key_there_is_a_doubt(folder):
    answer = report(folder, "verify", "report.json")
    assert answer.returncode == 4
    assert "DOUBT signature: not checked" in answer.stdout


def test_a_changed_report_exits_with_4_and_names_the_file_and_the_doubt_as_json(folder):
    content = (folder / "report.json").read_bytes()
    (folder / "report.json").write_bytes(content.replace(b'"rows":500', b'"rows":501', 1))
    answer = report(folder, "verify", "report.json", "--public-key", "key.pem", "--json")
    assert answer.returncode == 4
    found = json.loads(answer.stdout)["report.json"]
    assert found["ok"] is False
    assert "signature_hash" in {check["name"] for check in found["checks"] if not check["ok"]}


def test_several_reports_are_verified_as_a_chain(folder):
    before = hashlib.sha256((folder / "report.json").read_bytes()).hexdigest()
    evidence = make_evidence(run_id="run-2", previous_report_hash=before)
    (folder / "next.json").write_bytes(sealed_envelope(evidence, signer=make_signer()))
    good = report(folder, "verify", "report.json", "next.json", "--public-key", "key.pem")
    assert (good.returncode, "chain: verified" in good.stdout) == (0, True)
    bad = report(folder, "verify", "next.json", "report.json", "--public-key", "key.pem")
    assert (bad.returncode, "chain: NOT VERIFIED" in bad.stdout) == (4, True)


def test_a_member_of_a_chain_that_is_missing_is_a_doubt(folder):
    answer = report(folder, "verify", "report.json", "gone.json", "--public-key", "key.pem")
    assert answer.returncode == 4
    assert "DOUBT readable" in answer.stdout


def test_a_person_sees_outcome_rows_and_errors_and_that_nothing_was_verified(folder):
    problem = Problem(type="urn:x", title="The window closed.", status=409, detail="at [06:00] UTC")
    evidence = make_evidence(outcome=Outcome.ABORTED, errors=(problem,), dataset_hash=None)
    (folder / "failed.json").write_bytes(sealed_envelope(evidence, signer=None))
    answer = report(folder, "show", "failed.json")
    assert answer.returncode == 0
    assert "customers" in answer.stdout
    assert "The window closed. at [06:00] UTC" in answer.stdout
    assert "Nothing was verified" in answer.stdout


@pytest.mark.parametrize(("environment", "exit_code"), [("dev", 0), ("staging", 4)])
def test_a_key_of_the_machine_that_ran_it_is_said_loudly_and_outside_of_dev_it_is_a_doubt(
    folder, environment, exit_code
):
    evidence = make_evidence(environment=environment, masking_key=MaskingKey(**LOCAL_KEY))
    (folder / "local.json").write_bytes(sealed_envelope(evidence, signer=make_signer()))
    verified = report(folder, "verify", "local.json", "--public-key", "key.pem")
    assert verified.returncode == exit_code
    assert "local development key for masking" in verified.stdout.lower()
    assert "LOCAL DEVELOPMENT KEY for masking and signing" in report(folder, "show", "local.json").stdout
    report(folder, "show", "local.json", "--html", "local.html")
    assert '<p class="bad">LOCAL DEVELOPMENT KEY for masking' in (folder / "local.html").read_text()


def test_a_person_sees_keys_budget_telemetry_and_flags(folder):
    (folder / "unsigned.json").write_bytes(sealed_envelope(make_evidence(), signer=None))
    shown = report(folder, "show", "unsigned.json").stdout
    assert "LOCAL DEVELOPMENT KEY" not in shown
    for name in ("masking_key", "budget_usage", "rate_limit_usage", "slo", "telemetry", "flags"):
        assert name in shown


def test_the_module_loads_no_client_library():
    code = (
        "import sys; import seed_pipelines.cli.report; "
        "print(*{'rich.console', 'boto3', 'cryptography', 'opentelemetry', 'pydantic'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "boto3" not in answer.stdout
    assert "cryptography" not in answer.stdout
    assert "opentelemetry" not in answer.stdout

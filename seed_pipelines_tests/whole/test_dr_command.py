"""`seed-data dr rehearse`: a dr dataset is taken away and built anew, by real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_plan, manifest_data
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import purge
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


@pytest.fixture
def call(seeded, tmp_path):
    for tenant, mode in (("acme", "dr"), ("globex", "baseline")):
        file = tmp_path / f"manifests/dev/{tenant}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sealed_text(as_yaml(manifest_data(customers=10, mode=mode, tenant=tenant))))
    variables = {name: value for name, value in os.environ.items() if name != "CI"} | {
        "SEED_DATABASE_URL": seeded.loader_url,
        "SEED_MANIFESTS_DIR": str(tmp_path / "manifests"),
        "SEED_HOME": str(tmp_path / "home"),
    }

    def run_command(*arguments):
        return subprocess.run(
            [SEED_DATA, "dr", "rehearse", *arguments],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_command


@pytest.fixture
def taken_away(seeded, open_session):
    """A dataset that an earlier drill took away 100 seconds ago, and did not build anew."""
    session, plan = open_session(), make_plan(customers=10, mode="dr")
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")
    purge.purge(session.connection, DatasetName(environment="dev", tenant="acme", mode="dr"), reason="asked")
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.purge_log SET purged_at = purged_at - interval '100 s'")


def test_a_drill_builds_the_dataset_and_the_next_one_takes_it_away_first(seeded, taken_away, call):
    first = call("dev/acme.yaml", "--ignore-window", "--json")
    assert first.returncode == 0, first.stderr
    measured = json.loads(first.stdout)
    assert measured["holds"]
    assert 0 < measured["rpo_ms"] < 100_000 < measured["rto_ms"]
    again = call("dev/acme.yaml", "--ignore-window", "--yes")
    assert again.returncode == 0, again.stderr
    assert "RPO" in again.stdout
    assert "RTO" in again.stdout
    assert seeded.value("SELECT count(*) FROM seed_control.purge_log") == 2
    assert seeded.value("SELECT generation FROM seed_control.dataset") == 3
    assert seeded.value("SELECT count(*) FROM app.customers") == 10


def test_only_a_dr_manifest_can_be_rehearsed(call):
    refused = call("dev/globex.yaml", "--ignore-window")
    assert refused.returncode == 2
    assert "not-a-drill" in refused.stderr

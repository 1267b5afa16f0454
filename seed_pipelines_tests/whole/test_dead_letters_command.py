"""`seed-data dead-letters`: a run fails at a batch, its cause goes away, and a retry finishes it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import manifest_data

from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


@pytest.fixture
def call(seeded, tmp_path):
    file = tmp_path / "manifests/dev/acme.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(sealed_text(as_yaml(manifest_data(customers=10))))
    variables = {name: value for name, value in os.environ.items() if name != "CI"} | {
        "SEED_DATABASE_URL": seeded.loader_url,
        "SEED_MANIFESTS_DIR": str(tmp_path / "manifests"),
        "SEED_HOME": str(tmp_path / "home"),
    }

    def run_command(*arguments):
        return subprocess.run(
            [SEED_DATA, *arguments],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_command


def test_a_batch_that_was_given_up_is_listed_and_written_by_a_retry(seeded, call):
    with seeded.superuser() as connection:
        connection.execute("ALTER TABLE seed_control.checkpoint ADD CONSTRAINT broken CHECK (entity <> 'loans')")
    failed = call("run", "dev/acme.yaml", "--ignore-window")
    assert failed.returncode == 4, failed.stdout
    (letter,) = json.loads(call("dead-letters", "list", "--json").stdout)["dead_letters"]
    assert (letter["entity"], letter["code"], letter["sqlstate"]) == ("loans", "database-refused", "23514")
    assert letter["state"] == "dead"
    with seeded.superuser() as connection:
        connection.execute("ALTER TABLE seed_control.checkpoint DROP CONSTRAINT broken")
    retried = call("dead-letters", "retry", letter["seed_run_id"])
    assert retried.returncode == 0, retried.stderr
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run WHERE state = 'published'") == 1
    assert "written" in call("dead-letters", "list").stdout
    assert call("dead-letters", "retry", letter["seed_run_id"]).returncode == 3

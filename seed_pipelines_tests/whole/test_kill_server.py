"""`seed-data run` whose PostgreSQL stops under it: it says so, ends with 4, and goes on when asked again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from factories import manifest_data
from seed_runs import LEFT_OUT, wait_until

from seed_pipelines.control import roles
from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


@pytest.fixture
def workplace(open_directory):
    """A folder with a manifest that writes one batch a second and does not retry."""
    data = manifest_data(customers=20, **LEFT_OUT)
    data["rate_limit"] = {"limit": 1, "window_seconds": 1, "burst": 1}
    data["backoff"] |= {"max_retries": 0}
    manifest = open_directory / "manifests/dev/acme.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(sealed_text(as_yaml(data)))
    database = LocalDatabase(open_directory / "home")
    database.start()
    yield open_directory, database
    database.remove()


def start(place):
    variables = {name: value for name, value in os.environ.items() if name != "CI"}
    variables |= {"SEED_HOME": str(place / "home"), "SEED_MANIFESTS_DIR": str(place / "manifests")}
    return subprocess.Popen(
        [SEED_DATA, "run", "dev/acme.yaml", "--ignore-window", "--json"],
        env=variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_command_whose_server_stops_says_so_and_goes_on_when_asked_again(workplace):
    place, database = workplace
    stopped = start(place)
    with psycopg.connect(database.url(roles.AUDITOR), autocommit=True) as auditor:
        query = "SELECT count(*) FROM seed_control.checkpoint"
        wait_until(lambda: auditor.execute(query).fetchone()[0] >= 2, what="two batches are in")
    database.stop()
    out, err = stopped.communicate(timeout=60)
    assert stopped.returncode == 4, (out, err)
    assert "database-unavailable" in out + err
    assert "Traceback" not in err
    database.start()
    again = start(place)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    ended = json.loads(out)
    assert ended["state"] == "published"
    assert all(rows["planned"] == rows["actual"] for rows in ended["rows"].values())

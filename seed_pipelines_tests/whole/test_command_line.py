"""`seed-data` as a person and a program use it: real processes, an embedded PostgreSQL of their own."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from factories import manifest_data

from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


@pytest.fixture(scope="module")
def workplace(open_session_directory):
    """A folder with manifests and a home; its server is removed at the end."""
    place = open_session_directory / "command-line"
    for path, wishes in {
        "dev/acme": {"customers": 40},
        "dev/globex": {"customers": 40, "mode": "carga", "tenant": "globex"},
        "staging/acme": {"customers": 40, "mode": "dr", "environment": "staging"},
    }.items():
        file = place / f"manifests/{path}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sealed_text(as_yaml(manifest_data(**wishes))))
    yield place
    call(place, "db", "remove", "--yes")


def call(place, *arguments, **environment):
    """One command, on a laptop: CI is not set, since the local dev key is refused there."""
    variables = {name: value for name, value in os.environ.items() if name != "CI"}
    variables |= {"SEED_HOME": str(place / "home"), "SEED_MANIFESTS_DIR": str(place / "manifests")} | environment
    return subprocess.run(
        [SEED_DATA, *arguments], env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def first_run(workplace):
    done = call(workplace, "run", "dev/acme.yaml", "--ignore-window", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_ends_with_rows_hash_and_report(first_run):
    assert first_run["state"] == "published"
    assert all(rows["planned"] == rows["actual"] for rows in first_run["rows"].values())
    assert len(first_run["dataset_hash"]) == 64
    assert Path(first_run["report"].removeprefix("file://")).is_file()


def test_the_same_command_again_has_nothing_to_do(workplace, first_run):
    again = json.loads(call(workplace, "run", "dev/acme.yaml", "--ignore-window", "--json").stdout)
    assert again["nothing_to_do"]
    assert again["seed_run_id"] == first_run["seed_run_id"]


def test_a_reseed_is_a_new_seed_run_with_the_same_rows(workplace, first_run):
    again = json.loads(call(workplace, "run", "dev/acme.yaml", "--ignore-window", "--reseed", "--json").stdout)
    assert again["seed_run_id"] != first_run["seed_run_id"]
    assert again["dataset_hash"] == first_run["dataset_hash"]


def test_the_summary_for_people_says_where_to_look(workplace, first_run):
    shown = call(workplace, "run", "dev/acme.yaml", "--ignore-window").stdout
    assert "nothing to do" in shown
    assert first_run["dataset_hash"] in shown
    assert "psql" in shown


def test_the_report_verifies_offline(workplace, first_run):
    path = first_run["report"].removeprefix("file://")
    key = workplace / "home/report-signing.pub.pem"
    done = call(workplace, "report", "verify", path, "--public-key", str(key))
    assert done.returncode == 0, done.stdout + done.stderr


def test_status_lists_the_runs_and_shows_one(workplace, first_run):
    listed = json.loads(call(workplace, "status", "--json").stdout)
    assert first_run["seed_run_id"] in [run["id"] for run in listed]
    one = json.loads(call(workplace, "status", first_run["seed_run_id"], "--json").stdout)
    assert one["state"] == "published"
    assert one["shards"][0]["state"] == "done"


def test_a_shard_alone_publishes_nothing_and_the_rest_goes_on_from_it(workplace):
    plan = json.loads(call(workplace, "plan", "dev/globex.yaml", "--json").stdout)
    assert len(plan["shards"]) == 1
    alone = call(workplace, "run", "dev/globex.yaml", "--ignore-window", "--shard", "0007")
    assert alone.returncode == 2
    assert "shard-unknown" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["run", "dev/nobody.yaml"], 2, "nobody"),
        (["run", "../outside.yaml"], 2, "path-outside-manifests"),
        (["run", "/etc/hosts"], 2, "path-outside-manifests"),
        (["cancel", "not-an-id"], 4, "seed-run-not-found"),
        (["status", "00000000-0000-0000-0000-000000000000"], 4, "seed-run-not-found"),
        (["run", "staging/acme.yaml", "--ignore-window"], 3, "window-not-ignorable"),
        (["report", "verify", "/nowhere.json"], 2, "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_error_is_a_message_and_an_exit_code(workplace, first_run, arguments, exit_code, words):
    done = call(workplace, *arguments)
    assert done.returncode == exit_code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_dev_a_run_without_a_write_once_store_is_refused_before_its_first_row(workplace, first_run):
    manifest = yaml.safe_load((workplace / "manifests/staging/acme.yaml").read_text())
    assert manifest["metadata"]["environment"] == "staging"
    done = call(workplace, "run", "staging/acme.yaml")
    assert done.returncode == 3
    assert "store-not-write-once" in done.stderr
    assert "acme" not in [run["tenant"] for run in _runs(workplace) if run["environment"] == "staging"]


def test_under_ci_the_local_key_is_refused(workplace, first_run):
    done = call(workplace, "run", "dev/acme.yaml", "--ignore-window", "--reseed", CI="true")
    assert done.returncode == 3
    assert "mask-key-unavailable" in done.stderr


def test_help_comes_at_once_and_teaches():
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([SEED_DATA, "--help"], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Of the processor, not of the clock: a busy machine makes a command late, and no slower.
    assert min(seconds) < 0.3
    assert "Usage" in done.stdout
    done = subprocess.run([SEED_DATA, "run", "--help"], capture_output=True, text=True, check=True)
    assert "Examples" in done.stdout


def test_help_imports_nothing_heavy():
    program = (
        "import sys, seed_pipelines.cli.main; print([m for m in ('dagster', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_doctor_finds_an_installation_in_order(workplace, first_run):
    done = call(workplace, "doctor", "--json")
    found = json.loads(done.stdout)
    assert [check for check in found["checks"] if not check["ok"]] == []
    assert (done.returncode, found["ok"]) == (0, True)
    names = [check["check"] for check in found["checks"]]
    assert {"python", "manifests", "database", "migrations", "roles", "clock", "disk"} <= set(names)
    assert {"vault", "report-store", "telemetry", "dagster", "dagster-webserver", "api-access"} <= set(names)


def test_the_doctor_says_what_is_not_in_order_and_what_to_do(workplace, tmp_path):
    broken = tmp_path / "manifests/dev/acme.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("metadata: [")
    elsewhere = {
        "SEED_HOME": str(tmp_path / "home"),
        "SEED_MANIFESTS_DIR": str(tmp_path / "manifests"),
        "SEED_DATABASE_URL": "postgresql://seed_loader:only-for-tests@127.0.0.1:9/app",
        "SEED_API_JWKS": str(tmp_path / "no-keys.json"),
        "DAGSTER_HOME": str(tmp_path),
    }
    done = call(workplace, "doctor", "--environment", "staging", "--json", **elsewhere)
    assert done.returncode == 3
    wrong = {check["check"]: check for check in json.loads(done.stdout)["checks"] if not check["ok"]}
    assert set(wrong) == {
        *("manifests", "database", "migrations", "roles", "clock", "vault", "report-store", "telemetry"),
        *("dagster", "dagster-webserver", "api-access"),
    }
    assert all(check["remedy"] for check in wrong.values())
    assert "only-for-tests" not in done.stdout


def test_watch_of_a_run_that_has_ended_says_how_by_its_exit_code(workplace, first_run):
    done = call(workplace, "watch", first_run["seed_run_id"])
    assert done.returncode == 0, done.stderr
    assert f"published: {sum(rows['actual'] for rows in first_run['rows'].values())} of" in done.stdout.replace(",", "")


def test_seed_runs_are_completed_by_their_ids(workplace, first_run):
    id_ = first_run["seed_run_id"]
    words = {"COMP_WORDS": f"seed-data watch {id_[:6]}", "COMP_CWORD": "2"}
    assert id_ in call(workplace, _SEED_DATA_COMPLETE="complete_bash", **words).stdout.splitlines()


def test_a_token_of_this_machine_is_for_dev_only_and_for_an_hour_at_most(workplace):
    made = call(workplace, "token", "--minutes", "5", "--json")
    assert json.loads(made.stdout)["expires_in"] == 300
    for environment in ({"CI": "true"}, {"SEED_ENVIRONMENT": "staging"}):
        refused = call(workplace, "token", **environment)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert "local-token-refused" in refused.stderr
    assert call(workplace, "token", "--minutes", "61").returncode == 2


def _runs(place):
    return json.loads(call(place, "status", "--json").stdout)

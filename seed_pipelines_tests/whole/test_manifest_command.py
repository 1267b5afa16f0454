"""`seed-data manifest` in a process of its own."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seed_pipelines.cli.manifest_files import check_files
from seed_pipelines.manifest.model import Mode
from seed_pipelines.manifest.template import new_manifest_text

RUN = "from seed_pipelines.cli.main import main; main()"
HASH = re.compile("[0-9a-f]{64}")


@pytest.fixture
def folder(tmp_path):
    """A place with two valid manifests."""
    for name, mode in (("dev/acme", Mode.BASELINE), ("staging/globex", Mode.CARGA)):
        path = tmp_path / f"manifests/{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(new_manifest_text(*name.split("/"), mode), encoding="utf-8")
    return tmp_path


def manifest(folder, *arguments):
    command = [sys.executable, "-c", RUN, "manifest", *map(str, arguments)]
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_new_manifest_passes_the_check_and_is_never_overwritten(tmp_path):
    made = manifest(tmp_path, "new", "--environment", "dev", "--tenant", "acme", "--mode", "canary")
    assert (made.returncode, made.stdout) == (0, "wrote manifests/dev/acme.yaml\n")
    assert manifest(tmp_path, "check").returncode == 0
    again = manifest(tmp_path, "new", "--environment", "dev", "--tenant", "acme", "--mode", "dr")
    assert again.returncode == 2
    assert "already there" in again.stderr
    assert "mode: canary" in (tmp_path / "manifests/dev/acme.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("tenant", ["../../etc/x", "Acme"])
def test_a_new_manifest_goes_nowhere_else(tmp_path, tenant):
    assert manifest(tmp_path, "new", "--environment", "dev", "--tenant", tenant, "--mode", "dr").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_valid_manifests_pass_by_default_by_file_and_by_folder(folder):
    for paths in ([], ["manifests"], ["manifests/dev"], ["manifests/dev/acme.yaml", "manifests/staging/globex.yaml"]):
        checked = manifest(folder, "check", *paths)
        assert (checked.returncode, checked.stdout) == (0, "")
    assert "2 manifests checked: no problems" in checked.stderr


def test_every_problem_of_every_file_is_reported_with_its_line(folder):
    change(folder / "manifests/dev/acme.yaml", "loans:", "loan:")
    change(folder / "manifests/staging/globex.yaml", "limit: 200", "limit: 0")
    (folder / "manifests/stray.yaml").symlink_to("/etc/passwd")
    checked = manifest(folder, "check")
    assert checked.returncode == 2
    lines = checked.stdout.splitlines()
    assert any(re.match(r"manifests/dev/acme\.yaml:\d+:3: entity 'loan' is not known", line) for line in lines)
    assert any(
        re.match(r"manifests/staging/globex\.yaml:\d+:10: rate_limit\.limit 0 is too small", line) for line in lines
    )
    assert any(line.startswith("manifests/stray.yaml:1:1: ") for line in lines)


@pytest.mark.parametrize("arguments", [["--format", "json"], ["--json"], ["--format", "sarif"], ["--format", "github"]])
def test_a_report_for_programs_is_the_only_thing_on_standard_output(folder, arguments):
    change(folder / "manifests/dev/acme.yaml", "loans:", "loan:")
    checked = manifest(folder, "check", *arguments)
    assert checked.returncode == 2
    if "github" in arguments:
        assert all(line.startswith("::error file=manifests/dev/acme.yaml") for line in checked.stdout.splitlines())
    else:
        assert json.loads(checked.stdout)


@pytest.mark.parametrize("path", ["none", "manifests/dev/none.yaml", "/etc/passwd"])
def test_a_path_that_is_no_manifest_is_a_problem(folder, path):
    assert manifest(folder, "check", path).returncode == 2


def test_a_manifest_in_the_wrong_folder_is_a_problem_even_when_it_is_named_alone(folder):
    (folder / "manifests/dev/acme.yaml").rename(folder / "manifests/staging/acme.yaml")
    checked = manifest(folder / "manifests/staging", "check", "acme.yaml")
    assert checked.returncode == 2
    assert "misplaced" in checked.stdout


def test_sealing_after_a_change_makes_the_manifest_valid_and_keeps_every_comment(folder):
    path = folder / "manifests/dev/acme.yaml"
    change(path, "limit: 200", "limit: 150 # agreed with the DBA")
    before = path.read_bytes()
    assert manifest(folder, "check").returncode == 2
    assert manifest(folder, "seal", path).stdout.endswith("sealed\n")
    assert manifest(folder, "check").returncode == 0
    after = path.read_bytes()
    assert HASH.sub("", after.decode()) == HASH.sub("", before.decode())
    assert "was sealed already" in manifest(folder, "seal", path).stdout
    assert path.read_bytes() == after


def test_a_manifest_with_a_problem_is_not_sealed(folder):
    path = folder / "manifests/dev/acme.yaml"
    change(path, "limit: 200", "limit: 0")
    before = path.read_bytes()
    sealed = manifest(folder, "seal", path)
    assert sealed.returncode == 2
    assert "too small" in sealed.stderr
    assert path.read_bytes() == before


def test_a_manifest_is_shown_in_its_normal_form(folder):
    shown = manifest(folder, "show", "manifests/staging/globex.yaml")
    assert shown.stdout.startswith('metadata:\n  tenant: "globex"\n')
    (folder / "manifests/staging/globex.yaml").write_text(shown.stdout, encoding="utf-8")
    assert manifest(folder, "check").returncode == 0
    as_json = json.loads(manifest(folder, "show", "manifests/staging/globex.yaml", "--json").stdout)
    assert as_json["volumetry"]["loans"]["states"]["delinquent"] == 8.7


def test_a_comparison_tells_rows_cost_and_what_it_means(folder):
    old, new = folder / "manifests/dev/acme.yaml", folder / "manifests/dev/new.yaml"
    new.write_bytes(old.read_bytes())
    change(new, "users: {cap: 20}", "users: {cap: 520}")
    change(new, 'version: "1.0.0"', 'version: "1.1.0"')
    assert manifest(folder, "seal", new).returncode == 0
    text = manifest(folder, "diff", old, new)
    assert text.returncode == 0
    assert {"breaking: yes", "reseed needed: yes", "+ 500 users"} <= set(text.stdout.splitlines())
    told = json.loads(manifest(folder, "diff", old, new, "--json").stdout)
    # Another version has other payments, so other transactions; every other entity has the rows it had.
    assert told["rows_added"]["users"] == 500
    assert set(told["rows_added"]) <= {"users", "financial_transactions"}
    assert 0 < told["cost_before_micro_brl"] < told["cost_after_micro_brl"]
    backwards = manifest(folder, "diff", new, old)
    assert backwards.returncode == 2
    assert "goes backwards" in backwards.stdout


def test_the_schema_is_printed_as_it_is_published(tmp_path):
    published = Path(sys.modules[Mode.__module__].__file__).with_name("seed-profile.schema.json")
    assert manifest(tmp_path, "schema").stdout == published.read_text(encoding="utf-8")


def test_help_loads_nothing_that_takes_long():
    heavy = "{'yaml', 'pydantic', 'jsonschema', 'numpy', 'rfc8785'}"
    program = f"import sys, seed_pipelines.cli.manifest; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_thousand_manifests_are_checked_in_less_than_five_seconds_of_work(tmp_path):
    for number in range(1_000):
        path = tmp_path / f"env{number % 10}/tenant{number}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(new_manifest_text(path.parent.name, path.stem, Mode.CARGA), encoding="utf-8")
    started = time.process_time()
    checked = check_files((tmp_path,))
    assert time.process_time() - started < 5
    assert (len(checked.sources), checked.problems) == (1_000, ())

"""`seed-data run` into the tables of an application, as a person does it: real processes on a real PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import manifest_data
from shop import MAPPING_FILE, WISHES, Shop, make_shop, shop_mapping

from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


@pytest.fixture
def shop(seeded):
    make_shop(seeded)
    return Shop(seeded)


@pytest.fixture
def call(seeded, tmp_path):
    """One command, on a laptop: CI is not set, since the local dev key is refused there."""
    manifest = tmp_path / "manifests/dev/acme.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(sealed_text(as_yaml(manifest_data(**WISHES | {"financial_transactions": 0}))))
    variables = {name: value for name, value in os.environ.items() if name != "CI"} | {
        "SEED_HOME": str(tmp_path / "home"),
        "SEED_MANIFESTS_DIR": str(tmp_path / "manifests"),
        "SEED_DATABASE_URL": seeded.loader_url,
        "SEED_TARGET_MAPPING": str(MAPPING_FILE),
    }

    def run_command(*arguments):
        return subprocess.run(
            [SEED_DATA, *arguments], env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
        )

    return run_command


def test_a_manifest_goes_into_the_tables_of_an_application_and_out_again(shop, call):
    before = shop.content()
    done = call("run", "dev/acme.yaml", "--ignore-window", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["state"] == "published"
    assert len(shop.ours("customers")) == WISHES["customers"]
    report = json.loads(Path(run["report"].removeprefix("file://")).read_text())["payload"]
    assert report["flags"]["mapping"] == f"1.0.0 {shop_mapping().mapping_hash}"
    assert "mapped-policy" in [check["check"] for check in report["preflight"]]
    purged = call("dataset", "purge", "--tenant", "acme", "--yes", "--json")
    assert purged.returncode == 0, purged.stderr
    assert json.loads(purged.stdout)["datasets"][0]["rows"]["customers"] == WISHES["customers"]
    assert shop.content() == before


def test_the_mapping_commands_need_no_database(call):
    checked = json.loads(call("mapping", "check", "--json").stdout)
    assert checked["hash"] == shop_mapping().mapping_hash
    printed = call("mapping", "grants", str(MAPPING_FILE), "--policies").stdout.splitlines()
    assert 'GRANT SELECT, INSERT, DELETE ON "shop"."loan" TO seed_loader;' in printed
    missing = call("mapping", "check", "nowhere.yaml")
    assert (missing.returncode, "mapping-not-found" in missing.stderr) == (2, True)

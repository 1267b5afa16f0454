"""A run that asks an official calculation by URL, then the profile of its dataset and its opened columns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from factories import manifest_data
from seeded import new_database

from seed_pipelines.control import roles
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


class Place:
    """A migrated database and a laptop's home, with one manifest."""

    def __init__(self, folder, database):
        self.folder, self.database = folder, database
        file = folder / "manifests/dev/acme.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(sealed_text(as_yaml(manifest_data(customers=150, mode="carga"))))

    def call(self, *arguments, **environment):
        """One command; CI is not set, since the local dev key is refused there."""
        variables = {name: value for name, value in os.environ.items() if name != "CI"}
        variables |= {
            "SEED_DATABASE_URL": self.database.loader_url,
            "SEED_HOME": str(self.folder / "home"),
            "SEED_MANIFESTS_DIR": str(self.folder / "manifests"),
        }
        return subprocess.run(
            [SEED_DATA, *arguments],
            env=variables | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )


@pytest.fixture(scope="module")
def service():
    """`seed-data lending serve` on a free port; its address."""
    process = subprocess.Popen([SEED_DATA, "lending", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[2]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.fixture(scope="module")
def place(postgres_server, seeded_template, tmp_path_factory):
    with new_database(postgres_server, seeded_template) as database:
        yield Place(tmp_path_factory.mktemp("look"), database)


@pytest.fixture(scope="module")
def refused(place):
    """A run while the service is down."""
    done = place.call("run", "dev/acme.yaml", "--ignore-window", SEED_LENDING_ORACLE_URL="http://127.0.0.1:9")
    return done, place.database.value("SELECT count(*) FROM seed_control.seed_run")


@pytest.fixture(scope="module")
def published(place, refused, service):
    done = place.call("run", "dev/acme.yaml", "--ignore-window", "--json", SEED_LENDING_ORACLE_URL=service)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_is_refused_before_its_first_row_while_the_official_calculation_is_down(refused):
    done, seed_runs = refused
    assert (done.returncode, seed_runs) == (3, 0)
    assert "lending-service-not-ready" in done.stderr


def test_the_report_says_who_was_asked_and_about_how_many_loans(published, service):
    payload = json.loads(Path(published["report"].removeprefix("file://")).read_text())["payload"]
    assert payload["flags"]["lending_oracle"] == service
    asked = {}
    for batch in payload["batches"]:
        asked[batch["entity"]] = asked.get(batch["entity"], 0) + batch["oracle_loans"]
    assert {entity: loans for entity, loans in asked.items() if loans} == {
        entity: 24 for entity in ("loans", "contracts", "installments", "financial_transactions")
    }
    assert "100 % synthetic" in payload["statement"]


def test_the_profile_is_a_table_or_a_page_and_pictures_and_json(place, published, tmp_path):
    page, pictures = tmp_path / "profile.html", tmp_path / "pictures"
    done = place.call("dataset", "profile", "acme", "--json", "--html", str(page), "--png", str(pictures))
    assert done.returncode == 0, done.stderr
    (profile,) = json.loads(done.stdout)["profiles"]
    assert profile["rows"] == sum(rows["actual"] for rows in published["rows"].values())
    states = next(each for each in profile["distributions"] if each["name"] == "states")
    assert states["verdict"] == "as expected"
    assert "Delinquent loans by days late" in page.read_text()
    names = {f"dev-acme-carga-{each['name']}.png" for each in profile["distributions"]}
    assert {file.name for file in pictures.iterdir()} == names
    shown = place.call("dataset", "profile", "acme", "--mode", "carga")
    assert "Customers by state" in shown.stdout


@pytest.mark.parametrize("form", ["options", "statements"])
def test_the_keys_that_are_shown_open_the_columns_for_the_reader(place, published, form):
    url = place.database.url(roles.READER)
    if form == "options":
        options = place.call("dataset", "open", "acme").stdout.strip()
        connection = psycopg.connect(url, options=options)
    else:
        connection = psycopg.connect(url)
        connection.execute(place.call("dataset", "open", "acme", "--sql").stdout)
    with connection:
        rows = connection.execute("SELECT name, document_number FROM app_opened.customers").fetchall()
    assert len(rows) == 150
    assert all(len(name.split()) >= 3 and len(document) in (11, 14) for name, document in rows)


def test_keys_of_another_environment_are_never_shown(place):
    refused = place.call("dataset", "open", "acme", "--environment", "staging")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "keys-not-shown" in refused.stderr

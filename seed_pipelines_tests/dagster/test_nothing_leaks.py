"""One whole run, and everything that it leaves for people to read: no row, no key and no password is in it."""

import re
from uuid import UUID

import pytest
from seeded import PASSWORD
from test_report_sensor import tick

from seed_pipelines.catalog import ENTITIES
from seed_pipelines.control import roles
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.mask.reading import opening_settings

CPF = re.compile(r"\b\d{3}\.?\d{3}\.?\d{3}-\d{2}\b")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")


@pytest.fixture
def told(seeded_place, capfd):
    """Dagster's events, the captured output, and every file below the home but the one that holds the key."""
    seeded_place.write(customers=20)
    result = seeded_place.run()
    assert result.success
    tick(seeded_place)
    events = "\n".join(str(event) for event in result.all_events)
    records = "\n".join(str(entry) for entry in seeded_place.instance.all_logs(result.run_id))
    output = "\n".join(capfd.readouterr())
    key_files = {seeded_place.installation.settings.env_local}
    files = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in seeded_place.home.rglob("*")
        if path.is_file() and path not in key_files and path.suffix != ".pem"
    ]
    assert files, "a run leaves spans and a report"
    return "\n".join([events, records, output, *files])


def test_neither_documents_nor_addresses_nor_secrets_are_told(told, seeded_place):
    assert not CPF.findall(told)
    assert not EMAIL.findall(told)
    assert PASSWORD not in told
    key_lines = seeded_place.installation.settings.env_local.read_text(encoding="utf-8").splitlines()
    secrets = [line.split("=", 1)[1].strip("\"'") for line in key_lines if "=" in line]
    assert secrets
    assert not [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("values_of", ["plain_values", "masked_values"])
def test_no_personal_value_of_any_row_is_told(told, seeded_place, seeded, values_of):
    place = seeded_place.installation
    plan = place.plan(place.manifest("dev/acme.yaml"))
    values = {"plain_values": plain_values, "masked_values": masked_values}[values_of](plan, seeded, place)
    # A single number or letter of an address or account would be found in any text.
    values = {value for value in values if value and len(value) > 7}
    assert len(values) > 100
    assert {"data:image/png", "content_hash", "seed.batch", "dataset_hash"} <= {word for word in SIGNS if word in told}
    words = set(re.findall(r"\w+", told))
    assert not [value for value in values if (value in words if value.isdigit() else value in told)]


# Of metadata, events, spans and the report: all of them are there to be searched.
SIGNS = ("data:image/png", "content_hash", "seed.batch", "dataset_hash")


def personal_columns(plan):
    return [(entity, column.name) for entity in plan.rows for column in ENTITIES[entity].personal_columns]


def plain_values(plan, _seeded, _place):
    """What was generated, before masking."""
    for entity, column in personal_columns(plan):
        yield from generate(plan, entity, first_row=0, rows=plan.rows[entity]).column(column).to_pylist()


def masked_values(plan, seeded, place):
    """What the database holds, opened."""
    settings = place.settings
    with (
        mask_keys("dev", "acme", vault=None, env_local=settings.env_local, ci=False) as keys,
        seeded.connection(roles.READER) as connection,
        connection.transaction(),
    ):
        opening = opening_settings(keys, [ENTITIES[entity] for entity in plan.rows])
        for name, value in {"app.tenant_id": str(UUID(bytes=plan.tenant_id)), **opening}.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        for entity, column in personal_columns(plan):
            rows = connection.execute(f"SELECT {column} AS value FROM app_opened.{entity}").fetchall()
            yield from (row["value"] for row in rows)

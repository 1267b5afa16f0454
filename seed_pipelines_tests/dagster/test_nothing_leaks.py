"""One whole run, and everything that it leaves for people to read: no row, no key and no password is in it."""

import re

import pytest
from seeded import PASSWORD
from test_report_sensor import tick

from seed_pipelines.catalog import ENTITIES
from seed_pipelines.generate.rows import generate

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


def test_no_personal_value_of_any_row_is_told(told, seeded_place):
    place = seeded_place.installation
    plan = place.plan(place.manifest("dev/acme.yaml"))
    values = set(personal_values(plan))
    assert len(values) > 100
    assert not [value for value in values if value in told]


def personal_values(plan):
    """What the rows say of people, before masking: masked values are no use to anybody who has not these."""
    for entity, rows in plan.rows.items():
        batch = generate(plan, entity, first_row=0, rows=rows)
        for column in ENTITIES[entity].columns:
            if column.pii is not None:
                yield from (value for value in batch.column(column.name).to_pylist() if value and len(value) > 7)

"""One whole run, and everything that it leaves for people to read: no row, no key and no password is in it."""

import re
from uuid import UUID

import pytest
from personal_traces import PAIRS, TELLING_LENGTH, pairs_told, traces_of
from seeded import PASSWORD
from test_report_sensor import tick

from seed_pipelines.catalog import ENTITIES
from seed_pipelines.control import roles
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.mask.reading import opening_settings
from seed_pipelines.outside.telemetry import open_telemetry

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


@pytest.mark.parametrize("columns_of", ["plain_columns", "masked_columns"])
def test_no_personal_value_of_any_row_is_told(told, seeded_place, seeded, columns_of):
    place = seeded_place.installation
    plan = place.plan(place.manifest("dev/acme.yaml"))
    columns = dict({"plain_columns": plain_columns, "masked_columns": masked_columns}[columns_of](plan, seeded, place))
    assert ("contracts", "contract_number") in columns
    values = {value for column in columns.values() for value in column}
    assert len([value for value in values if value and len(value) >= TELLING_LENGTH]) > 100
    assert [value for value in values if value and not value.isascii()], "some of the names have accents"
    assert {"data:image/png", "content_hash", "seed.batch", "dataset_hash"} <= {word for word in SIGNS if word in told}
    assert traces_of(values, told) == set()
    pairs = set(short_pairs(columns))
    assert len(pairs) >= 20
    assert pairs_told(pairs, told) == set()


# Of metadata, events, spans and the report: all of them are there to be searched.
SIGNS = ("data:image/png", "content_hash", "seed.batch", "dataset_hash")


def personal_columns(plan):
    return [(entity, column.name) for entity in plan.rows for column in ENTITIES[entity].masked_columns]


def short_pairs(columns):
    for entity, pairs in PAIRS.items():
        for left, right in pairs:
            yield from zip(columns[entity, left], columns[entity, right], strict=True)


def plain_columns(plan, _seeded, _place):
    """What was generated, before masking."""
    for entity, column in personal_columns(plan):
        rows = generate(plan, entity, first_row=0, rows=plan.rows[entity])
        yield (entity, column), rows.column(column).to_pylist()


def masked_columns(plan, seeded, place):
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
            schema = "app_opened" if ENTITIES[entity].personal_columns else "app"
            rows = connection.execute(f"SELECT {column} AS value FROM {schema}.{entity} ORDER BY id").fetchall()
            yield (entity, column), [row["value"] for row in rows]


@pytest.mark.parametrize("value", ["João Conceição Araújo", "Rua São José", "0123456789012345"])
def test_a_value_that_a_span_tells_would_be_found(tmp_path, value):
    telemetry = open_telemetry(about={}, environment="dev", home=tmp_path, otlp_endpoint=None, environ={})
    with telemetry.span("seed.batch", entity=value):
        pass
    telemetry.finish()
    (spans,) = tmp_path.rglob("spans-*.jsonl")
    told = spans.read_text(encoding="utf-8")
    assert traces_of({value, "Maria Álvares Lima"}, told) == {value}


@pytest.mark.parametrize(
    "text",
    [
        "account 0042 98765-1",
        '{"agency": "0042", "agency_digit": null, "account": "98765"}',
        "bank_code,account,agency\n237,98765,0042",
    ],
)
def test_a_short_account_would_be_found_beside_its_agency(text):
    assert pairs_told({("0042", "98765"), ("0042", "98766"), ("42", "98765")}, text) == {("0042", "98765")}
    assert pairs_told({("0042", "98765")}, "98765 rows" + " word" * 20 + " 0042") == set()

"""The views that open personal columns: with the keys of the columns, for the tenant that is named, and not else."""

import re
from uuid import UUID

import numpy as np
import psycopg
import pytest
from factories import make_plan
from seed_runs import run_all
from seeded import new_database, open_one_session
from validate_docbr import CNPJ, CPF

from seed_pipelines import catalog
from seed_pipelines.catalog import Pii
from seed_pipelines.control import roles
from seed_pipelines.generate.banks import BANKS, account_digits, agency_digits
from seed_pipelines.generate.postal import PREFIXES
from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.reading import opening_settings, setting_of
from seed_pipelines.seeds import tenant_id_of

PERSONAL = [entity for entity in catalog.ENTITIES.values() if entity.personal_columns]
COLUMNS = [(entity.name, column.name) for entity in PERSONAL for column in entity.personal_columns]
DENIED = psycopg.errors.InsufficientPrivilege


def keys_of(tenant="acme"):
    return FieldKeys(b"k" * 32, environment="dev", tenant=tenant)


def tenant_id(tenant="acme"):
    return str(UUID(bytes=tenant_id_of("dev", tenant)))


def set_all(connection, settings):
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])


@pytest.fixture(scope="module")
def world(postgres_server, seeded_template, tmp_path_factory):
    """A published dataset of acme, of every entity, and one of another tenant."""
    with new_database(postgres_server, seeded_template) as database:
        home = tmp_path_factory.mktemp("opened")
        plans = {
            tenant: make_plan(customers=150, suppliers=60, tenant=tenant, mode="carga") for tenant in ("acme", "globex")
        }
        for tenant, plan in plans.items():
            with open_one_session(database.loader_url, home, tenant=tenant) as session:
                run_all(session, plan)
        yield database, plans


@pytest.fixture
def database(world):
    return world[0]


@pytest.fixture
def plan(world):
    return world[1]["acme"]


@pytest.fixture
def reader(database):
    """In a transaction, with the tenant set and no key."""
    with database.connection(roles.READER) as connection, connection.transaction(force_rollback=True):
        set_all(connection, {"app.tenant_id": tenant_id()})
        yield connection


@pytest.fixture
def opened(reader):
    """The same, with every key."""
    set_all(reader, opening_settings(keys_of(), PERSONAL))
    return reader


def values(connection, entity, column):
    rows = connection.execute(f"SELECT {column} AS value FROM app_opened.{entity} ORDER BY id").fetchall()
    return [row["value"] for row in rows]


def plain_values(plan, entity, column):
    return generate(plan, entity, first_row=0, rows=plan.rows[entity]).column(column).to_pylist()


def test_every_table_with_personal_columns_has_a_view_with_its_columns_in_their_order(database):
    with database.superuser() as connection:
        rows = connection.execute(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) AS columns "
            "FROM information_schema.columns WHERE table_schema = 'app_opened' GROUP BY table_name"
        ).fetchall()
    assert {row["table_name"]: row["columns"] for row in rows} == {
        entity.name: [column.name for column in entity.stored_columns] for entity in PERSONAL
    }


@pytest.mark.parametrize(("entity", "column"), COLUMNS)
def test_with_its_key_every_value_opens_and_is_another_than_was_generated(opened, plan, entity, column):
    found, plain = values(opened, entity, column), plain_values(plan, entity, column)
    assert [value is None for value in found] == [value is None for value in plain]
    # A single digit is the same as before in one case out of ten.
    if not column.endswith("_digit"):
        assert sum(a == b for a, b in zip(found, plain, strict=True) if a) <= len(plain) // 50


@pytest.mark.parametrize(("entity", "column"), COLUMNS)
def test_a_key_opens_its_own_column_and_no_other(reader, entity, column):
    settings = opening_settings(keys_of(), PERSONAL)
    set_all(reader, {setting_of(entity, column): settings[setting_of(entity, column)]})
    others = [other for known, other in COLUMNS if known == entity and other != column]
    assert any(values(reader, entity, column))
    for other in others:
        assert not any(values(reader, entity, other))


def test_without_a_key_there_is_nothing_and_after_the_transaction_there_is_no_key(database):
    with database.connection(roles.READER) as connection:
        with connection.transaction():
            set_all(connection, {"app.tenant_id": tenant_id()} | dict(opening_settings(keys_of(), PERSONAL)))
            assert any(values(connection, "customers", "name"))
        with connection.transaction():
            set_all(connection, {"app.tenant_id": tenant_id()})
            for entity, column in COLUMNS:
                assert set(values(connection, entity, column)) == {None}


def test_another_tenant_s_key_is_refused(reader):
    set_all(reader, opening_settings(keys_of("globex"), PERSONAL))
    with pytest.raises(psycopg.errors.ExternalRoutineInvocationException, match="Wrong key or corrupt data"):
        values(reader, "customers", "name")


def test_row_level_security_holds_through_every_view(database, world):
    with database.connection(roles.READER) as connection:
        for tenant, rows in ((None, None), ("acme", world[1]["acme"].rows), ("globex", world[1]["globex"].rows)):
            with connection.transaction():
                if tenant:
                    set_all(connection, {"app.tenant_id": tenant_id(tenant)})
                for entity in PERSONAL:
                    found = connection.execute(
                        f"SELECT tenant_id::text AS tenant, count(*) AS rows FROM app_opened.{entity.name} GROUP BY 1"
                    ).fetchall()
                    expected = [{"tenant": tenant_id(tenant), "rows": rows[entity.name]}] if tenant else []
                    assert found == expected


@pytest.mark.parametrize("role", [roles.LOADER, roles.APPLICATION, roles.AUDITOR])
def test_only_the_reader_may_use_the_views(database, role):
    with database.connection(role) as connection:
        for entity in PERSONAL:
            with pytest.raises(DENIED):
                connection.execute(f"SELECT FROM app_opened.{entity.name}")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO {table} DEFAULT VALUES",
        "UPDATE {table} SET id = 1",
        "DELETE FROM {table}",
        "TRUNCATE app.customers",
        "SELECT FROM app.customers_default",
        "SELECT FROM seed_control.seed_run",
        "CREATE TABLE app_opened.mine (id integer)",
        "ALTER VIEW app_opened.customers RESET (security_invoker)",
        "SET ROLE seed_owner",
    ],
)
def test_the_reader_reads_and_does_nothing_else(database, statement):
    with database.connection(roles.READER) as connection:
        for table in ("app.customers", "app_opened.customers"):
            with pytest.raises((DENIED, psycopg.errors.ObjectNotInPrerequisiteState)):
                connection.execute(statement.format(table=table))


def test_the_reader_may_read_every_table(database):
    with database.connection(roles.READER) as connection:
        for entity in catalog.ENTITIES:
            assert connection.execute(f"SELECT FROM app.{entity}").rowcount == 0


def _is_document(value):
    return CPF().validate(value) if len(value) == 11 else CNPJ().validate(value)


def _is_name(value):
    words = value.split(" ")
    known = {*vocabulary().given.words, *vocabulary().activities.words}
    return words[0] in known and set(words[1:3]) <= set(vocabulary().surnames.words) and len(words) <= 4


def _is_postal_code(value):
    if not re.fullmatch("[0-9]{8}", value):
        return False
    prefix = int(value[:5])
    return any(first <= prefix <= last for spans in PREFIXES.values() for first, last in spans)


def _is_pix_key(value):
    if "@" in value:
        return FORMS[Pii.EMAIL](value)
    if value.startswith("+"):
        return FORMS[Pii.PHONE](value)
    return re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) or _is_document(value)


FORMS = {
    Pii.DOCUMENT: _is_document,
    Pii.NAME: _is_name,
    Pii.COMPANY_NAME: lambda value: _is_name(value) and value.endswith((" Ltda", " S.A.")),
    Pii.EMAIL: re.compile(r"[a-z0-9.]+@example\.(com|net|org)").fullmatch,
    Pii.PHONE: re.compile(r"\+55[1-9][0-9]9[0-9]{8}").fullmatch,
    Pii.STREET: lambda value: (
        re.fullmatch(r"(Rua|Avenida|Travessa|Alameda) .+|[1-9][0-9]{0,3}", value) or _is_postal_code(value)
    ),
    Pii.COMPLEMENT: re.compile(r"(Apto|Casa|Sala|Loja) [1-9][0-9]{0,3} Bloco [A-Z]").fullmatch,
    Pii.BANK_ACCOUNT: re.compile("[0-9]+|[XP]").fullmatch,
    Pii.PIX_KEY: _is_pix_key,
    Pii.PIX_REFERENCE: re.compile("E[0-9]{20}[0-9a-z]{11}").fullmatch,
}


@pytest.mark.parametrize(("entity", "column"), COLUMNS)
def test_pgcrypto_opens_values_of_the_form_that_the_column_has(opened, entity, column):
    kind = next(found.pii for found in catalog.ENTITIES[entity].columns if found.name == column)
    present = [value for value in values(opened, entity, column) if value is not None]
    assert present
    assert [value for value in present if not FORMS[kind](value)] == []


@pytest.mark.parametrize(
    ("entity", "columns"),
    [
        ("users", "email"),
        ("consultants", "email"),
        ("customers", "document_number"),
        ("customers", "email"),
        ("suppliers", "document_number"),
        ("bank_accounts", "bank_code, agency, account"),
        ("bank_accounts", "pix_key"),
        ("financial_transactions", "reference"),
    ],
)
def test_what_is_unique_is_still_unique_once_it_is_opened(opened, entity, columns):
    twice = opened.execute(
        f"SELECT {columns} FROM app_opened.{entity} WHERE ({columns}) IS NOT NULL "
        f"GROUP BY {columns} HAVING count(*) > 1"
    ).fetchall()
    # People of one phone number share it as a key, too.
    assert [row for row in twice if not str(row.get("pix_key", "")).startswith("+")] == []


def test_opened_accounts_have_the_check_digits_of_their_bank(opened):
    rows = opened.execute(
        "SELECT bank_code, agency, agency_digit, account, account_digit FROM app_opened.bank_accounts"
    ).fetchall()
    assert {row["bank_code"] for row in rows} == {bank.code for bank in BANKS}
    for row in rows:
        bank = next(bank for bank in BANKS if bank.code == row["bank_code"])
        agency, account = (np.frombuffer(row[name].encode(), np.uint8)[None, :] for name in ("agency", "account"))
        expected = agency_digits(bank, agency)
        assert row["agency_digit"] == (None if expected is None else bytes(expected[0]).decode())
        assert row["account_digit"] == bytes(account_digits(bank, agency, account)[0]).decode()

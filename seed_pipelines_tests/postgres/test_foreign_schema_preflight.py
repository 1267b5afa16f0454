"""The preflight of an application's tables: a schema that fits passes, one that was broken in any way is refused."""

from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from seeded import SeededDatabase
from shop import TABLES, make_shop, shop_mapping, shop_plan

from seed_pipelines.errors import DatabaseNotSafe
from seed_pipelines.load import preflight
from seed_pipelines.load.canary import try_canary
from seed_pipelines.load.mapped_checks import MAPPED_CHECKS
from seed_pipelines.mapping.grants import grants_of, policies_of
from seed_pipelines.outside.postgres import connected

MAPPING = shop_mapping()
ENTITIES = tuple(shop_plan().rows)
TENANT = "nullif(current_setting('shop.organization', true), '')::bigint"


@pytest.fixture(scope="module")
def shop_database(postgres_server, seeded_template):
    """A database with the application's schema; whatever is done to it is rolled back."""
    name = f"shop_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.superuser_dsn, autocommit=True) as administrator:
        identifiers = map(sql.Identifier, (name, seeded_template))
        administrator.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*identifiers))
        administrator.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        database = SeededDatabase(name=name, server=postgres_server)
        make_shop(database)
        yield database
        administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def loader_after(database, statements):
    """The loader, in the transaction of a superuser who changed something; rolled back at the end."""
    with connected(database.server.dsn(database.name)) as connection, connection.transaction(force_rollback=True):
        if statements:
            connection.execute(statements)
        connection.execute("SET LOCAL SESSION AUTHORIZATION seed_loader")
        yield connection


def checks_in(refusal):
    return {finding.partition(":")[0] for finding in refusal.value.findings} - {"canary"}


def test_a_schema_that_fits_its_mapping_passes_every_check(shop_database):
    with loader_after(shop_database, "") as connection:
        results = preflight.assert_safe(connection, ENTITIES, mapping=MAPPING)
        preflight.assert_still_safe(connection, ENTITIES, mapping=MAPPING)
    assert {check.name for check in MAPPED_CHECKS} <= {result.check for result in results}


BROKEN = {
    "no_table": ("ALTER TABLE shop.loan RENAME TO credit", "mapped-tables mapped-columns mapped-uniques sequences"),
    "a_view": (
        "ALTER TABLE shop.loan RENAME TO credit; CREATE VIEW shop.loan AS SELECT * FROM shop.credit",
        "mapped-tables mapped-rights mapped-policy mapped-uniques mapped-columns sequences row-security "
        "rules mapped-sequences",
    ),
    "a_child_table": ("CREATE TABLE shop.old_loan () INHERITS (shop.loan)", "mapped-tables"),
    "row_security_off": ("ALTER TABLE shop.loan DISABLE ROW LEVEL SECURITY", "row-security"),
    "row_security_not_forced": ("ALTER TABLE shop.loan NO FORCE ROW LEVEL SECURITY", "row-security"),
    "no_policy": ("DROP POLICY tenant_only ON shop.loan", "mapped-policy"),
    "a_second_policy": ("CREATE POLICY open ON shop.loan USING (true)", "mapped-policy"),
    "a_permissive_policy_beside_one_that_is_alone": (
        "CREATE POLICY open ON shop.category USING (true)",
        "mapped-policy",
    ),
    "a_fallback": (
        f"ALTER POLICY tenant_only ON shop.loan USING (organization_id = coalesce({TENANT}, organization_id))",
        "mapped-policy",
    ),
    "an_open_check": ("ALTER POLICY tenant_only ON shop.loan WITH CHECK (true)", "mapped-policy"),
    "another_setting": (
        "ALTER POLICY tenant_only ON shop.loan "
        "USING (organization_id = nullif(current_setting('shop.tenant', true), '')::bigint)",
        "mapped-policy",
    ),
    "no_usage": ("REVOKE USAGE ON SCHEMA shop FROM seed_loader", "mapped-rights mapped-columns"),
    "no_delete": ("REVOKE DELETE ON shop.loan FROM seed_loader", "mapped-rights"),
    "no_insert": ("REVOKE INSERT ON shop.loan FROM seed_loader", "mapped-rights mapped-columns"),
    "no_update_for_the_circle": ("REVOKE UPDATE (main_account_id) ON shop.customer FROM seed_loader", "mapped-rights"),
    "no_usage_of_a_sequence": ("REVOKE USAGE ON SEQUENCE shop.loan_id_seq FROM seed_loader", "mapped-rights"),
    "truncate": ("GRANT TRUNCATE ON shop.loan TO seed_loader", "table-rights"),
    "a_right_on_another_table": ("GRANT SELECT ON shop.organization TO seed_loader", "other-relations"),
    "ownership": ("ALTER TABLE shop.loan OWNER TO seed_loader", "ownership table-rights mapped-sequences"),
    "a_rule": ("CREATE RULE gone AS ON DELETE TO shop.loan DO INSTEAD NOTHING", "rules"),
    "a_column_less": ("ALTER TABLE shop.loan RENAME origin TO source", "mapped-columns"),
    "a_column_more": (
        "ALTER TABLE shop.loan ADD extra text NOT NULL DEFAULT ''; ALTER TABLE shop.loan ALTER extra DROP DEFAULT",
        "mapped-columns",
    ),
    "a_generated_column": (
        "ALTER TABLE shop.loan DROP origin; ALTER TABLE shop.loan ADD origin text GENERATED ALWAYS AS ('x') STORED",
        "mapped-columns",
    ),
    "a_second_identity": (
        'ALTER TABLE shop.category ALTER "order" DROP DEFAULT; '
        'ALTER TABLE shop.category ALTER "order" ADD GENERATED ALWAYS AS IDENTITY',
        "mapped-columns",
    ),
    "a_column_of_another_type": ("ALTER TABLE shop.loan ALTER amount TYPE date USING now()", "mapped-columns"),
    "another_enum": (
        "CREATE TYPE shop.state AS ENUM ('OPEN'); ALTER TABLE shop.loan ALTER status TYPE shop.state USING 'OPEN'",
        "mapped-columns",
    ),
    "a_reference_that_must_not_be_null": (
        "DELETE FROM shop.loan; DELETE FROM shop.customer; SET CONSTRAINTS ALL IMMEDIATE; "
        "ALTER TABLE shop.customer ALTER main_account_id SET NOT NULL",
        "mapped-columns",
    ),
    "a_unique_of_all_tenants": ("CREATE UNIQUE INDEX one_document ON shop.customer (document)", "mapped-uniques"),
    "a_unique_of_values_that_repeat": (
        "DELETE FROM shop.loan; DELETE FROM shop.customer; SET CONSTRAINTS ALL IMMEDIATE; "
        "CREATE UNIQUE INDEX one_name ON shop.customer (organization_id, full_name)",
        "mapped-uniques",
    ),
    "a_unique_expression": (
        "CREATE UNIQUE INDEX one_upper ON shop.account (organization_id, upper(number))",
        "mapped-uniques",
    ),
    "a_key_of_ours_that_is_unique_alone": ("CREATE UNIQUE INDEX one_id ON shop.category (id)", "mapped-uniques"),
    "a_key_that_is_not_unique": ("ALTER TABLE shop.account DROP CONSTRAINT account_pkey CASCADE", "mapped-uniques"),
    "a_reference_elsewhere": (
        "DELETE FROM shop.loan; ALTER TABLE shop.loan ADD FOREIGN KEY (customer_id) REFERENCES shop.organization",
        "mapped-references",
    ),
    "a_cascade_that_nobody_may_see": ("REVOKE SELECT ON shop.note FROM seed_loader", "mapped-references"),
    "a_trigger": (
        "CREATE FUNCTION shop.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; "
        "CREATE TRIGGER spy BEFORE INSERT ON shop.loan FOR EACH ROW EXECUTE FUNCTION shop.spy()",
        "mapped-triggers",
    ),
    "constraints_off": ("ALTER TABLE shop.loan DISABLE TRIGGER ALL", "mapped-triggers"),
    "a_sequence_that_goes_round": ("ALTER SEQUENCE shop.loan_id_seq CYCLE", "mapped-sequences"),
    "no_sequence": ("ALTER SEQUENCE shop.loan_id_seq OWNED BY NONE", "mapped-sequences sequences"),
    "a_sequence_that_can_be_set_back": ("GRANT UPDATE ON SEQUENCE shop.loan_id_seq TO seed_loader", "mapped-sequences"),
    "a_small_key": ("ALTER TABLE shop.category ALTER id TYPE integer", "mapped-sequences"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_schema_that_does_not_fit_is_refused(shop_database, name):
    statements, checks = BROKEN[name]
    with loader_after(shop_database, statements) as connection, pytest.raises(DatabaseNotSafe) as refusal:
        preflight.assert_safe(connection, ENTITIES, mapping=MAPPING)
    assert checks_in(refusal) == set(checks.split())


TAKEN_AWAY = "".join(
    f"DROP POLICY IF EXISTS tenant_rows ON shop.{table}; DROP POLICY tenant_only ON shop.{table}; "
    f"ALTER TABLE shop.{table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY; "
    for table in TABLES.values()
) + (
    "REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM seed_loader; "
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA shop FROM seed_loader; REVOKE ALL ON SCHEMA shop FROM seed_loader; "
)


def test_the_statements_for_the_owner_are_what_the_preflight_asks_for(shop_database):
    with loader_after(shop_database, TAKEN_AWAY) as connection, pytest.raises(DatabaseNotSafe) as refusal:
        preflight.assert_safe(connection, ENTITIES, mapping=MAPPING)
    assert {"mapped-policy", "mapped-rights", "row-security"} <= checks_in(refusal)
    given = "".join((*policies_of(MAPPING), *grants_of(MAPPING)))
    # The application's own table refers to loans with a cascade: the loader has to see who does.
    with loader_after(shop_database, f"{TAKEN_AWAY}{given}GRANT SELECT ON shop.note TO seed_loader") as connection:
        assert preflight.assert_safe(connection, ENTITIES, mapping=MAPPING)


LOST = ["row_security_off", "row_security_not_forced", "no_policy", "a_second_policy", "a_fallback", "no_table"]


@pytest.mark.parametrize("name", LOST)
def test_a_table_that_lost_its_protection_is_refused_at_the_next_batch(shop_database, name):
    with (
        loader_after(shop_database, BROKEN[name][0]) as connection,
        pytest.raises(DatabaseNotSafe, match=r"shop\.loan"),
    ):
        preflight.assert_still_safe(connection, ENTITIES, mapping=MAPPING)


@pytest.mark.parametrize("accepted", ["trigger", "unique"])
def test_what_somebody_has_looked_at_passes(shop_database, accepted):
    text = {"trigger": "accepts: {triggers: [spy]}", "unique": "accepts: {uniques: [one_document]}"}[accepted]
    entity = {"trigger": "  loans:\n    table: loan", "unique": "  customers:\n    table: customer"}[accepted]
    statements = BROKEN[{"trigger": "a_trigger", "unique": "a_unique_of_all_tenants"}[accepted]][0]
    mapping = shop_mapping((entity, f"{entity}\n    {text}"))
    with loader_after(shop_database, statements) as connection:
        assert preflight.assert_safe(connection, ENTITIES, mapping=mapping)


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        ("ALTER TABLE shop.loan DISABLE ROW LEVEL SECURITY", "nobody sees rows of shop.loan"),
        ("ALTER TABLE shop.loan DISABLE ROW LEVEL SECURITY", "shop.loan is read without its policies"),
        ("DROP POLICY tenant_only ON shop.loan", "stranger may write a row of another tenant into shop.loan"),
    ],
)
def test_the_canary_finds_by_trying_what_the_catalogue_would_say(shop_database, statements, finding):
    with loader_after(shop_database, statements) as connection:
        assert finding in try_canary(connection, (), mapping=MAPPING).detail


def test_the_canary_moves_no_sequence(shop_database):
    last = "SELECT array_agg(last_value ORDER BY sequencename) FROM pg_sequences WHERE schemaname = 'shop'"
    before = shop_database.value(last)
    with loader_after(shop_database, "") as connection:
        assert try_canary(connection, (), mapping=MAPPING).ok
    assert shop_database.value(last) == before

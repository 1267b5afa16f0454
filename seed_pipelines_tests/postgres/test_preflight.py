"""The preflight on a real PostgreSQL: a good schema passes, and a schema broken in any known way is refused."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from broken_schemas import A_TENANT, DATABASE_BREAKAGES, ROLE_BREAKAGES, SCHEMA_BREAKAGES, TENANT
from factories import make_plan
from seeded import SeededDatabase, request_for

from seed_pipelines import catalog, flow
from seed_pipelines.catalog import ColumnType
from seed_pipelines.control import roles
from seed_pipelines.errors import DatabaseNotSafe, MigrationsPending
from seed_pipelines.load import preflight
from seed_pipelines.load.canary import _ANY_VALUE, try_canary
from seed_pipelines.load.catalogue_checks import values_of
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import connected
from seed_pipelines.outside.telemetry import open_telemetry

ENTITIES = tuple(catalog.ENTITIES)
PLAN = make_plan()
NAMES = [check.name for check in preflight.CHECKS]


def checks_in(refusal):
    """The checks that a refusal names, but for the canary: it is not tried where another one fails."""
    return {finding.partition(":")[0] for finding in refusal.value.findings} - {"canary"}


def rows_in(connection):
    """Every row of a tenant, and every row that a seed run leaves, as a superuser sees them."""
    tables = connection.execute(
        "SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace IN "
        "('app'::regnamespace, 'seed_build'::regnamespace) OR c.oid = 'seed_control.seed_run'::regclass"
    ).fetchall()
    counts = (connection.execute(f"SELECT count(*) AS rows FROM {table['name']}").fetchone() for table in tables)
    return sum(count["rows"] for count in counts)


@pytest.fixture
def template(postgres_server, seeded_template):
    """The database that the others are made from: whatever is done to it is rolled back."""
    return SeededDatabase(name=seeded_template, server=postgres_server)


@pytest.fixture(scope="module")
def idle_session(tmp_path_factory):
    """A session without its connection."""
    home = tmp_path_factory.mktemp("preflight")
    telemetry = open_telemetry(about={}, environment="dev", home=home, otlp_endpoint=None)
    keys = FieldKeys(b"k" * 32, environment="dev", tenant="acme")
    yield flow.Session(connection=None, keys=keys, telemetry=telemetry, worker="one")
    telemetry.finish()


@contextmanager
def loader_after(template, breakage):
    """The loader, in the transaction of a superuser who broke something; rolled back at the end."""
    with (
        connected(template.server.dsn(template.name)) as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute(breakage.statements.replace("{database}", template.name))
        connection.execute("SET LOCAL SESSION AUTHORIZATION seed_loader")
        yield connection


def assert_refused(connection, session):
    """Refused, by itself and as the beginning of a seed run, and nothing written; the checks that say so."""
    with pytest.raises(DatabaseNotSafe) as refusal:
        preflight.assert_safe(connection, ENTITIES)
    session = replace(session, connection=connection)
    with pytest.raises(DatabaseNotSafe):
        flow.begin(session, PLAN, request_for(session))
    connection.execute("RESET SESSION AUTHORIZATION")
    assert rows_in(connection) == 0
    return checks_in(refusal)


def test_a_migrated_database_passes_every_check(seeded):
    with seeded.connection() as connection:
        results = preflight.assert_safe(connection, ENTITIES)
    assert [result.check for result in results] == NAMES
    assert all(result.ok for result in results)


@pytest.mark.parametrize("breakage", SCHEMA_BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_broken_schema_is_refused_and_nothing_is_written(template, idle_session, breakage):
    with loader_after(template, breakage) as connection:
        assert assert_refused(connection, idle_session) == breakage.checks


@pytest.mark.parametrize("breakage", ROLE_BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_loader_with_too_many_rights_is_refused_and_nothing_is_written(template, idle_session, breakage):
    with loader_after(template, breakage) as connection:
        assert breakage.checks <= assert_refused(connection, idle_session)


@pytest.mark.parametrize("breakage", DATABASE_BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_database_that_is_broken_for_new_sessions_is_refused_and_nothing_is_written(seeded, open_session, breakage):
    with seeded.superuser() as superuser:
        superuser.execute(breakage.statements.replace("{database}", seeded.name))
        session = open_session()
        with pytest.raises(DatabaseNotSafe) as refusal:
            flow.begin(session, PLAN, request_for(session))
        assert checks_in(refusal) == breakage.checks
        assert rows_in(superuser) == 0


@pytest.mark.parametrize("breakage", ROLE_BREAKAGES[:-1], ids=lambda breakage: breakage.name)
def test_a_loader_that_gains_rights_is_refused_at_its_next_batch(template, breakage):
    with (
        loader_after(template, breakage) as connection,
        pytest.raises(DatabaseNotSafe, match=r"login-role|memberships"),
    ):
        preflight.assert_still_safe(connection, ENTITIES)


REPEATED = {"row-security", "tenant-policy", "target-tables"}


@pytest.mark.parametrize(
    "breakage",
    # Partitions are not looked at again: rows reach them through their parent.
    [breakage for breakage in SCHEMA_BREAKAGES if breakage.checks <= REPEATED and "partition" not in breakage.name],
    ids=lambda breakage: breakage.name,
)
def test_a_table_that_lost_its_protection_is_refused_at_the_next_batch(template, breakage):
    with (
        loader_after(template, breakage) as connection,
        pytest.raises(DatabaseNotSafe, match="|".join(breakage.checks)),
    ):
        preflight.assert_still_safe(connection, ENTITIES)


@pytest.mark.parametrize("role", [None, roles.MIGRATOR])
def test_only_the_loader_may_log_in(seeded, role):
    with connected(seeded.url(role) if role else seeded.server.dsn(seeded.name)) as connection:
        with pytest.raises(DatabaseNotSafe) as refusal:
            preflight.assert_safe(connection, ENTITIES)
        assert {"target-tables", "login-role"} & checks_in(refusal)


def test_a_role_that_was_switched_to_is_refused(seeded):
    with connected(seeded.server.dsn(seeded.name)) as connection:
        connection.execute("SET ROLE seed_loader")
        with pytest.raises(DatabaseNotSafe) as refusal:
            preflight.assert_safe(connection, ENTITIES)
    assert checks_in(refusal) == {"login-role"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("app.tenant_id", "00000000-0000-8000-8000-00000000000a"),
        ("search_path", "public, pg_catalog"),
        ("default_transaction_isolation", "serializable"),
        ("lock_timeout", "0"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("statement_timeout", "1min"),
    ],
)
def test_a_session_that_was_changed_is_refused(seeded, setting, value):
    with seeded.connection() as connection:
        connection.execute(f"SET {setting} = {value}" if "," in value else f"SET {setting} = '{value}'")
        with pytest.raises(DatabaseNotSafe) as refusal:
            preflight.assert_safe(connection, ENTITIES)
    assert checks_in(refusal) == {"session"}


def test_a_session_without_policies_is_refused_and_cannot_look_at_builds(seeded):
    with seeded.connection() as connection:
        connection.execute("SET row_security = off")
        with pytest.raises(DatabaseNotSafe) as refusal:
            preflight.assert_safe(connection, ENTITIES)
    assert checks_in(refusal) == {"session", "build-tables"}


def test_a_tenant_of_an_earlier_transaction_is_no_tenant_left_over(seeded):
    with seeded.connection() as connection:
        with connection.transaction():
            connection.execute(f"SELECT set_config('app.tenant_id', {A_TENANT}::text, true)")
        assert preflight.assert_safe(connection, ENTITIES)


@pytest.mark.parametrize("entities", [(), ("loans", "unknown"), ('loans"; DROP TABLE app.loans; --',)])
def test_no_table_and_an_unknown_table_are_refused(seeded, entities):
    with seeded.connection() as connection, pytest.raises(DatabaseNotSafe, match="target-tables"):
        preflight.assert_safe(connection, entities)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM seed_control.migration WHERE name LIKE '0004%'",
        "UPDATE seed_control.migration SET sha256 = 'x' WHERE name LIKE '0004%'",
        "DROP SCHEMA seed_control CASCADE",
    ],
)
def test_missing_or_changed_migrations_are_refused(seeded, statement):
    with seeded.superuser() as superuser:
        superuser.execute(statement)
    with seeded.connection() as connection, pytest.raises(MigrationsPending):
        preflight.assert_safe(connection, ENTITIES)


def test_an_examination_tells_of_missing_migrations_beside_everything_else(seeded):
    with seeded.superuser() as superuser:
        superuser.execute("DELETE FROM seed_control.migration WHERE name LIKE '0004%'")
    with seeded.connection() as connection:
        results = preflight.examine(connection, ENTITIES)
    assert {result.check for result in results if not result.ok} == {"migrations", "canary"}


@pytest.mark.parametrize(
    ("table", "checks"),
    [
        ("pg_auth_members", {"memberships"}),
        ("pg_database", {"ownership"}),
        ("pg_policy", {"tenant-policy", "other-relations", "build-tables"}),
        ("pg_rewrite", {"rules"}),
        ("pg_trigger", {"triggers"}),
        ("pg_proc", {"definer-functions", "leakproof-functions"}),
        ("pg_index", {"tenant-keys"}),
        ("pg_attrdef", {"sequences"}),
        ("pg_roles", {"login-role", "memberships", "definer-functions"}),
    ],
)
def test_what_cannot_be_looked_at_is_not_safe(seeded, table, checks):
    with seeded.superuser() as superuser:
        superuser.execute(f"REVOKE SELECT ON pg_catalog.{table} FROM PUBLIC")
    with (
        seeded.connection() as connection,
        pytest.raises(DatabaseNotSafe, match="it could not be checked: SQLSTATE 42501") as refusal,
    ):
        preflight.assert_safe(connection, ENTITIES)
    assert checks_in(refusal) == checks


def test_a_catalogue_that_cannot_be_read_at_all_is_a_refusal(seeded, open_session):
    session = open_session()
    with seeded.superuser() as superuser:
        superuser.execute("REVOKE SELECT ON pg_catalog.pg_class FROM PUBLIC")
        with pytest.raises(DatabaseNotSafe, match="target-tables: it could not be checked"):
            flow.begin(session, PLAN, request_for(session))
        assert rows_in(superuser) == 0


def test_every_function_of_the_control_schema_is_known_word_for_word(seeded):
    live = seeded.value(
        "SELECT array_agg(DISTINCT p.proname::text ORDER BY p.proname::text) FROM pg_proc AS p "
        "WHERE p.pronamespace = 'seed_control'::regnamespace"
    )
    with seeded.connection() as connection:
        assert sorted(set(values_of(connection, ENTITIES)["function_names"])) == live


def open_policy(entity):
    """A policy that reads well and lets everything pass."""
    return (
        f"DROP POLICY tenant_only ON app.{entity}; CREATE POLICY tenant_only ON app.{entity} AS RESTRICTIVE "
        f"USING (tenant_id = coalesce({TENANT}, tenant_id)) WITH CHECK (true)"
    )


A_ROW = f"INSERT INTO app.tenants VALUES ({A_TENANT}, 1, 'acme', 'dev', 'baseline', 'active', now())"


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (open_policy("tenants"), "nobody sees rows of app.tenants"),
        (open_policy("tenants"), "stranger may write a row of another tenant into app.tenants"),
        ("ALTER TABLE app.tenants DISABLE ROW LEVEL SECURITY", "stranger sees rows of app.tenants"),
        ("ALTER TABLE app.tenants DISABLE ROW LEVEL SECURITY", "app.tenants is read without its policies"),
        ("DROP TABLE app.tenants", "it could not be tried: SQLSTATE 42P01"),
    ],
)
def test_the_canary_finds_by_trying_what_the_catalogue_would_say(seeded, statement, finding):
    with seeded.superuser() as superuser:
        superuser.execute(A_ROW)
        superuser.execute(statement)
        before = rows_in(superuser)
        with seeded.connection() as connection:
            result = try_canary(connection, ("tenants",))
            assert connection.info.transaction_status.name == "IDLE"
        assert not result.ok
        assert finding in result.detail
        assert rows_in(superuser) == before


def test_the_canary_leaves_no_row_and_no_tenant(seeded):
    with seeded.superuser() as superuser:
        superuser.execute(A_ROW)
        with seeded.connection() as connection:
            assert try_canary(connection, ENTITIES).ok
            left = connection.execute("SELECT current_setting('app.tenant_id', true) AS tenant").fetchone()["tenant"]
            assert not left
            assert connection.execute("SHOW row_security").fetchone()["row_security"] == "on"
        assert rows_in(superuser) == 1


def test_the_canary_has_a_value_for_every_type_of_the_catalogue():
    assert set(_ANY_VALUE) == set(ColumnType)

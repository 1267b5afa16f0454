"""What each role can do and cannot: tried with the statements themselves, not read from a list of grants."""

import psycopg
import pytest
from seed_runs import begun, held_shard, lean_plan, load_all, run_all

from seed_pipelines.control import roles
from seed_pipelines.load import publish as publishing

DENIED = psycopg.errors.InsufficientPrivilege

# {build} is the loader's own build table that is not sealed, {leaf} a published partition, {run} the seed run.
FORBIDDEN_TO_THE_LOADER = [
    "SELECT FROM {build}",
    "UPDATE {build} SET id = 1",
    "DELETE FROM {build}",
    "TRUNCATE {build}",
    "DROP TABLE {build}",
    "ALTER TABLE {build} ADD COLUMN extra text",
    "CREATE INDEX ON {build} (id)",
    "ALTER TABLE app.customers DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE app.customers NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY tenant_only ON app.customers",
    "CREATE POLICY everyone ON app.customers USING (true)",
    "ALTER TABLE app.customers DETACH PARTITION {leaf}",
    "TRUNCATE app.customers",
    "UPDATE app.customers SET status = 'active'",
    "DROP TABLE app.customers",
    "SELECT FROM {leaf}",
    "INSERT INTO {leaf} DEFAULT VALUES",
    "SELECT FROM app.customers_default",
    "CREATE TABLE app.mine (id integer)",
    "CREATE TABLE seed_build.mine (id integer)",
    "CREATE TABLE seed_control.mine (id integer)",
    "CREATE TABLE public.mine (id integer)",
    "CREATE TEMPORARY TABLE pg_class (id integer)",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql RETURN 1",
    "CREATE SCHEMA mine",
    "SET ROLE seed_owner",
    "SET ROLE seed_application",
    "SET session_replication_role = replica",
    "ALTER ROLE seed_loader BYPASSRLS",
    "DELETE FROM seed_control.checkpoint",
    "UPDATE seed_control.checkpoint SET rows = 1",
    "TRUNCATE seed_control.checkpoint",
    "DELETE FROM seed_control.seed_run",
    "UPDATE seed_control.seed_run SET manifest_hash = repeat('0', 64)",
    "UPDATE seed_control.seed_run SET dataset_hash = 'mine'",
    "UPDATE seed_control.seed_run SET planned_rows = '{{}}'",
    "DELETE FROM seed_control.seed_shard",
    "DELETE FROM seed_control.lease",
    "DELETE FROM seed_control.idempotency_key",
    "UPDATE seed_control.idempotency_key SET seed_run_id = '{run}'",
    "INSERT INTO seed_control.dataset (environment) VALUES ('dev')",
    "UPDATE seed_control.dataset SET generation = 1",
    "DELETE FROM seed_control.dataset",
    "UPDATE seed_control.build_table SET sealed_at = now()",
    "INSERT INTO seed_control.build_table (entity) VALUES ('loans')",
    "INSERT INTO seed_control.report_outbox (seed_run_id) VALUES ('{run}')",
    "DELETE FROM seed_control.report_outbox",
    "UPDATE seed_control.report_outbox SET queued_at = now()",
    "INSERT INTO seed_control.seed_run_transition VALUES ('published', 'running')",
    "UPDATE seed_control.migration SET sha256 = ''",
    "UPDATE seed_control.data_key SET wrapped = ''",
    "DELETE FROM seed_control.data_key",
    "SELECT seed_control.drop_build('{run}')",
    "SELECT seed_control.protect('customers')",
    "SELECT seed_control.leaf_of('customers', '{run}')",
]

FORBIDDEN_TO_THE_APPLICATION = [
    "TRUNCATE app.customers",
    "ALTER TABLE app.customers DISABLE ROW LEVEL SECURITY",
    "SELECT FROM {leaf}",
    "SELECT FROM app.customers_default",
    "SELECT FROM seed_control.seed_run",
    "SELECT FROM {build}",
    "SELECT seed_control.discard_build('{run}')",
    "SET ROLE seed_owner",
    "CREATE TABLE app.mine (id integer)",
]

FORBIDDEN_TO_THE_AUDITOR = [
    "INSERT INTO app.customers DEFAULT VALUES",
    "UPDATE app.customers SET status = 'active'",
    "DELETE FROM app.customers",
    "SELECT FROM {leaf}",
    "SELECT FROM {build}",
    "UPDATE seed_control.seed_run SET state = 'failed'",
    "DELETE FROM seed_control.checkpoint",
    "INSERT INTO seed_control.lease (tenant) VALUES ('acme')",
    "UPDATE seed_control.report_outbox SET uri = 'mine'",
    "SELECT wrapped FROM seed_control.data_key",
    "SELECT seed_control.discard_build('{run}')",
    "SET ROLE seed_owner",
]


@pytest.fixture
def world(seeded, open_session):
    """A published tenant, another one, and a seed run in the middle of its work."""
    globex = run_all(open_session(tenant="globex"), lean_plan(customers=6, tenant="globex", publisher="insert"))
    acme = run_all(open_session(), lean_plan(customers=4, publisher="attach"))
    session, plan = open_session(), lean_plan(customers=5, version="1.1.0")
    run = begun(session, plan, key="second")
    held, _ = held_shard(session, plan, run)
    names = {
        "build": f"seed_build.{publishing.open_build(session.connection, held, 'customers')}",
        "leaf": f"app.customers_{acme.run.id.hex}",
        "run": run.id,
    }
    return {"names": names, "acme": acme.run, "globex": globex.run}


@pytest.mark.parametrize(
    ("role", "statements"),
    [
        (roles.LOADER, FORBIDDEN_TO_THE_LOADER),
        (roles.APPLICATION, FORBIDDEN_TO_THE_APPLICATION),
        (roles.AUDITOR, FORBIDDEN_TO_THE_AUDITOR),
    ],
)
def test_no_role_can_do_what_is_not_its_work(seeded, world, role, statements):
    permitted = []
    with seeded.connection(role) as connection:
        for statement in statements:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(statement.format(**world["names"]))
                permitted.append(statement)
            except DENIED:
                continue
    assert permitted == []


def test_every_role_sees_the_tenant_that_it_named_and_no_other(seeded, world):
    for role in (roles.LOADER, roles.APPLICATION, roles.AUDITOR):
        with seeded.connection(role) as connection:
            assert customers_seen(connection) == []
            assert customers_seen(connection, "") == []
            for tenant, rows in (("acme", 4), ("globex", 6)):
                tenant_id = world[tenant].tenant_id
                assert customers_seen(connection, str(tenant_id)) == [{"tenant_id": tenant_id, "rows": rows}], role


def customers_seen(connection, tenant=None):
    with connection.transaction():
        if tenant is not None:
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", [tenant])
        return connection.execute("SELECT tenant_id, count(*) AS rows FROM app.customers GROUP BY 1").fetchall()


def as_tenant(connection, run):
    connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(run.tenant_id)])


FOREIGN_ROW = """
    INSERT INTO app.tenants (tenant_id, id, slug, environment, mode, status, created_at)
    VALUES (%s, 5, 'mine', 'dev', 'baseline', 'active', now())
"""


@pytest.mark.parametrize("role", [roles.LOADER, roles.APPLICATION])
def test_no_role_writes_a_row_of_another_tenant(seeded, world, role):
    with seeded.connection(role) as connection:
        with pytest.raises(DENIED):
            connection.execute(FOREIGN_ROW, [world["globex"].tenant_id])
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(world["acme"].tenant_id)])
        with pytest.raises(DENIED):
            connection.execute(FOREIGN_ROW, [world["globex"].tenant_id])


@pytest.mark.parametrize("statement", ["UPDATE app.customers SET status = 'gone'", "DELETE FROM app.installments"])
def test_the_application_changes_no_row_of_another_tenant(seeded, world, statement):
    with seeded.connection(roles.APPLICATION) as connection, connection.transaction():
        as_tenant(connection, world["acme"])
        connection.execute(statement)
        as_tenant(connection, world["globex"])
        assert connection.execute("SELECT FROM app.customers WHERE status = 'gone'").rowcount == 0
        assert connection.execute("SELECT FROM app.installments").rowcount == 6 * 2 * 12


def test_the_application_cannot_move_a_row_to_another_tenant(seeded, world):
    with seeded.connection(roles.APPLICATION) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(world["acme"].tenant_id)])
        with pytest.raises(DENIED):
            connection.execute("UPDATE app.tenants SET tenant_id = %s", [world["globex"].tenant_id])


@pytest.mark.parametrize("verb", ["INSERT", "COPY"])
def test_the_loader_cannot_load_a_row_of_another_tenant_into_its_own_build(seeded, world, open_session, verb):
    session, plan = open_session(tenant="initech"), lean_plan(customers=4, tenant="initech")
    held, _ = held_shard(session, plan, begun(session, plan))
    table = f"seed_build.{publishing.open_build(session.connection, held, 'tenants')}"
    row = (world["globex"].tenant_id, 1, "mine", "dev", "baseline", "active", "2026-01-01")

    def insert(loader):
        loader.execute(f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s, %s, %s)", row)

    def copy(loader):
        with loader.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as stream:
            stream.write_row(row)

    with seeded.connection() as loader, pytest.raises(psycopg.errors.CheckViolation):
        {"INSERT": insert, "COPY": copy}[verb](loader)


def test_the_loader_cannot_write_to_a_build_that_is_sealed(seeded, open_session):
    session, plan = open_session(), lean_plan(customers=4)
    run = begun(session, plan)
    load_all(session, plan, run)
    with seeded.connection() as loader:
        for entity in plan.rows:
            table = f"seed_build.{entity}_{run.id.hex}"
            with pytest.raises(DENIED):
                loader.execute(f"INSERT INTO {table} DEFAULT VALUES")
            with pytest.raises(DENIED):
                loader.execute(f"COPY {table} FROM STDIN")


def test_copy_into_the_tables_themselves_is_refused(seeded, world):
    with seeded.connection() as loader, pytest.raises(psycopg.errors.FeatureNotSupported):
        loader.execute("COPY app.customers FROM STDIN")


def test_the_auditor_reads_the_control_plane(seeded, world):
    with seeded.connection(roles.AUDITOR) as auditor:
        assert auditor.execute("SELECT count(*) AS runs FROM seed_control.seed_run").fetchone()["runs"] == 3
        assert auditor.execute("SELECT count(*) AS rows FROM seed_control.checkpoint").fetchone()["rows"] > 0


@pytest.mark.parametrize("role", [roles.LOADER, roles.APPLICATION, roles.AUDITOR])
def test_a_role_owns_nothing_and_is_a_member_of_nothing(seeded, role):
    member = "SELECT count(*) FROM pg_auth_members WHERE member = %(role)s::regrole"
    owned = "SELECT count(*) FROM pg_class WHERE relowner = %(role)s::regrole"
    mighty = (
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles"
        " WHERE rolname = %(role)s"
    )
    assert [seeded.value(statement, role=role) for statement in (member, owned, mighty)] == [0, 0, False]

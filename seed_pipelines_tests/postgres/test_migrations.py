"""Migrations, and the database that they make: the catalogue of entities and the live one say the same."""

import threading

import psycopg
import pytest
from seed_runs import Worker, begun, lean_plan
from seeded import PASSWORD

from seed_pipelines import catalog
from seed_pipelines.control import migrations, roles
from seed_pipelines.errors import DatabaseRefused, MigrationChanged, MigrationsPending
from seed_pipelines.outside.postgres import connected

COLUMNS = """
    SELECT column_name, data_type, is_nullable = 'YES' AS nullable
    FROM information_schema.columns
    WHERE table_schema = 'app' AND table_name = %s
    ORDER BY ordinal_position
"""

KEYS = """
    SELECT array_agg(k.column_name::text ORDER BY k.ordinal_position) AS columns
    FROM information_schema.table_constraints AS t
    JOIN information_schema.key_column_usage AS k USING (constraint_schema, constraint_name)
    WHERE t.table_schema = 'app' AND t.table_name = %s AND t.constraint_type = %s
    GROUP BY t.constraint_name
"""

REFERENCES = """
    SELECT k.confrelid::regclass::text AS parent, k.condeferrable AS deferrable, k.condeferred AS deferred,
        k.convalidated AS validated,
        (
            SELECT array_agg(a.attname::text ORDER BY c.at)
            FROM unnest(k.conkey) WITH ORDINALITY AS c (number, at)
            JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = c.number
        ) AS columns,
        (
            SELECT array_agg(a.attname::text ORDER BY c.at)
            FROM unnest(k.confkey) WITH ORDINALITY AS c (number, at)
            JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = c.number
        ) AS targets
    FROM pg_constraint AS k
    WHERE k.conrelid = format('app.%%I', %s::text)::regclass AND k.contype = 'f' AND k.conparentid = 0
"""


@pytest.fixture
def live(seeded):
    with seeded.superuser() as connection:
        yield connection


def test_the_database_has_the_entities_of_the_catalogue_and_no_others(live):
    rows = live.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'p'"
    ).fetchall()
    assert {row["relname"] for row in rows} == set(catalog.ENTITIES)


def test_columns_have_the_names_types_and_order_of_the_catalogue(live):
    for entity in catalog.ENTITIES.values():
        rows = live.execute(COLUMNS, [entity.name]).fetchall()
        assert [tuple(row.values()) for row in rows] == [
            (column.name, column.type.value, column.nullable) for column in entity.stored_columns
        ], entity.name


def test_keys_and_uniques_are_those_of_the_catalogue_and_begin_with_the_tenant(live):
    for entity in catalog.ENTITIES.values():
        keys = [row["columns"] for row in live.execute(KEYS, [entity.name, "PRIMARY KEY"]).fetchall()]
        assert keys == [["tenant_id", "id"]], entity.name
        uniques = {tuple(row["columns"]) for row in live.execute(KEYS, [entity.name, "UNIQUE"]).fetchall()}
        assert uniques == {("tenant_id", *unique) for unique in entity.uniques}, entity.name


def test_references_are_those_of_the_catalogue_within_the_tenant_and_can_be_deferred(live):
    for entity in catalog.ENTITIES.values():
        rows = live.execute(REFERENCES, [entity.name]).fetchall()
        assert {(row["parent"], tuple(row["columns"])) for row in rows} == {
            (f"app.{parent.entity}", ("tenant_id", parent.column)) for parent in entity.parents
        }, entity.name
        for row in rows:
            assert row["targets"] == ["tenant_id", "id"], entity.name
            assert (row["deferrable"], row["deferred"], row["validated"]) == (True, False, True), entity.name


def test_the_database_knows_the_order_of_parents_and_children(live):
    ordered = live.execute("SELECT seed_control.entities() AS entities").fetchone()["entities"]
    assert sorted(ordered) == sorted(catalog.ENTITIES)
    for entity in catalog.ENTITIES.values():
        for parent in entity.parents:
            if parent.entity == entity.name:
                continue
            assert ordered.index(parent.entity) < ordered.index(entity.name)


def test_migrations_apply_once(seeded):
    with seeded.connection(roles.MIGRATOR) as migrator:
        assert migrations.apply(migrator) == ()
        migrations.assert_applied(migrator)


def test_a_missing_migration_is_refused_before_anything_is_written(seeded, open_session):
    last = migrations.shipped()[-1].name
    with seeded.superuser() as connection:
        connection.execute("DELETE FROM seed_control.migration WHERE name = %s", [last])
    with pytest.raises(MigrationsPending) as pending:
        begun(open_session(), lean_plan(customers=4))
    assert pending.value.names == (last,)
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0


def test_a_migration_that_was_changed_after_it_applied_is_refused(seeded):
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.migration SET sha256 = 'other' WHERE name = '0003_tenants.sql'")
    with seeded.connection(roles.MIGRATOR) as migrator, pytest.raises(MigrationChanged):
        migrations.apply(migrator)


def test_a_migration_that_fails_leaves_nothing_behind(seeded, monkeypatch):
    broken = migrations.Migration(name="9999_broken.sql", text="CREATE TABLE app.half (id integer); SELECT 1 / 0;")
    monkeypatch.setattr(migrations, "shipped", lambda: (broken,))
    with seeded.connection(roles.MIGRATOR) as migrator, pytest.raises(DatabaseRefused, match="22012"):
        migrations.apply(migrator)
    assert seeded.value("SELECT to_regclass('app.half')") is None
    assert seeded.value("SELECT count(*) FROM seed_control.migration WHERE name = '9999_broken.sql'") == 0


def test_two_migrators_at_once_take_turns(seeded, empty_database):
    with psycopg.connect(empty_database.superuser_dsn, autocommit=True) as administrator:
        administrator.execute(f"GRANT CREATE ON DATABASE {empty_database.name} TO seed_owner")
        administrator.execute("CREATE EXTENSION pgcrypto")
    url = empty_database.dsn(roles.MIGRATOR, PASSWORD)
    together = threading.Barrier(2)

    def migrate():
        with connected(url) as migrator:
            together.wait()
            return migrations.apply(migrator)

    applied = [worker.result() for worker in [Worker(migrate), Worker(migrate)]]
    assert sorted(name for names in applied for name in names) == [one.name for one in migrations.shipped()]


def test_making_the_roles_again_changes_nothing(seeded):
    grants = "SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'seed\\_%%'"
    before = seeded.value(grants)
    with seeded.superuser() as administrator:
        roles.make_roles(administrator, {})
    assert seeded.value(grants) == before

"""What the catalogue of the database says about functions, tables and partitions, the ones still to come included."""

import pytest
from seed_runs import begun, lean_plan, load_all, run_all

from seed_pipelines import catalog

FOR_THE_LOADER = {
    *("open_build", "seal", "publish_attach", "publish_inserted", "discard_build"),
    "send_vacuums_away",
    *("purge_preview", "purge", "purge_checkpoints"),
    *("rehearse_build", "rehearse_seal"),
    "purge_mapped",
}

# These lend it nothing: in an application's tables it has its own rights only.
AS_THE_LOADER = {
    *("mapping_tables", "mapping_policy", "mapped_tables", "mapped_uuid", "mapped_references", "take_mapped_rows"),
}

FUNCTIONS = """
    SELECT p.proname AS name, p.prosecdef AS as_owner, p.prorettype = 'trigger'::regtype AS is_trigger,
        p.proconfig AS settings, o.rolname AS owner,
        p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) WHERE grantee = 0) AS for_everybody,
        has_function_privilege('seed_loader', p.oid, 'EXECUTE') AS for_the_loader,
        has_function_privilege('seed_application', p.oid, 'EXECUTE') AS for_the_application,
        has_function_privilege('seed_auditor', p.oid, 'EXECUTE') AS for_the_auditor
    FROM pg_proc AS p
    JOIN pg_roles AS o ON o.oid = p.proowner
    WHERE p.pronamespace::regnamespace::text IN ('seed_control', 'seed_build', 'app')
"""

TABLES = """
    SELECT c.oid::regclass::text AS name, c.relispartition AS is_partition, o.rolname AS owner,
        c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
        (SELECT array_agg(p.polname::text ORDER BY p.polname) FROM pg_policy AS p WHERE p.polrelid = c.oid) AS policies,
        (
            SELECT count(*) FROM pg_policy AS p
            WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
        ) AS restrictive,
        (SELECT array_agg(DISTINCT grantee::regrole::text) FROM aclexplode(c.relacl) WHERE grantee <> c.relowner)
            AS granted
    FROM pg_class AS c
    JOIN pg_roles AS o ON o.oid = c.relowner
    WHERE c.relnamespace::regnamespace::text = %(schema)s AND c.relkind IN ('r', 'p')
"""


@pytest.fixture
def functions(seeded):
    with seeded.superuser() as connection:
        return {row["name"]: row for row in connection.execute(FUNCTIONS).fetchall()}


def tables(seeded, schema):
    with seeded.superuser() as connection:
        return connection.execute(TABLES, {"schema": schema}).fetchall()


def test_every_function_pins_its_search_path_with_temporary_objects_last(functions):
    loose = {
        name for name, row in functions.items() if "search_path=pg_catalog, pg_temp" not in (row["settings"] or [])
    }
    assert functions
    assert loose == set()


def test_every_function_belongs_to_the_owner_and_nobody_in_general_may_call_it(functions):
    assert {row["owner"] for row in functions.values()} == {"seed_owner"}
    assert {name for name, row in functions.items() if row["for_everybody"]} == set()


def test_the_loader_may_call_what_builds_and_publishes_and_others_nothing(functions):
    assert {name for name, row in functions.items() if row["for_the_loader"]} == FOR_THE_LOADER | AS_THE_LOADER
    assert not any(row["for_the_application"] or row["for_the_auditor"] for row in functions.values())


def test_only_what_the_loader_may_call_and_triggers_run_as_the_owner(functions):
    assert {name for name, row in functions.items() if row["as_owner"] and not row["is_trigger"]} == FOR_THE_LOADER


@pytest.mark.parametrize("ways", [["attach"], ["insert"], ["insert", "attach", "insert"]], ids="-".join)
def test_every_table_and_partition_forces_row_level_security_after_publishing(seeded, open_session, ways):
    for turn, way in enumerate(ways):
        run_all(open_session(), lean_plan(customers=4, version=f"1.{turn}.0", publisher=way), key=str(turn))
    found = tables(seeded, "app")
    assert len(found) >= 2 * len(catalog.ENTITIES)
    for row in found:
        assert (row["owner"], row["is_forced"], row["restrictive"]) == ("seed_owner", True, 1), row["name"]
        assert row["policies"] == ["tenant_only", "tenant_rows"], row["name"]


@pytest.mark.parametrize("way", ["attach", "insert"])
def test_nobody_has_a_right_on_a_partition_itself(seeded, open_session, way):
    run_all(open_session(), lean_plan(customers=4, publisher=way))
    for row in tables(seeded, "app"):
        assert (row["granted"] is None) == row["is_partition"], row["name"]


@pytest.mark.parametrize("way", ["attach", "insert"])
def test_a_sealed_build_forces_row_level_security_and_can_only_be_read_by_who_inserts_it(seeded, open_session, way):
    session, plan = open_session(), lean_plan(customers=4, publisher=way)
    load_all(session, plan, begun(session, plan))
    found = tables(seeded, "seed_build")
    assert len(found) == len(plan.rows)
    for row in found:
        assert (row["is_forced"], row["restrictive"]) == (True, 1)
        assert row["granted"] == (["seed_loader"] if way == "insert" else None)

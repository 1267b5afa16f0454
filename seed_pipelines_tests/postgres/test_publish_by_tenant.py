"""What a publication costs: it does not look at other tenants, and a large dataset leaves as fast as it came."""

import pytest
from seed_runs import lean_plan, run_all

from seed_pipelines import catalog

# How often each leaf was read.
READS = """
    SELECT relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS reads
    FROM pg_stat_user_tables WHERE schemaname = 'app' AND relname = ANY (%(leaves)s) ORDER BY relname
"""
LEAVES = """
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE c.relnamespace = 'app'::regnamespace AND pg_get_expr(c.relpartbound, c.oid) LIKE %(tenant)s
"""
# A foreign key of `app` whose columns no index begins with.
WITHOUT_INDEX = """
    SELECT k.conrelid::regclass::text AS name, k.conname
    FROM pg_constraint AS k
    WHERE k.contype = 'f' AND k.connamespace = 'app'::regnamespace AND NOT EXISTS (
        SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid AND i.indisvalid
            AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] = k.conkey)
"""


def leaves_of(seeded, run):
    with seeded.superuser() as connection:
        rows = connection.execute(LEAVES, {"tenant": f"%{run.tenant_id}%"}).fetchall()
    return [row["relname"] for row in rows]


def reads_of(seeded, leaves, *, after):
    """Once the server has written down what the session did."""
    after.connection.execute("SELECT pg_stat_force_next_flush()")
    with seeded.superuser() as connection:
        return [tuple(row.values()) for row in connection.execute(READS, {"leaves": leaves}).fetchall()]


def test_a_publication_reads_no_row_of_another_tenant(seeded, open_session):
    other, mine = open_session(), open_session(tenant="globex")
    leaves = leaves_of(seeded, run_all(other, lean_plan(customers=30, publisher="attach"), key="other").run)
    before = reads_of(seeded, leaves, after=other)
    assert len(before) == 4

    for version, customers in (("1.0.0", 400), ("1.1.0", 300)):
        plan = lean_plan(customers=customers, publisher="attach", tenant="globex", version=version)
        run_all(mine, plan, key=version)

    assert reads_of(seeded, leaves, after=mine) == before


@pytest.mark.parametrize(
    ("mode", "publisher"), [("baseline", "attach"), ("canary", "insert")], ids=["same-mode", "another-mode"]
)
def test_what_was_attached_is_replaced_by_attaching(open_session, mode, publisher):
    session = open_session()
    run_all(session, lean_plan(customers=12, publisher="attach", mode="baseline"), key="large")
    small = lean_plan(customers=6, publisher="insert", mode=mode, version="1.1.0")
    assert run_all(session, small, key="small").run.publisher == publisher


def test_every_foreign_key_has_an_index(seeded, open_session):
    run = run_all(open_session(), lean_plan(customers=12, publisher="attach"), key="attached").run
    assert leaves_of(seeded, run)
    with seeded.superuser() as connection:
        assert connection.execute(WITHOUT_INDEX).fetchall() == []
    keys = seeded.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'app'::regnamespace")
    assert keys >= 2 * sum(len(entity.parents) for entity in catalog.ENTITIES.values())

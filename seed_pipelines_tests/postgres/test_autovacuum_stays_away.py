"""Autovacuum holds a lock that a publication does not wait for: it keeps off builds, comes back afterwards, and leaves
a table that is about to be replaced."""

import contextlib

from factories import make_plan
from seed_runs import lean_plan, publish_now, ready_to_publish, wait_until
from seeded import request_for
from test_seed_run import run_all

from seed_pipelines import flow

OPTIONS = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND 'autovacuum_enabled=false' = ANY (reloptions)"


def test_a_build_is_left_alone_and_a_published_leaf_is_not(seeded, open_session):
    plan, session = make_plan(customers=60, publisher="attach"), open_session()
    run = flow.begin(session, plan, request_for(session))
    flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    assert seeded.value(OPTIONS) == 1
    run_all(session, plan)
    assert seeded.value(OPTIONS) == 0


# So slow that it is never done, and so eager that it comes at once.
SLOW_VACUUM = (
    "autovacuum_vacuum_insert_threshold = 0, autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
)
AT_WORK = """
    SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE a.backend_type = 'autovacuum worker' AND l.relation = %(leaf)s::regclass
        AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
"""


@contextlib.contextmanager
def eager_autovacuum(seeded):
    with seeded.superuser() as connection:
        connection.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield connection
        finally:
            connection.execute("ALTER SYSTEM RESET autovacuum_naptime")
            connection.execute("SELECT pg_reload_conf()")


def test_a_vacuum_of_the_old_leaf_gives_way_to_the_next_publication(seeded, open_session):
    plan, session = lean_plan(customers=12, publisher="attach"), open_session()
    first = run_all(session, plan)
    leaf = f"app.installments_{first.run.id.hex}"
    with eager_autovacuum(seeded) as connection:
        connection.execute(f"ALTER TABLE {leaf} SET ({SLOW_VACUUM})")
        run, held = ready_to_publish(session, plan, key="second")
        wait_until(lambda: seeded.value(AT_WORK, leaf=leaf), what="autovacuum is at the old leaf")
    assert seeded.value(AT_WORK, leaf=leaf)
    assert publish_now(session, run, held) == 2

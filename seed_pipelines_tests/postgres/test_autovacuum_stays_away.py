"""Autovacuum holds a lock that a publication does not wait for: it keeps off builds, and comes back afterwards."""

from factories import make_plan
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

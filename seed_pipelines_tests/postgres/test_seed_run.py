"""The flow on a real PostgreSQL: a seed run from its claim to its publication."""

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control.runs import RunState


def run_all(session, plan, *, key="first"):
    """Every shard, one after the other; the last publication."""
    run = flow.begin(session, plan, request_for(session, key))
    published = None
    for shard in plan.shard_keys:
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)
        published = flow.publish(session, plan, run, shard=shard)
    return published


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_seed_run_publishes_exactly_the_planned_rows(seeded, open_session, publisher):
    plan = make_plan(customers=60, publisher=publisher)
    published = run_all(open_session(), plan)
    assert published.run.state is RunState.PUBLISHED
    for entity, rows in plan.rows.items():
        assert seeded.value(f"SELECT count(*) FROM app.{entity}") == rows
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0
    assert seeded.value("SELECT dataset_hash FROM seed_control.dataset") == published.dataset_hash


@pytest.mark.parametrize(("shards", "batch_rows"), [(1, None), (8, None), (3, 7), (1, 100)])
def test_shards_and_batch_size_change_no_row(seeded, open_session, shards, batch_rows):
    published = run_all(open_session(), make_plan(customers=60, shards=shards, batch_rows=batch_rows))
    assert published.dataset_hash == run_all(open_session(), make_plan(customers=60), key="again").dataset_hash

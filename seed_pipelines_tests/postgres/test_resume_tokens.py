"""Resume tokens: a checkpoint that was changed, moved or made by somebody else is not gone on from."""

import json

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import runs
from seed_pipelines.control.runs import RunState
from seed_pipelines.errors import CheckpointDiverged


@pytest.fixture
def stopped(seeded, open_session):
    """A seed run that stopped after its customers."""
    session, plan = open_session(), make_plan(customers=20, batch_rows=10)
    run = flow.begin(session, plan, request_for(session))
    for entity in ("tenants", "users", "consultants", "customers"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    return session, plan, run


def change(seeded, statement, *values):
    with seeded.superuser() as connection:
        connection.execute(f"UPDATE seed_control.checkpoint SET {statement} WHERE entity = 'customers'", values)


def go_on(session, plan, entity="customers"):
    run = flow.begin(session, plan, request_for(session))
    return flow.load_entity(session, plan, run, shard="0000", entity=entity)


def test_what_nobody_changed_is_gone_on_from(seeded, stopped):
    session, plan, _ = stopped
    assert go_on(session, plan).resumed_batches == 2


def test_pgcrypto_opens_a_token_and_finds_what_it_is_bound_to(seeded, stopped):
    session, plan, run = stopped
    phrase = session.keys.column("checkpoint", "resume_token").pgp.passphrase
    opened = seeded.value(
        "SELECT pgp_sym_decrypt(resume_token, %(phrase)s) FROM seed_control.checkpoint "
        "WHERE entity = 'customers' AND number = 1",
        phrase=phrase,
    )
    digest = seeded.value(
        "SELECT content_digest FROM seed_control.checkpoint WHERE entity = 'customers' AND number = 1"
    )
    bound = ["dev", "acme", run.id.hex, plan.manifest.manifest_hash, 1, "customers", "0000", 1, 10, 10, digest]
    assert json.loads(opened) == bound


@pytest.mark.parametrize(
    "statement",
    [
        "content_digest = 'ffffffff'",
        "fence = fence + 1",
        "resume_token = '\\x00'",
        "resume_token = set_byte(resume_token, 60, 255 - get_byte(resume_token, 60))",
        "resume_token = (SELECT resume_token FROM seed_control.checkpoint WHERE entity = 'users')",
    ],
)
def test_a_checkpoint_that_was_changed_ends_the_seed_run_and_asks_for_a_new_one(seeded, stopped, statement):
    session, plan, run = stopped
    change(seeded, statement)
    with pytest.raises(CheckpointDiverged, match="--reseed") as caught:
        go_on(session, plan)
    flow.leave(session.connection, run.id, worker=session.worker, error=caught.value)
    assert runs.find(session.connection, run.id).state is RunState.ABORTED
    assert seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'") == 0


def test_a_token_of_another_seed_run_or_tenant_does_not_fit(seeded, stopped, open_session):
    session, plan, _ = stopped
    other = open_session(tenant="globex")
    other_plan = make_plan(customers=20, batch_rows=10, tenant="globex")
    other_run = flow.begin(other, other_plan, request_for(other))
    for entity in ("tenants", "users", "consultants", "customers"):
        flow.load_entity(other, other_plan, other_run, shard="0000", entity=entity)
    change(
        seeded,
        "resume_token = (SELECT c.resume_token FROM seed_control.checkpoint AS c WHERE c.seed_run_id = %s "
        "AND c.entity = 'customers' AND c.number = checkpoint.number)",
        other_run.id,
    )
    with pytest.raises(CheckpointDiverged):
        go_on(session, plan)


def test_a_token_is_shown_nowhere(seeded, stopped):
    session, plan, _ = stopped
    assert "resume_token" not in repr(go_on(session, plan).checkpoints)

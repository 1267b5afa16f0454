"""RPO and RTO of dr seed runs, out of their checkpoints, on the database's clock."""

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import purge, recovery
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.evidence.collect import evidence_of

DR = DatasetName(environment="dev", tenant="acme", mode="dr")


def publish(open_session, *, key="first", mode="dr"):
    session, plan = open_session(), make_plan(customers=10, mode=mode)
    run = flow.begin(session, plan, request_for(session, key))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    return session, flow.publish(session, plan, run, shard="0000").run


def shift(seeded, statement):
    with seeded.superuser() as connection:
        connection.execute(f"UPDATE seed_control.{statement}")


def test_a_quick_drill_meets_its_objectives_and_the_report_says_so(seeded, open_session):
    session, run = publish(open_session)
    measured = recovery.recovery_of(session.connection, run)
    assert measured.holds
    assert 0 < measured.rpo_ms <= measured.rto_ms < 60_000
    fact = evidence_of(session.connection, run.id, vocabulary_sha256="0" * 64).recovery
    assert (fact.rpo_ms, fact.rto_ms, fact.objectives_met) == (measured.rpo_ms, measured.rto_ms, True)


def test_other_modes_have_no_recovery_in_their_report(seeded, open_session):
    session, run = publish(open_session, mode="baseline")
    assert evidence_of(session.connection, run.id, vocabulary_sha256="0" * 64).recovery is None


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ("seed_run SET started_at = started_at - interval '290 s'", True),
        ("seed_run SET started_at = started_at - interval '310 s'", False),
        ("checkpoint SET committed_at = committed_at + interval '310 s' WHERE entity = 'installments'", False),
        ("seed_run SET finished_at = finished_at + interval '59 min'", True),
        ("seed_run SET finished_at = finished_at + interval '61 min'", False),
    ],
)
def test_the_longest_gap_and_the_whole_time_decide(seeded, open_session, change, holds):
    session, run = publish(open_session)
    shift(seeded, change)
    assert recovery.recovery_of(session.connection, run).holds is holds


def test_a_rehearsal_counts_from_when_the_dataset_was_gone(seeded, open_session):
    session, _ = publish(open_session)
    purge.purge(session.connection, DR, reason="asked")
    shift(seeded, "purge_log SET purged_at = purged_at - interval '100 s'")
    _, rebuilt = publish(open_session, key=recovery.rehearsal_key(session.connection, DR))
    assert recovery.recovery_of(session.connection, rebuilt).rto_ms > 100_000
    _, later = publish(open_session, key="nightly")
    assert recovery.recovery_of(session.connection, later).rto_ms < 100_000

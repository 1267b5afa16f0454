"""RPO and RTO of dr seed runs, out of their checkpoints, on the database's clock."""

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow, objectives
from seed_pipelines.control import purge, recovery, runs
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.errors import BatchOverdue, RecoveryMissed
from seed_pipelines.evidence.collect import evidence_of

DR = DatasetName(environment="dev", tenant="acme", mode="dr")


def begin(open_session, *, key="first", mode="dr", **wishes):
    session, plan = open_session(), make_plan(customers=10, mode=mode, **wishes)
    return session, plan, flow.begin(session, plan, request_for(session, key))


def finish(session, plan, run):
    for shard in plan.shard_keys:
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)
        published = flow.publish(session, plan, run, shard=shard)
    return published.run


def publish(open_session, **wishes):
    session, plan, run = begin(open_session, **wishes)
    return session, finish(session, plan, run)


def key_after_purge(session, plan=None, *, generator_version="1.0.0"):
    manifest_hash = (plan or make_plan(customers=10, mode="dr")).manifest.manifest_hash
    return recovery.rehearsal_key(
        session.connection, DR, manifest_hash=manifest_hash, generator_version=generator_version
    )


def purged(seeded, open_session, *, seconds_ago=100, reason="asked"):
    """A dataset that was published, and taken away so long ago; the key of whoever puts it back."""
    session, _ = publish(open_session)
    if reason == "expired":
        shift(seeded, "dataset SET expires_at = now() - interval '1 s'")
    purge.purge(session.connection, DR, reason=reason)
    shift(seeded, f"purge_log SET purged_at = purged_at - interval '{seconds_ago} s'")
    return session, key_after_purge(session)


def shift(seeded, statement):
    with seeded.superuser() as connection:
        connection.execute(f"UPDATE seed_control.{statement}")


def test_a_quick_drill_meets_its_objectives_and_the_report_says_so(seeded, open_session):
    session, run = publish(open_session)
    measured = recovery.recovery_of(session.connection, run)
    assert measured.holds
    assert 0 < measured.rpo_ms <= measured.rto_ms < 60_000
    fact = evidence_of(session.connection, run.id).recovery
    assert (fact.rpo_ms, fact.rto_ms, fact.objectives_met) == (measured.rpo_ms, measured.rto_ms, True)


def test_other_modes_have_no_recovery_in_their_report(seeded, open_session):
    session, run = publish(open_session, mode="baseline")
    assert evidence_of(session.connection, run.id).recovery is None


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


def test_one_shard_does_not_hide_that_another_stalled(seeded, open_session):
    session, run = publish(open_session, shards=2)
    assert recovery.recovery_of(session.connection, run).holds
    shift(seeded, "checkpoint SET committed_at = committed_at + interval '310 s' WHERE shard = '0001'")
    # The first one is at work all the while, with a checkpoint in the middle of the other's silence.
    halfway = "committed_at + interval '155 s' WHERE shard = '0000' AND entity = 'installments'"
    shift(seeded, f"checkpoint SET committed_at = {halfway}")
    shift(seeded, "seed_shard SET finished_at = finished_at + interval '310 s'")
    assert recovery.recovery_of(session.connection, run).rpo_ms > 300_000


def test_a_shard_that_waits_for_its_worker_has_lost_nothing(seeded, open_session):
    session, run = publish(open_session, shards=2)
    shift(seeded, "seed_shard SET started_at = started_at + interval '310 s' WHERE shard = '0001'")
    shift(seeded, "seed_shard SET finished_at = finished_at + interval '310 s' WHERE shard = '0001'")
    shift(seeded, "checkpoint SET committed_at = committed_at + interval '310 s' WHERE shard = '0001'")
    assert recovery.recovery_of(session.connection, run).rpo_ms < 300_000


def test_what_follows_the_last_checkpoint_counts_until_the_shard_is_in(seeded, open_session):
    session, run = publish(open_session)
    shift(seeded, "seed_shard SET finished_at = finished_at + interval '310 s'")
    assert recovery.recovery_of(session.connection, run).rpo_ms > 300_000


@pytest.mark.parametrize("gone", ["true", "entity = 'loans'"], ids=["all", "some"])
def test_without_checkpoints_nobody_knows_the_rpo_and_the_objective_is_missed(seeded, open_session, gone):
    session, run = publish(open_session)
    with seeded.superuser() as connection:
        connection.execute(f"DELETE FROM seed_control.checkpoint WHERE {gone}")
    measured = recovery.recovery_of(session.connection, run)
    assert (measured.rpo_ms, measured.holds) == (None, False)
    assert "RPO is unknown" in str(RecoveryMissed(rpo_ms=measured.rpo_ms, rto_ms=measured.rto_ms))
    fact = evidence_of(session.connection, run.id).recovery
    assert (fact.rpo_ms, fact.objectives_met) == (None, False)


def test_a_batch_of_a_drill_that_comes_too_late_is_not_committed_and_may_be_tried_again(
    seeded, open_session, monkeypatch
):
    monkeypatch.setattr(objectives, "RPO_OBJECTIVE_MS", -1)
    session, plan, run = begin(open_session)
    with pytest.raises(BatchOverdue, match="a drill needs a checkpoint every 300 s") as late:
        flow.load_entity(session, plan, run, shard="0000", entity="tenants")
    assert late.value.retryable
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") == 0
    monkeypatch.undo()
    assert finish(session, plan, run).dataset_hash


def test_a_batch_of_another_mode_may_take_its_time(seeded, open_session, monkeypatch):
    monkeypatch.setattr(objectives, "RPO_OBJECTIVE_MS", -1)
    assert publish(open_session, mode="baseline")[1].dataset_hash


def test_a_rehearsal_counts_from_when_the_dataset_was_gone(seeded, open_session):
    session, key = purged(seeded, open_session)
    _, rebuilt = publish(open_session, key=key)
    assert recovery.recovery_of(session.connection, rebuilt).rto_ms > 100_000
    _, later = publish(open_session, key="nightly")
    assert recovery.recovery_of(session.connection, later).rto_ms < 100_000


def test_a_rehearsal_that_stopped_is_gone_on_with_and_counts_from_the_same_purge(seeded, open_session):
    session, key = purged(seeded, open_session)
    stopped, _, run = begin(open_session, key=key)
    flow.leave(stopped.connection, run.id, worker=stopped.worker, error=RuntimeError())
    again = key_after_purge(session)
    _, rebuilt = publish(open_session, key=again)
    assert (again, rebuilt.id) == (key, run.id)
    assert recovery.recovery_of(session.connection, rebuilt).rto_ms > 100_000


@pytest.mark.parametrize("why", ["it ended", "the manifest was changed", "the generator was changed"])
def test_a_rehearsal_that_cannot_go_on_is_begun_anew_and_counts_from_the_same_purge(seeded, open_session, why):
    session, key = purged(seeded, open_session)
    stopped, plan, run = begin(open_session, key=key)
    flow.leave(stopped.connection, run.id, worker=stopped.worker, error=RuntimeError())
    if why == "it ended":
        flow.cancel(session.connection, run.id)
    changed = make_plan(customers=20, mode="dr") if why == "the manifest was changed" else plan
    version = "2.0.0" if why == "the generator was changed" else "1.0.0"
    again = key_after_purge(session, changed, generator_version=version)
    assert again == f"{key}:after-{run.id}"
    _, rebuilt = publish(open_session, key=again)
    assert rebuilt.id != run.id
    assert recovery.recovery_of(session.connection, rebuilt).rto_ms > 100_000


def test_a_dataset_that_expired_was_not_taken_away_by_a_drill(seeded, open_session):
    session, key = purged(seeded, open_session, reason="expired")
    _, rebuilt = publish(open_session, key=key)
    assert recovery.recovery_of(session.connection, rebuilt).rto_ms < 100_000


def test_the_first_rehearsal_of_all_is_gone_on_with_too(seeded, open_session):
    session = open_session()
    assert key_after_purge(session) == "rehearsal:first"
    _, _, run = begin(open_session, key="rehearsal:first")
    assert key_after_purge(session) == "rehearsal:first"
    flow.cancel(session.connection, run.id)
    assert runs.find(session.connection, run.id).is_finished
    assert key_after_purge(session) == f"rehearsal:first:after-{run.id}"

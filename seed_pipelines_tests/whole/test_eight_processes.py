"""Eight real processes against each limit at once: slots, lease, rate, budget and idempotency key hold."""

import itertools

import pytest
from contenders import WORKERS, claim_one_key, contend, run_one_tenant, spend, take_a_slot, write_at_the_rate
from seed_runs import all_batches, assert_exactly_the_plan, begun, claimed, cost_of, lean_plan


def test_at_most_two_seed_runs_hold_a_slot_of_an_environment_and_all_get_one(seeded, tmp_path):
    held = contend(take_a_slot, seeded, tmp_path, hold_seconds=0.2)
    assert len(held) == WORKERS
    moments = [taken for taken, _ in held]
    at_once = [sum(taken <= moment < given_back for taken, given_back in held) for moment in moments]
    assert max(at_once) == 2


def test_one_seed_run_of_a_tenant_writes_at_a_time_and_none_is_lost(seeded, tmp_path):
    wishes = {"customers": 4}
    assert len(set(contend(run_one_tenant, seeded, tmp_path, wishes=wishes))) == WORKERS
    with seeded.superuser() as connection:
        turns = connection.execute(
            "SELECT seed_run_id, min(fence) AS fence, max(fence) AS last, min(committed_at) AS begun,"
            " max(committed_at) AS ended FROM seed_control.checkpoint GROUP BY seed_run_id ORDER BY fence"
        ).fetchall()
    assert [(turn["fence"], turn["last"]) for turn in turns] == [(n, n) for n in range(1, WORKERS + 1)]
    assert all(one["ended"] < other["begun"] for one, other in itertools.pairwise(turns))
    assert seeded.value("SELECT array_agg(DISTINCT state) FROM seed_control.seed_run") == ["published"]
    assert seeded.value("SELECT generation FROM seed_control.dataset") == WORKERS
    assert_exactly_the_plan(seeded, lean_plan(**wishes))


@pytest.mark.parametrize(("limit", "burst"), [(100, 20), (40, 1)])
def test_eight_workers_together_get_what_the_rate_limit_says(seeded, open_session, tmp_path, limit, burst):
    seconds = 2.0
    run = claimed(open_session(), lean_plan(customers=4))
    options = {"run_id": run.id, "limit": limit, "burst": burst, "seconds": seconds}
    answers = contend(write_at_the_rate, seeded, tmp_path, **options)
    # Processes are let go together and get to work one after the other.
    first, last = min(moments[0] for moments in answers), max(moments[0] for moments in answers)
    granted = [moment for moments in answers for moment in moments[1:]]
    assert sum(moment <= first + seconds for moment in granted) <= limit * seconds + burst + 1
    assert sum(last < moment <= last + seconds for moment in granted) >= 0.95 * limit * seconds


def test_eight_workers_never_spend_more_than_the_cap_and_all_that_fits(seeded, open_session, tmp_path):
    wishes = {"customers": 60, "mode": "carga", "batch_rows": 10}
    plan = lean_plan(**wishes)
    run = begun(open_session(), plan)
    costs = [cost for batch in all_batches(plan) if (cost := cost_of(plan, batch))]
    cap = sum(costs) // 2
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.budget SET cap_micro_brl = %s", [cap])
    contend(spend, seeded, tmp_path, run_id=run.id, wishes=wishes)
    spent = seeded.value("SELECT spent_micro_brl FROM seed_control.budget")
    assert spent == seeded.value("SELECT sum(cost_micro_brl) FROM seed_control.budget_reservation")
    assert cap - max(costs) < spent <= cap


def test_eight_claims_of_one_key_at_once_are_one_seed_run(seeded, tmp_path):
    assert len(set(contend(claim_one_key, seeded, tmp_path, wishes={"customers": 4}))) == 1
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 1
    assert seeded.value("SELECT count(*) FROM seed_control.idempotency_key") == 1

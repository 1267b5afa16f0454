"""A cancellation takes effect at the next batch boundary of every worker, within five seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_plan
from seed_runs import build_tables, content, run_all, wait_until
from torture.worker import Task, plan_of_wishes, processes, work

from seed_pipelines.control import runs
from seed_pipelines.manifest.model import RateLimit

# More batches than anybody waits for, however fast the machine is.
WISHES = {
    **{"mode": "carga", "customers": 100, "shards": 2, "batch_rows": 20, "version": "1.1.0"},
    "rate_limit": RateLimit(limit=10, window_seconds=1, burst=1),
}


@pytest.fixture
def published(seeded, open_session):
    """A dataset of the same tenant and mode, and what is in it."""
    plan = make_plan(customers=6, mode="carga")
    run_all(open_session(), plan)
    before = content(seeded, plan)
    return plan, before


@pytest.fixture
def workers(seeded, published, tmp_path):
    """Two processes, one for each shard of a seed run that would go on for a long time."""
    context, started = processes(), []
    for shard in plan_of_wishes(WISHES).shard_keys:
        ours, theirs = context.Pipe(duplex=False)
        task = Task(wishes=WISHES, key="new", shard=shard, worker=shard, url=seeded.loader_url, home=tmp_path)
        process = context.Process(target=work, args=(task, theirs), daemon=True)
        process.start()
        theirs.close()
        started.append((process, ours))
    yield started
    for process, _ in started:
        process.kill()
        process.join()


def test_two_workers_stop_within_five_seconds_and_the_dataset_stays(seeded, open_session, published, workers):
    plan, before = published
    wait_until(lambda: at_work(seeded) == len(workers), what="both workers write")
    run = runs.find_by_key(open_session().connection, environment="dev", tenant="acme", key="new")
    command = [Path(sys.executable).with_name("seed-data"), "cancel", str(run.id)]
    subprocess.run(command, env=os.environ | {"SEED_DATABASE_URL": seeded.loader_url}, check=True, capture_output=True)
    said = [pipe.recv() for _, pipe in workers]
    assert {one.partition(":")[0] for one in said} == {"seed-run-cancelled"}
    wait_until(lambda: not any(process.is_alive() for process, _ in workers), what="the workers are gone")
    # Only the database's clock: a command takes its time to start.
    took = "SELECT finished_at - cancel_requested_at < interval '5 s' FROM seed_control.seed_run WHERE id = %(id)s"
    assert seeded.value(took, id=run.id)
    assert runs.find(open_session().connection, run.id).state == "cancelled"
    assert build_tables(seeded) == 0
    assert content(seeded, plan) == before


def at_work(seeded):
    """Shards that have written customers of the newest seed run."""
    return seeded.value(
        "SELECT count(DISTINCT shard) FROM seed_control.checkpoint AS c JOIN seed_control.seed_run AS r"
        " ON r.id = c.seed_run_id WHERE r.idempotency_key = 'new' AND c.entity = 'customers'"
    )

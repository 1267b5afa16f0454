"""`seed-data dataset` as a person and a program use it: real processes on a real PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_plan
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.control import outbox

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))


@pytest.fixture
def published(seeded, open_session):
    session, plan = open_session(), make_plan(customers=10)
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")
    return plan


@pytest.fixture
def call(seeded):
    def run_command(*arguments):
        return subprocess.run(
            [SEED_DATA, *arguments],
            env=os.environ | {"SEED_DATABASE_URL": seeded.loader_url},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_command


def test_a_dataset_is_listed_previewed_and_purged(seeded, published, call):
    (listed,) = json.loads(call("dataset", "list", "--json").stdout)["datasets"]
    assert (listed["tenant"], listed["mode"], listed["is_expired"]) == ("acme", "baseline", False)
    previewed = json.loads(call("dataset", "purge", "--tenant", "acme", "--dry-run", "--json").stdout)
    assert previewed["datasets"][0]["rows"] == dict(published.rows)
    assert seeded.value("SELECT count(*) FROM app.customers") == 10
    purged = call("dataset", "purge", "--tenant", "acme", "--yes")
    assert purged.returncode == 0
    assert "purged dev/acme baseline" in purged.stdout
    assert seeded.value("SELECT count(*) FROM app.customers") == 0
    assert "nothing to purge" in call("dataset", "purge", "--expired").stdout


def test_a_purge_that_names_nothing_is_refused(seeded, published, call):
    refused = call("dataset", "purge", "--yes")
    assert refused.returncode == 2
    assert "purge-without-filter" in refused.stderr
    assert seeded.value("SELECT count(*) FROM app.customers") == 10


def test_a_dataset_that_rows_refer_to_is_refused_and_they_are_listed(seeded, published, call):
    with seeded.superuser() as connection:
        connection.execute(
            "CREATE TABLE public.tickets (id bigint PRIMARY KEY, tenant_id uuid, customer_id bigint, "
            "FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id))"
        )
        connection.execute("GRANT SELECT ON public.tickets TO seed_owner")
        connection.execute("INSERT INTO public.tickets SELECT 41, tenant_id, min(id) FROM app.customers GROUP BY 2")
    for wish in ("--dry-run", "--yes"):
        refused = call("dataset", "purge", "--mode", "baseline", wish)
        assert refused.returncode == 3
        assert "public.tickets to customers: ids 41" in refused.stderr


def test_everything_expired_is_what_the_schedule_purges_and_a_tenant_at_work_waits_without_failure(
    seeded, published, open_session, call
):
    session = open_session()
    run_id = seeded.value("SELECT seed_run_id FROM seed_control.dataset")
    outbox.mark_written(session.connection, run_id, uri="file:///x", sha256="0" * 64)
    with seeded.superuser() as connection:
        connection.execute("UPDATE seed_control.dataset SET expires_at = now() - interval '1 minute'")
        connection.execute("UPDATE seed_control.checkpoint SET committed_at = now() - interval '31 days'")
    flow.begin(session, published, request_for(session, "again"))
    waited = call("dataset", "purge", "--environment", "dev", "--expired", "--yes", "--json")
    said = json.loads(waited.stdout)
    assert (waited.returncode, said["datasets"][0]["error"]["code"]) == (0, "lease-held-elsewhere")
    assert said["checkpoints"] == published.total_batches
    assert seeded.value("SELECT count(*) FROM app.customers") == 10
    refused = call("dataset", "purge", "--tenant", "acme", "--expired", "--yes")
    assert refused.returncode == 3

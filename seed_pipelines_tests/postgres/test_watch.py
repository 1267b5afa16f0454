"""`seed-data watch` beside a worker that loads: what it sees is what the checkpoints say."""

import json
import threading

import pytest
from factories import manifest_data
from seed_runs import begun, lean_plan, load_all, publish_all
from seeded import open_one_session

from seed_pipelines.cli.sightings import plan_at_hand, sighting_of
from seed_pipelines.cli.watch import follow, local_sightings
from seed_pipelines.errors import SeedRunNotFound
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment


@pytest.fixture
def installation(seeded, tmp_path):
    environ = {
        "SEED_HOME": str(tmp_path),
        "SEED_MANIFESTS_DIR": str(tmp_path / "manifests"),
        "SEED_DATABASE_URL": seeded.loader_url,
    }
    return Installation.of(from_environment(environ))


def test_a_run_is_followed_from_its_first_row_to_its_publication(seeded, tmp_path, installation, open_session, capsys):
    plan = lean_plan(customers=8)
    session = open_session()
    run = begun(session, plan)

    def work():
        with open_one_session(seeded.loader_url, tmp_path, worker=session.worker) as worker:
            load_all(worker, plan, run)
            publish_all(worker, plan, run)

    worker = threading.Thread(target=work)
    worker.start()
    code = follow(local_sightings(installation, str(run.id)), as_json=True)
    worker.join()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (code, lines[0]["state"], lines[-1]["state"]) == (0, "running", "published")
    assert lines[-1]["rows"] == lines[-1]["planned_rows"] == plan.total_rows
    assert lines[-1]["budget_micro_brl"] == plan.manifest.budget.cost_cap_micro_brl
    assert [line["rows"] for line in lines] == sorted(line["rows"] for line in lines)


def test_batches_and_window_are_told_where_the_manifest_is_at_hand(installation, open_session, tmp_path):
    file = tmp_path / "manifests/dev/acme.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(sealed_text(as_yaml(manifest_data(customers=4))))
    plan = installation.plan(installation.manifest("dev/acme.yaml"))
    session = open_session()
    run = begun(session, plan)
    at_hand = plan_at_hand(installation, run.manifest_path, manifest_hash=run.manifest_hash)
    seen = sighting_of(session.connection, run.id, at_hand)
    assert (seen.planned_batches, seen.planned_rows) == (plan.total_batches, plan.total_rows)
    assert (seen.closes_in_seconds is None) != plan.manifest.window.is_open(run.started_at)
    file.write_text(sealed_text(as_yaml(manifest_data(customers=5))))
    assert plan_at_hand(installation, run.manifest_path, manifest_hash=run.manifest_hash) is None
    assert sighting_of(session.connection, run.id, None).planned_batches is None


@pytest.mark.parametrize("unknown", ["0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10", "acme"])
def test_a_run_that_is_not_there_is_not_waited_for(installation, unknown):
    with pytest.raises(SeedRunNotFound):
        follow(local_sightings(installation, unknown), as_json=True)

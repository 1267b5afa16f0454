"""`seed-data run --dry-run` as CI uses it: no key, no window, no store, and nothing left behind."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from factories import make_plan, manifest_data
from seed_runs import Worker
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text

SEED_DATA = str(Path(sys.executable).with_name("seed-data"))
WISHES = {"customers": 20, "environment": "staging", "tenant": "acme"}


def dry_run(seeded, folder, *arguments, **streams):
    file = folder / "manifests/staging/acme.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(sealed_text(as_yaml(manifest_data(**WISHES))))
    variables = {
        "SEED_DATABASE_URL": seeded.loader_url,
        "SEED_MANIFESTS_DIR": str(folder / "manifests"),
        "SEED_HOME": str(folder / "home"),
        "CI": "true",
        "COLUMNS": "200",
        "TERM": "xterm",
    }
    command = [SEED_DATA, "run", "staging/acme.yaml", "--dry-run", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(command, env=os.environ | variables, text=True, check=False, timeout=120, **streams)


def test_a_dry_run_prints_what_a_run_would_publish_and_keeps_nothing(seeded, open_session, tmp_path):
    done = dry_run(seeded, tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    for table in ("seed_run", "checkpoint", "lease", "report_outbox", "build_table", "rate_limit", "dataset"):
        assert seeded.value(f"SELECT count(*) FROM seed_control.{table}") == 0
    assert not (tmp_path / "home").exists()
    session, plan = open_session(environment="staging"), make_plan(**WISHES)
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    published = flow.publish(session, plan, run, shard="0000")
    assert printed["dataset_hash"] == published.dataset_hash
    assert {found["entity"]: found["rows"] for found in printed["entities"]} == dict(plan.rows)


def test_a_dry_run_tells_a_person_the_hash_and_the_way_it_would_be_published(seeded, tmp_path):
    shown = dry_run(seeded, tmp_path).stdout
    assert "dataset hash" in shown
    assert "rolled back" in shown
    assert "by insert" in shown


def test_a_dry_run_shows_a_person_how_far_it_is(seeded, tmp_path):
    terminal, its_side = os.openpty()
    screen = Worker(lambda: everything_on(terminal))
    try:
        done = dry_run(seeded, tmp_path, stderr=its_side)
    finally:
        os.close(its_side)
    shown, plan = screen.result(), make_plan(**WISHES)
    assert done.returncode == 0, shown
    assert "dry run of staging/acme running" in shown
    assert f"{plan.total_rows:,}/{plan.total_rows:,} rows" in shown
    assert f"{plan.total_batches:,} of {plan.total_batches:,} batches" in shown


def everything_on(terminal):
    """What was written to a terminal until nobody has it open any more: then Linux says EIO."""
    pieces = []
    with suppress(OSError), open(terminal, "rb", buffering=0) as stream:
        while piece := stream.read(1 << 16):
            pieces.append(piece)
    return b"".join(pieces).decode()

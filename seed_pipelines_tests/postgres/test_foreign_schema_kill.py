"""A worker is killed while it moves rows into an application's tables: nobody ever saw a part of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import killable_shop_run
import pytest
from seed_runs import begun, build_tables, load_all, publish_all
from shop import Shop, make_shop, run_in_shop, shop_plan

from seed_pipelines.errors import DatabaseUnavailable

NEW = {"customers": 9, "version": "1.1.0"}


@pytest.fixture
def killed_in(seeded, tmp_path):
    """Starts a worker, waits until it is at a point of its publication, looks around, and kills it."""
    started = []

    def kill(point, *, meanwhile):
        tests = Path(killable_shop_run.__file__).parent
        process = subprocess.Popen(
            [sys.executable, killable_shop_run.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}"},
        )
        started.append(process)
        task = {"plan": NEW, "point": point, "nth": 1, "lease_seconds": 60.0, "worker": "victim", "key": "new"}
        process.stdin.write(json.dumps(task | {"url": seeded.loader_url, "home": str(tmp_path)}) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "there\n", process.stderr.read()
        meanwhile()
        process.send_signal(signal.SIGKILL)
        process.wait()

    yield kill
    for process in started:
        process.kill()
        process.communicate()


def test_a_run_that_is_killed_in_its_publication_is_gone_on_with_and_readers_see_whole_datasets(
    seeded, open_session, killed_in
):
    make_shop(seeded)
    shop, new = Shop(seeded), shop_plan(**NEW)
    run_in_shop(open_session(), shop_plan(), key="old")
    before = shop.content()

    def nothing_is_to_be_seen():
        assert shop.content() == before
        assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") > 0

    killed_in("in publish", meanwhile=nothing_is_to_be_seen)
    assert shop.content() == before
    session = open_session()
    assert gone_on_with(session, new).generation == 2
    assert {entity: len(shop.ours(entity)) for entity in new.mapping.ordered} == {
        entity: new.rows[entity] for entity in new.mapping.ordered
    }
    assert build_tables(seeded) == 0
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 2
    assert seeded.value("SELECT count(DISTINCT seed_run_id) FROM seed_control.mapped_row") == 1


def gone_on_with(session, plan):
    """The same key again, until the server has noticed that the old worker is gone."""
    for _ in range(20):
        try:
            run = begun(session, plan, key="new")
            load_all(session, plan, run)
            return publish_all(session, plan, run)
        except DatabaseUnavailable:
            time.sleep(0.2)
    raise AssertionError("the killed worker's locks are still held")

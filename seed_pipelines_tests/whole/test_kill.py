"""A worker's process is killed or put to sleep, at every point: nothing is lost, nothing twice, nothing half there."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import killable_run
import pytest
from seed_runs import (
    assert_exactly_the_plan,
    begun,
    build_tables,
    content,
    expected_hash,
    lean_plan,
    load_all,
    publish_all,
    run_all,
    state_of,
)

from seed_pipelines.errors import DatabaseUnavailable

OLD = {"customers": 9, "version": "1.0.0"}
NEW = {"customers": 24, "version": "1.1.0", "batch_rows": 10}
OTHER = {"customers": 15, "version": "1.0.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A process that works on the new dataset, and stops where it was told."""

    process: subprocess.Popen

    def wait_until_there(self):
        assert self.process.stdout.readline() == "there\n", self.process.stderr.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def sleep(self):
        self.process.send_signal(signal.SIGSTOP)

    def wake_up(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.process.send_signal(signal.SIGCONT)

    def endings(self):
        """How each attempt ended: code and dataset hash."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        return [(ending["code"], ending.get("hash")) for ending in json.loads(out.splitlines()[-1])]


@pytest.fixture
def start(seeded, tmp_path):
    """Starts victims; none outlives the test."""
    started = []

    def start_one(point, *, nth=1, plan=NEW, lease_seconds=60.0, worker="victim", key="new"):
        tests, product = Path(killable_run.__file__).parent, Path(killable_run.__file__).parents[1]
        process = subprocess.Popen(
            [sys.executable, killable_run.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": f"{product}{os.pathsep}{tests}"},
        )
        started.append(process)
        task = {
            "plan": plan,
            "point": point,
            "nth": nth,
            "lease_seconds": lease_seconds,
            "worker": worker,
            "key": key,
            "url": seeded.loader_url,
            "home": str(tmp_path),
        }
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        return Victim(process=process)

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


KILL_POINTS = [
    ("before a batch", 4, "insert"),
    ("in the middle of a copy", 4, "insert"),
    ("inside a batch", 4, "attach"),
    ("after a batch", 4, "attach"),
    *(
        (point, nth, publisher)
        for publisher in ("attach", "insert")
        for point, nth in (("in seal", 3), ("before the publication", 1), ("in publish", 1), ("after publish", 1))
    ),
]


@pytest.mark.parametrize(
    ("point", "nth", "publisher"), KILL_POINTS, ids=[f"{point}, {publisher}" for point, _, publisher in KILL_POINTS]
)
def test_a_killed_seed_run_goes_on_and_ends_as_if_nothing_had_happened(
    seeded, open_session, start, point, nth, publisher
):
    old, wishes = lean_plan(**OLD, publisher=publisher), NEW | {"publisher": publisher}
    run_all(open_session(), old, key="old")
    before, new = content(seeded, old), lean_plan(**wishes)
    victim = start(point, nth=nth, plan=wishes)
    victim.wait_until_there()
    if point not in ("in publish", "after publish"):
        assert content(seeded, old) == before
    victim.kill()
    if point != "after publish":
        assert content(seeded, old) == before
    session = open_session()
    published = go_on(session, new)
    assert published.dataset_hash == expected_hash(new)
    assert_exactly_the_plan(seeded, new)
    assert build_tables(seeded) == 0
    assert seeded.value("SELECT generation FROM seed_control.dataset") == 2
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 2
    assert seeded.value("SELECT count(*) FROM seed_control.report_outbox") == 2


def go_on(session, plan):
    """What comes after a kill: the same key again, until the server has noticed that the old worker is gone."""
    for _ in range(20):
        try:
            run = begun(session, plan, key="new")
            if run.state == "running":
                load_all(session, plan, run)
            return publish_all(session, plan, run)
        except DatabaseUnavailable:
            time.sleep(0.2)
    raise AssertionError("the killed worker's locks are still held")


SLEEP_POINTS = [
    ("before a batch", ["lease-lost", "seed-run-ended"]),
    ("in the middle of a copy", ["database-unavailable", "seed-run-ended"]),
    ("inside a batch", ["database-unavailable", "seed-run-ended"]),
    ("after a batch", ["lease-lost", "seed-run-ended"]),
    ("in seal", ["database-unavailable", "seed-run-ended"]),
    ("before the publication", ["lease-lost", "seed-run-ended"]),
    ("in publish", ["database-unavailable", "seed-run-ended"]),
]


@pytest.mark.parametrize(("point", "codes"), SLEEP_POINTS, ids=[point for point, _ in SLEEP_POINTS])
def test_a_worker_that_sleeps_past_its_lease_writes_nothing_after_another_has_taken_over(
    seeded, open_session, start, point, codes
):
    victim = start(point, nth=1 if "publi" in point else 3, lease_seconds=1.0)
    victim.wait_until_there()
    victim.sleep()
    time.sleep(1.1)
    other = lean_plan(**OTHER)
    taker = open_session()
    take_over(taker, other)
    written = seeded.value("SELECT count(*) FROM seed_control.checkpoint")
    before = content(seeded, other)
    victim.wake_up()
    assert [code for code, _ in victim.endings()] == codes
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") == written
    assert content(seeded, other) == before
    assert_exactly_the_plan(seeded, other)
    assert build_tables(seeded) == 0
    assert seeded.value("SELECT max(fence) FROM seed_control.lease") == 2
    states = "SELECT array_agg(state ORDER BY started_at) FROM seed_control.seed_run"
    assert seeded.value(states) == ["aborted", "published"]


def take_over(session, plan):
    """Another seed run, as soon as the sleeper's transaction is over: at the latest when the server ends it."""
    for _ in range(20):
        try:
            return run_all(session, plan, key="other")
        except DatabaseUnavailable:
            time.sleep(0.2)
    raise AssertionError("the sleeper's locks are still held")


def test_of_two_processes_on_one_shard_the_newer_writes_and_the_older_says_so(seeded, open_session, start):
    new = lean_plan(**NEW)
    victim = start("before a batch", nth=4)
    victim.wait_until_there()
    newer = open_session()
    run = begun(newer, new, key="new")
    load_all(newer, new, run)
    victim.wake_up()
    assert victim.endings() == [("shard-superseded", None)]
    assert state_of(seeded, run) == "running"
    assert publish_all(newer, new, run).dataset_hash == expected_hash(new)
    assert_exactly_the_plan(seeded, new)


def test_two_processes_that_race_on_one_shard_publish_one_dataset(seeded, start):
    new = lean_plan(**NEW)
    victims = [start("before a batch", worker=name) for name in ("one", "two")]
    for victim in victims:
        victim.wait_until_there()
    for victim in victims:
        victim.wake_up()
    endings = [victim.endings()[-1] for victim in victims]
    assert ("published", expected_hash(new)) in endings
    assert {code for code, _ in endings} <= {"published", "shard-superseded", "seed-run-ended"}
    assert_exactly_the_plan(seeded, new)
    assert seeded.value("SELECT generation FROM seed_control.dataset") == 1

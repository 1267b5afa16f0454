"""Ticks: what a schedule and the manifest sensor ask for, and how often."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from sealed_manifests import window_around

from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.orchestration.manifest_sensor import Cursor

NIGHT = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)
OPEN = window_around(datetime.now(UTC))
CLOSED = window_around(datetime.now(UTC), before_hours=-2)


def tags_of(requests, tag):
    return {request.tags[tag] for request in requests}


def tick_of_schedule(place, tenant, *, when):
    repository = place.definitions.get_repository_def()
    schedule = repository.get_schedule_def(f"off_peak__dev__{tenant}")
    context = dg.build_schedule_context(
        scheduled_execution_time=when, instance=place.instance, repository_def=repository
    )
    return schedule, schedule.evaluate_tick(context).run_requests


def test_a_schedule_asks_for_every_shard_by_one_key_when_the_window_opens(place):
    place.write(
        tenant="globex",
        mode="carga",
        customers=15_004,
        loans=100,
        window={"start_utc": "22:30", "end_utc": "05:00"},
    )
    schedule, requests = tick_of_schedule(place, "globex", when=NIGHT)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 22 * * *", "UTC")
    assert [request.partition_key for request in requests] == ["0000", "0001", "0002", "0003"]
    assert tags_of(requests, "seed/idempotency-key") == {"schedule:2026-11-25T22:00Z"}
    assert tags_of(requests, "seed/trigger") == {"schedule"}
    assert len({request.run_key for request in requests}) == 4


def test_a_night_later_the_key_is_another(place):
    place.write()
    keys = [
        tags_of(tick_of_schedule(place, "acme", when=NIGHT + timedelta(days=day))[1], "seed/idempotency-key")
        for day in (0, 1)
    ]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(("environment", "status"), [("dev", "STOPPED"), ("staging", "RUNNING")])
def test_schedules_are_on_in_every_environment_but_dev(place, environment, status):
    place.write(environment=environment)
    schedules = place.definitions.get_repository_def().schedule_defs
    found = {schedule.name: schedule.default_status.value for schedule in schedules}
    assert found[f"off_peak__{environment}__acme"] == status


class Commits:
    """The manifest sensor through many ticks, each after a reload, with the cursor that the last one left."""

    def __init__(self, place):
        self.place = place
        self.cursor = None
        self.launched = set()

    def tick(self):
        """Requests that the daemon would launch: a run key is launched once for ever."""
        definitions = definitions_of(self.place.installation)
        repository = definitions.get_repository_def()
        sensor = repository.get_sensor_def("manifest_commits")
        context = dg.build_sensor_context(instance=self.place.instance, cursor=self.cursor, repository_def=repository)
        found = sensor.evaluate_tick(context)
        new = [request for request in found.run_requests if request.run_key not in self.launched]
        self.cursor = found.cursor
        self.launched |= {request.run_key for request in new}
        return new


@pytest.fixture
def commits(place):
    return Commits(place)


def commit(place, name):
    """What git leaves in a checkout."""
    (place.manifests / ".git").mkdir(exist_ok=True)
    (place.manifests / ".git" / "HEAD").write_text(name * 40, encoding="ascii")


def test_the_first_tick_takes_note_and_a_change_runs_once(place, commits):
    place.write(window=OPEN)
    assert commits.tick() == []
    changed = place.write(window=OPEN, version="1.1.0")
    requests = commits.tick()
    assert [request.job_name for request in requests] == ["seed__dev__acme"]
    assert tags_of(requests, "seed/manifest-hash") == {changed}
    assert commits.tick() == []


def test_all_shards_of_a_changed_manifest_share_one_key_of_hash_and_commit(place, commits):
    carga = {"window": OPEN, "mode": "carga", "customers": 15_004, "loans": 100}
    place.write(**carga)
    commit(place, "a")
    commits.tick()
    changed = place.write(**carga, version="1.1.0")
    commit(place, "b")
    requests = commits.tick()
    assert len(requests) == 4
    assert tags_of(requests, "seed/idempotency-key") == {f"manifest:{changed}:{'b' * 40}"}


@pytest.mark.parametrize("is_checkout", [True, False])
def test_a_revert_runs_again(place, commits, is_checkout):
    ran = []
    for version, name in (("1.0.0", "a"), ("1.1.0", "b"), ("1.0.0", "c"), ("1.1.0", "d")):
        place.write(window=OPEN, version=version)
        if is_checkout:
            commit(place, name)
        ran.append(len(commits.tick()))
    assert ran == [0, 1, 1, 1]


def test_a_commit_that_leaves_the_manifest_alone_runs_nothing(place, commits):
    place.write(window=OPEN)
    for name in ("a", "b", "c"):
        commit(place, name)
        assert commits.tick() == []


def test_a_tick_whose_cursor_was_lost_asks_by_the_same_keys(place, commits):
    place.write(window=OPEN)
    commits.tick()
    before = commits.cursor
    place.write(window=OPEN, version="1.1.0")
    assert len(commits.tick()) == 1
    commits.cursor = before
    assert commits.tick() == []


def test_a_new_manifest_runs(place, commits):
    place.write(window=OPEN)
    commits.tick()
    place.write(tenant="globex", window=OPEN)
    assert [request.job_name for request in commits.tick()] == ["seed__dev__globex"]


def test_outside_its_window_a_change_waits_for_it(place, commits):
    place.write(window=CLOSED)
    commits.tick()
    place.write(window=CLOSED, version="1.1.0")
    assert commits.tick() == []
    assert Cursor.parse(commits.cursor).hashes["dev/acme.yaml"] != ""
    place.write(window=OPEN, version="1.1.0")
    assert len(commits.tick()) == 1


def test_a_manifest_that_was_broken_for_a_while_does_not_run_again_unchanged(place, commits):
    place.write(window=OPEN)
    commits.tick()
    whole = (place.manifests / "dev/acme.yaml").read_text(encoding="utf-8")
    (place.manifests / "dev/acme.yaml").write_text("metadata: [", encoding="utf-8")
    assert commits.tick() == []
    (place.manifests / "dev/acme.yaml").write_text(whole, encoding="utf-8")
    assert commits.tick() == []


def test_a_removed_manifest_is_forgotten(place, commits):
    place.write(window=OPEN)
    commits.tick()
    (place.manifests / "dev/acme.yaml").unlink()
    assert commits.tick() == []
    assert Cursor.parse(commits.cursor).hashes == {}

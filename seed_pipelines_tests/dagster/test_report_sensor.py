"""The report sensor: every seed run that ended gets its report once, whatever fails in between."""

import dagster as dg
import pytest
from factories import make_plan
from seeded import request_for
from small_manifests import SMALL

from seed_pipelines import flow


def tick(place):
    """What one tick says; raises what it raises."""
    repository = place.definitions.get_repository_def()
    context = dg.build_sensor_context(instance=place.instance, repository_def=repository)
    return repository.get_sensor_def("seed_reports").evaluate_tick(context).skip_message


def reports(place):
    return sorted(path for path in (place.home / "reports").rglob("*.json") if path.is_file())


def written(seeded):
    return seeded.value("SELECT count(*) FROM seed_control.report_outbox WHERE written_at IS NOT NULL")


def test_a_published_run_gets_its_report_within_a_tick_and_no_second_one(seeded_place, seeded):
    seeded_place.write(**SMALL)
    seeded_place.run()
    assert written(seeded) == 0
    assert "1 reports written, 0 waiting" in tick(seeded_place)
    lies = reports(seeded_place)
    assert lies
    (shown,) = seeded_place.instance.fetch_observations(dg.AssetKey(["dev", "acme", "dataset"]), limit=5).records
    assert shown.asset_observation.metadata["report"].value in {path.as_uri() for path in lies}
    assert written(seeded) == 1
    assert "0 reports written, 0 waiting" in tick(seeded_place)
    assert reports(seeded_place) == lies


def test_a_report_waits_for_its_store_and_is_written_when_it_is_back(seeded_place, seeded, monkeypatch, tmp_path):
    seeded_place.write(**SMALL)
    seeded_place.run()
    (tmp_path / "no-directory").write_text("", encoding="ascii")
    monkeypatch.setenv("SEED_WORM_URL", f"file://{tmp_path}/no-directory")
    for _ in range(2):
        with pytest.raises(dg.Failure) as failed:
            tick(seeded_place)
        assert "0 reports written, 1 waiting" in failed.value.description
    assert written(seeded) == 0
    monkeypatch.delenv("SEED_WORM_URL")
    assert "1 reports written, 0 waiting" in tick(seeded_place)
    assert written(seeded) == 1


def test_a_report_that_cannot_be_written_keeps_no_other(seeded_place, seeded, open_session):
    """Reports of staging need a bucket with a lock; this installation has none."""
    publish_elsewhere(open_session(environment="staging"))
    seeded_place.write(**SMALL)
    seeded_place.run()
    with pytest.raises(dg.Failure) as failed:
        tick(seeded_place)
    assert "1 reports written, 1 waiting" in failed.value.description
    assert written(seeded) == 1
    with pytest.raises(dg.Failure) as failed:
        tick(seeded_place)
    assert "0 reports written, 1 waiting" in failed.value.description


def publish_elsewhere(session):
    plan = make_plan(**SMALL, environment="staging")
    run = flow.begin(session, plan, request_for(session))
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    flow.publish(session, plan, run, shard="0000")


def test_without_a_database_the_tick_fails_with_our_message(place, monkeypatch):
    monkeypatch.setenv("SEED_DATABASE_URL", "postgresql://nobody:secret-word@127.0.0.1:9/none")
    with pytest.raises(dg.Failure) as failed:
        tick(place)
    assert failed.value.metadata["code"].value == "database-unavailable"
    assert "secret-word" not in failed.value.description

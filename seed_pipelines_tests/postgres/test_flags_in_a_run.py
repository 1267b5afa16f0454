"""Feature flags at work: a session is not opened where one stops it, and the report says what it said."""

import json
from dataclasses import replace

import pytest
from factories import make_manifest, make_plan
from seed_runs import state_of
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.errors import FlagsUnavailable, StoppedByFlag
from seed_pipelines.outside.flags import FlagWatch
from seed_pipelines.session import Installation, opened
from seed_pipelines.settings import Settings


@pytest.fixture
def installation(seeded, tmp_path):
    (tmp_path / "manifests").mkdir()
    return Installation.of(
        Settings(
            home=tmp_path / "home",
            manifests=tmp_path / "manifests",
            database_url=seeded.loader_url,
            flags_file=tmp_path / "flags.json",
        )
    )


def switch(installation, **rule):
    flags = {"seed-run-enabled": {"default": True, "rules": [rule] if rule else []}}
    installation.settings.flags_file.write_text(json.dumps(flags))


def test_a_stopped_tenant_writes_nothing_and_another_goes_on(seeded, installation):
    switch(installation, tenant="acme", value=False)
    with pytest.raises(StoppedByFlag), opened(installation, make_manifest(customers=10), worker="w"):
        pytest.fail("the session was opened")
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0
    with opened(installation, make_manifest(customers=10, tenant="globex"), worker="w") as session:
        assert session.flags["seed_run_enabled"] is True
        session.telemetry.finish()


def test_what_the_flag_said_is_among_the_flags_of_the_seed_run(seeded, installation):
    switch(installation)
    manifest = make_manifest(customers=10)
    with opened(installation, manifest, worker="w") as session:
        run = flow.begin(session, installation.plan(manifest), request_for(session))
        session.telemetry.finish()
    assert run.flags["seed_run_enabled"] is True
    assert run.flags["seed_run_enabled_reason"] == "DEFAULT"


def interrupted(session, plan, run, change):
    """Loads until the customers; the flags change while the second batch of these waits for its turn."""
    waits = []

    def sleep(_):
        waits.append(1)
        if len(waits) == 2:
            change()

    for entity in ("tenants", "users", "consultants"):
        flow.load_entity(session, plan, run, shard="0000", entity=entity)
    with pytest.raises((StoppedByFlag, FlagsUnavailable)) as stop:
        flow.load_entity(replace(session, sleep=sleep), plan, run, shard="0000", entity="customers")
    return stop.value


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda file: file.write_text('{"seed-run-enabled": {"default": false}}'), StoppedByFlag),
        (lambda file: file.write_text("{"), FlagsUnavailable),
        (lambda file: file.unlink(), FlagsUnavailable),
    ],
    ids=["switched off", "not readable", "gone"],
)
def test_a_flag_that_is_switched_off_stops_the_next_batch_and_the_run_goes_on_later(
    seeded, installation, change, error
):
    switch(installation)
    manifest, plan = make_manifest(customers=20), make_plan(customers=20, batch_rows=5)
    with opened(installation, manifest, worker="w") as session:
        run = flow.begin(session, plan, request_for(session))
        stop = interrupted(session, plan, run, lambda: change(installation.settings.flags_file))
        session.telemetry.finish()
    assert type(stop) is error
    with seeded.connection() as connection:
        ending = flow.leave(connection, run.id, worker="w", error=stop)
    assert ending.outcome == state_of(seeded, run) == ("paused" if error is StoppedByFlag else "failed")
    written = "SELECT count(*) FROM seed_control.checkpoint WHERE entity = 'customers'"
    assert seeded.value(written) == 1
    switch(installation)
    with opened(installation, manifest, worker="w2") as session:
        again = flow.begin(session, plan, request_for(session))
        load = flow.load_entity(session, plan, again, shard="0000", entity="customers")
        session.telemetry.finish()
    assert (again.id, load.resumed_batches, load.rows) == (run.id, 1, 20)


def test_a_file_that_says_what_it_said_is_not_asked_anew(installation):
    switch(installation)
    watch = FlagWatch(installation.settings.flags_file, environment="dev", tenant="acme", mode="baseline")
    first = watch.assert_enabled()
    installation.settings.flags_file.touch()
    assert watch.assert_enabled() is first
    switch(installation, mode="carga", value=False)
    assert watch.assert_enabled() is not first

"""Feature flags at work: a session is not opened where one stops it, and the report says what it said."""

import json

import pytest
from factories import make_manifest
from seeded import request_for

from seed_pipelines import flow
from seed_pipelines.errors import StoppedByFlag
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

"""`seed-data db migrate` without a connection: the embedded server is taken only where nothing speaks against it."""

import pytest

from seed_pipelines.cli import db
from seed_pipelines.errors import MigratorUnknown
from seed_pipelines.settings import Settings

NAMES = ("SEED_DATABASE_URL", "SEED_ENVIRONMENT", "SEED_HOME")


@pytest.fixture
def home(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEED_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "admin_url", "says"),
    [
        ({"SEED_DATABASE_URL": "postgresql://seed_loader:hidden@db/app"}, None, "SEED_DATABASE_URL"),
        ({}, "postgresql://postgres:hidden@db/app", "SEED_ADMIN_URL"),
        ({"SEED_ENVIRONMENT": "staging"}, None, "SEED_ENVIRONMENT=staging"),
        ({"SEED_ENVIRONMENT": "dev", "SEED_DATABASE_URL": "postgresql://db/app"}, None, "SEED_DATABASE_URL"),
    ],
)
def test_a_forgotten_connection_is_refused_and_nothing_is_started(home, monkeypatch, environment, admin_url, says):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MigratorUnknown, match=f"SEED_MIGRATOR_URL is not set, and {says} says") as refused:
        db.migrate(migrator_url=None, admin_url=admin_url)
    assert refused.value.exit_code == 3
    assert "hidden" not in str(refused.value)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("environment", [None, "dev"])
def test_a_laptop_that_names_nothing_gets_the_embedded_server(tmp_path, environment):
    settings = Settings(home=tmp_path, manifests=tmp_path, environment=environment)
    db.assert_embedded_is_meant(settings, admin_url=None)

"""An installation of one test: its own database, home and manifests, as the environment names them to every step."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from sealed_manifests import write_manifest

from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.orchestration.names import ManifestName
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A laptop: manifests to write, jobs to run, and what Dagster then shows."""

    manifests: Path
    home: Path
    instance: dg.DagsterInstance

    @property
    def installation(self) -> Installation:
        return Installation.of(from_environment())

    @property
    def definitions(self) -> dg.Definitions:
        return definitions_of(self.installation)

    def write(self, **wishes) -> str:
        """A sealed manifest; its hash."""
        return write_manifest(self.manifests, **wishes)

    def run(self, tenant="acme", *, shard="0000", definitions=None, environment="dev", **tags):
        """One run of one shard in this process; `ignore_window="true"` stands for the tag seed/ignore-window."""
        name = ManifestName(environment=environment, tenant=tenant)
        job = (definitions or self.definitions).resolve_job_def(name.job)
        return job.execute_in_process(
            instance=self.instance,
            partition_key=shard,
            tags={f"seed/{tag.replace('_', '-')}": value for tag, value in tags.items()},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


@pytest.fixture
def place(tmp_path, monkeypatch) -> Iterator[Place]:
    """No database: enough for loading code and for refusals that come before one is needed."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("SEED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEED_MANIFESTS_DIR", str(tmp_path / "manifests"))
    (tmp_path / "manifests").mkdir()
    with dg.DagsterInstance.ephemeral() as instance:
        yield Place(manifests=tmp_path / "manifests", home=tmp_path / "home", instance=instance)


@pytest.fixture
def seeded_place(place, seeded, monkeypatch) -> Place:
    """The same with a migrated database."""
    monkeypatch.setenv("SEED_DATABASE_URL", seeded.loader_url)
    return place

"""The code location: one job and one group for each manifest, and no manifest that takes the others down."""

import pytest

from seed_pipelines.orchestration import ops
from seed_pipelines.orchestration.broken import BrokenManifest
from seed_pipelines.orchestration.location import definitions_of
from seed_pipelines.orchestration.names import ManifestName


def job_names(definitions):
    return {job.name for job in definitions.get_repository_def().get_all_jobs()} - {"__ASSET_JOB"}


def seed_jobs(definitions):
    return {name for name in job_names(definitions) if name.startswith(("seed__", "broken__"))}


def test_each_manifest_is_a_job_a_group_and_a_schedule_with_shards_as_partitions(place):
    place.write(tenant="acme")
    place.write(tenant="globex", mode="carga", customers=15_004, loans=100)
    repository = place.definitions.get_repository_def()
    assert seed_jobs(place.definitions) == {"seed__dev__acme", "seed__dev__globex"}
    nodes = repository.asset_graph.asset_nodes
    assert {node.group_name for node in nodes} == {"dev__acme", "dev__globex"}
    globex = repository.get_job("seed__dev__globex")
    assert globex.partitions_def.get_partition_keys() == ["0000", "0001", "0002", "0003"]
    assert {schedule.name for schedule in repository.schedule_defs} >= {"off_peak__dev__acme", "off_peak__dev__globex"}
    assert {sensor.name for sensor in repository.sensor_defs} >= {"manifest_commits", "seed_reports"}


def test_every_asset_has_the_checks_that_its_op_yields(place):
    place.write()
    checks = place.definitions.get_repository_def().asset_graph.asset_check_keys
    named = {(check.asset_key.path[-1], check.name) for check in checks}
    assert named >= {
        ("customers", "rows_as_planned"),
        ("loans", "equal_to_oracle"),
        ("installments", "equal_to_oracle"),
        ("financial_transactions", "equal_to_oracle"),
        ("contracts", "equal_to_oracle"),
        ("dataset", "tenant_isolated"),
        ("dataset", "hash_as_before"),
    }


def test_every_asset_job_and_check_says_what_it_is_and_whose(place):
    place.write(mode="dr")
    repository = place.definitions.get_repository_def()
    graph = repository.asset_graph
    for node in graph.asset_nodes:
        assert node.description
        assert node.owners == ["team:acme"]
        assert node.kinds == {"postgres", "table"}
        assert {"seed/env": "dev", "seed/tenant": "acme", "seed/mode": "dr"}.items() <= node.tags.items()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert {spec.name for spec in specs} == set(ops.CHECKS)
    assert all(spec.description == ops.CHECKS[spec.name] for spec in specs)
    job = repository.get_job("seed__dev__acme")
    assert "dr of dev/acme.yaml" in job.description
    assert {"seed/env": "dev", "seed/tenant": "acme"}.items() <= job.tags.items()


def test_an_asset_depends_on_the_assets_that_its_rows_refer_to(place):
    place.write()
    graph = place.definitions.get_repository_def().asset_graph
    name = ManifestName(environment="dev", tenant="acme")
    assert name.key("loans") in graph.get(name.key("installments")).parent_keys
    assert graph.get(name.key("dataset")).parent_keys >= {name.key("loans"), name.key("tenants")}


def test_jobs_and_asset_runs_alike_keep_all_steps_in_one_process_and_one_pool(place):
    place.write()
    repository = place.definitions.get_repository_def()
    for job in ("seed__dev__acme", "__ASSET_JOB"):
        assert repository.get_job(job).executor_def.name == "in_process"
    steps = repository.get_job("seed__dev__acme").get_subset().nodes[0].definition.nodes
    assert {node.definition.pool for node in steps} == {"seed_dev"}


@pytest.mark.parametrize(
    ("path", "content", "job", "says"),
    [
        ("dev/bad.yaml", "metadata: [", "broken__dev__bad", "not YAML"),
        ("dev/acme.yml", "x: 1", "broken__dev_acme_yml_", "lacks metadata"),
        ("a file.yaml", "x: 1", "broken__a_file_yaml_", "lacks metadata"),
        ("dev/deep/er.yaml", "x: 1", "broken__dev_deep_er_yaml_", "lacks metadata"),
    ],
)
def test_a_broken_manifest_is_a_job_that_says_why_and_the_others_load(place, path, content, job, says):
    place.write()
    (place.manifests / path).parent.mkdir(parents=True, exist_ok=True)
    (place.manifests / path).write_text(content, encoding="utf-8")
    found = seed_jobs(place.definitions)
    assert "seed__dev__acme" in found
    (broken,) = found - {"seed__dev__acme"}
    assert broken.startswith(job)
    definition = place.definitions.resolve_job_def(broken)
    assert path in definition.description
    assert says in definition.description
    result = definition.execute_in_process(instance=place.instance, raise_on_error=False)
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert says in failure.step_failure_data.user_failure_data.description


def test_a_manifest_at_another_place_than_its_own_is_broken(place):
    place.write(tenant="acme")
    (place.manifests / "dev/acme.yaml").rename(place.manifests / "dev/globex.yaml")
    assert seed_jobs(place.definitions) == {"broken__dev__globex"}


def test_an_installation_of_one_environment_loads_only_its_manifests(place, monkeypatch):
    place.write(environment="dev")
    place.write(environment="staging")
    monkeypatch.setenv("SEED_ENVIRONMENT", "staging")
    assert seed_jobs(place.definitions) == {"seed__staging__acme"}


def test_a_worker_loads_only_the_manifest_of_its_job(place, monkeypatch):
    for tenant in ("acme", "globex", "initech"):
        place.write(tenant=tenant)
    assert seed_jobs(definitions_of(place.installation, job="seed__dev__globex")) == {"seed__dev__globex"}
    monkeypatch.setenv("DAGSTER_RUN_JOB_NAME", "seed__dev__initech")
    assert seed_jobs(place.definitions) == {"seed__dev__initech"}
    # A run of assets does not say which manifest it is for.
    monkeypatch.setenv("DAGSTER_RUN_JOB_NAME", "__ASSET_JOB")
    assert len(seed_jobs(place.definitions)) == 3


def test_an_empty_folder_still_has_both_sensors(place):
    sensors = {sensor.name for sensor in place.definitions.get_repository_def().sensor_defs}
    assert sensors >= {"manifest_commits", "seed_reports"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b--c"), ("a--b", "c")),
        (("a-", "b"), ("a", "b-")),
        (("a-b", "c"), ("a", "b-c")),
    ],
)
def test_no_two_manifests_have_one_name(one, other):
    names = [ManifestName(environment=environment, tenant=tenant) for environment, tenant in (one, other)]
    assert len({name.job for name in names}) == 2
    assert len({name.group for name in names}) == 2


@pytest.mark.parametrize(("one", "other"), [("dev/acme.yml", "dev/acme.json"), ("a b.yaml", "a_b.yaml")])
def test_no_two_broken_files_have_one_name(one, other):
    error = ValueError()
    assert BrokenManifest(path=one, error=error).job != BrokenManifest(path=other, error=error).job

"""What Terraform makes is what the product asks for: the same roles, keys, retention and settings."""

import re
from pathlib import Path

import helm_chart as chart
import pytest
import yaml

from seed_pipelines.outside.object_lock import KEPT_DAYS

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "infra/terraform"


def text_of(name: str) -> str:
    return (TERRAFORM / name).read_text()


def test_the_roles_are_those_of_the_bootstrap() -> None:
    bootstrap = (ROOT / "seed_pipelines/sql/bootstrap.sql").read_text()
    wanted = set(re.findall(r"ALTER ROLE (seed_\w+) LOGIN", bootstrap))
    (listed,) = re.findall(r"login_roles = toset\(\[(.*?)\]\)", text_of("database.tf"), re.DOTALL)
    assert set(re.findall(r'"(seed_\w+)"', listed)) == wanted
    (checked,) = re.findall(
        r"toset\(keys\(var.database_passwords\)\) == toset\(\[(.*?)\]\)", text_of("variables.tf"), re.DOTALL
    )
    assert set(re.findall(r'"(seed_\w+)"', checked)) == wanted


def test_no_role_bypasses_row_level_security_or_inherits() -> None:
    roles = re.findall(r'resource "postgresql_role".*?\n}\n', text_of("database.tf"), re.DOTALL)
    assert len(roles) == 2
    for role in roles:
        for right in ("inherit", "superuser", "create_database", "create_role", "bypass_row_level_security"):
            assert re.search(rf"\n  {right} += false\n", role), right


def test_a_report_is_locked_for_longer_than_the_store_asks() -> None:
    variables = text_of("variables.tf")
    assert f"var.retention_days >= {KEPT_DAYS + 1}" in variables
    assert re.search(rf"default +=  ?{KEPT_DAYS + 1}\n", variables)
    assert 'mode = "COMPLIANCE"' in text_of("reports.tf")


def test_no_key_leaves_vault_or_can_be_deleted() -> None:
    keys = re.findall(r'resource "vault_transit_secret_backend_key".*?\n}\n', text_of("keys.tf"), re.DOTALL)
    assert len(keys) >= 2
    for key in keys:
        for right in ("exportable", "allow_plaintext_backup", "deletion_allowed"):
            assert re.search(rf"\n  {right} += false\n", key), right


def test_every_policy_of_vault_is_applied() -> None:
    applied = set(re.findall(r"vault/([\w-]+\.hcl)", text_of("keys.tf")))
    assert applied == {file.name for file in (ROOT / "infra/vault").glob("*.hcl")}


def test_whatever_logs_in_to_vault_is_bound_to_its_role_and_nothing_else_is() -> None:
    (bound,) = re.findall(r"bound_service_account_names += \[for component in \[(.*?)\]", text_of("keys.tf"))
    (fullname,) = re.findall(r'variable "fullname" {.*?default += "(.*?)"', text_of("variables.tf"), re.DOTALL)
    things = chart.render(chart.value_set("production-full"))
    mounting = {
        template["spec"]["serviceAccountName"]
        for _, template in chart.pod_templates(things)
        if any(volume["name"] == "vault-token" for volume in template["spec"]["volumes"])
    }
    instance = chart.named(things, "ConfigMap", f"{fullname}-dagster")["data"]["dagster.yaml"]
    launcher = yaml.safe_load(instance)["run_launcher"]["config"]
    assert "vault-token" in {volume["name"] for volume in launcher["volumes"]}
    mounting.add(launcher["service_account_name"])
    assert {f"{fullname}-{component}" for component in re.findall(r'"(\w+)"', bound)} == mounting


@pytest.mark.parametrize("component", ["run", "code", "api"])
def test_whatever_writes_reports_has_a_role_in_the_example(component: str) -> None:
    values = chart.value_set("production-full")
    assert values["serviceAccountAnnotations"][component]["eks.amazonaws.com/role-arn"]


def test_a_pod_of_one_environment_cannot_log_in_as_another() -> None:
    assert "bound_service_account_namespaces = [var.namespaces[each.key]]" in text_of("keys.tf")
    assert "length(distinct(values(var.namespaces))) == length(var.namespaces)" in text_of("variables.tf")


def test_the_url_of_the_reports_has_the_prefix_that_writers_may_write_to() -> None:
    assert 'value       = "s3://${aws_s3_bucket.reports.bucket}/${var.report_prefix}"' in text_of("outputs.tf")
    assert re.search(r"prefix += var.report_prefix\n", text_of("reports.tf"))


def test_the_example_gives_every_variable_that_has_no_default_but_the_passwords() -> None:
    variables = re.findall(r'^variable "(\w+)" {\n(.*?)^}', text_of("variables.tf"), re.DOTALL | re.MULTILINE)
    required = {name for name, body in variables if not re.search(r"^  default +=", body, re.MULTILINE)}
    (example,) = re.findall(r"```hcl\n(.*?)```", text_of("README.md"), re.DOTALL)
    given = set(re.findall(r"^(\w+) +=", example, re.MULTILINE))
    assert required - {"database_passwords"} <= given <= {name for name, _ in variables}

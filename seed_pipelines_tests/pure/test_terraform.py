"""What Terraform makes is what the product asks for: the same roles, keys, retention and settings."""

import re
from pathlib import Path

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


def test_nobody_may_delete_a_report_or_shorten_its_lock() -> None:
    (denied,) = re.findall(r'sid += "NobodyDeletesOrUnlocks".*?\n  }\n', text_of("reports.tf"), re.DOTALL)
    assert 'effect    = "Deny"' in denied
    assert 'identifiers = ["*"]' in denied
    assert "condition" not in denied
    for action in ("DeleteObject", "DeleteObjectVersion", "PutObjectRetention", "BypassGovernanceRetention"):
        assert f'"s3:{action}"' in denied


def test_no_key_leaves_vault_or_can_be_deleted() -> None:
    keys = re.findall(r'resource "vault_transit_secret_backend_key".*?\n}\n', text_of("keys.tf"), re.DOTALL)
    assert len(keys) >= 2
    for key in keys:
        for right in ("exportable", "allow_plaintext_backup", "deletion_allowed"):
            assert re.search(rf"\n  {right} += false\n", key), right


def test_every_policy_of_vault_is_applied() -> None:
    applied = set(re.findall(r"vault/([\w-]+\.hcl)", text_of("keys.tf")))
    assert applied == {file.name for file in (ROOT / "infra/vault").glob("*.hcl")}

"""Settings of Vault and of logs, as the environment gives them."""

from pathlib import Path

import pytest

from seed_pipelines.errors import SettingNotUsable
from seed_pipelines.outside.vault_session import SERVICE_ACCOUNT_TOKEN
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

VAULT = {"SEED_VAULT_ADDR": "https://vault.test:8200", "SEED_MANIFESTS_DIR": "."}


def vault_of(**environ):
    return Installation.of(from_environment(VAULT | environ)).vault()


def test_without_an_address_there_is_no_vault():
    assert vault_of(SEED_VAULT_ADDR="") is None


def test_a_pod_needs_its_role_only():
    found = vault_of(SEED_VAULT_KUBERNETES_ROLE="seed-staging")
    assert (found.kubernetes_role, found.jwt_file) == ("seed-staging", SERVICE_ACCOUNT_TOKEN)


def test_every_setting_of_vault_arrives():
    found = vault_of(
        SEED_VAULT_KUBERNETES_ROLE="role",
        SEED_VAULT_JWT_FILE="/run/token",
        SEED_VAULT_NAMESPACE="lending",
        SEED_VAULT_CA_FILE="/run/ca.pem",
        SEED_VAULT_KEY_VERSION="3",
    )
    assert (found.jwt_file, found.namespace, found.ca_file) == (Path("/run/token"), "lending", "/run/ca.pem")
    assert found.key_version == 3


def test_no_secret_is_in_the_text_of_the_settings():
    secrets = {"SEED_VAULT_TOKEN": "hvs.token", "SEED_VAULT_SECRET_ID": "secret-id-1"}
    settings = from_environment(VAULT | secrets)
    said = f"{settings!r} {Installation.of(settings).vault()!r}"
    assert not [secret for secret in secrets.values() if secret in said]


@pytest.mark.parametrize(("text", "is_json"), [("", False), ("json", True)])
def test_logs_are_json_where_that_is_asked_for(text, is_json):
    assert from_environment({"SEED_LOG": text}).json_logs is is_json


def test_another_form_of_logs_is_refused():
    with pytest.raises(SettingNotUsable, match="SEED_LOG='xml': it has to be json"):
        from_environment({"SEED_LOG": "xml"})


def test_a_trace_has_an_address_only_where_its_id_has_a_place():
    url = "https://tracing.test/trace/{trace_id}?org=1"
    assert from_environment({"SEED_TRACE_URL": url}).trace_url == url
    assert from_environment({}).trace_url is None


@pytest.mark.parametrize(
    "url", ["https://tracing.test/trace/", "ftp://tracing.test/{trace_id}", "https://me:word@tracing.test/{trace_id}"]
)
def test_what_is_no_address_of_traces_is_refused_and_not_shown(url):
    with pytest.raises(SettingNotUsable, match="SEED_TRACE_URL") as refused:
        from_environment({"SEED_TRACE_URL": url})
    assert url not in str(refused.value)

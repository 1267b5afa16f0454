"""Ways into a real OpenBao: a pod's service account, an AppRole, and what happens to the tokens they give."""

import time
from dataclasses import replace

import pytest
from token_review import ACCOUNT, AUDIENCE, NAMESPACE, TokenReviewServer, any_certificate

from seed_pipelines.errors import VaultRefused
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.outside.vault import Vault
from seed_pipelines.outside.vault_session import VaultSettings

pytest_plugins = ("openbao",)

POLICY = """
path "transit/keys/seed-staging-acme" { capabilities = ["read"] }
path "transit/hmac/seed-staging-acme/sha2-256" { capabilities = ["update"] }
"""


@pytest.fixture(scope="module")
def cluster():
    server = TokenReviewServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def vault(vault_server, cluster):
    """A server that knows the cluster, and a role for its service account."""
    vault_server.make_mask_key("staging", "acme")
    client = vault_server.client()
    client.sys.create_or_update_policy("mask-acme", POLICY)
    client.sys.enable_auth_method("kubernetes")
    client.auth.kubernetes.configure(
        kubernetes_host=cluster.address,
        kubernetes_ca_cert=any_certificate(),
        token_reviewer_jwt=cluster.issue(account="reviewer"),
        disable_local_ca_jwt=True,
    )
    client.adapter.post(
        "/v1/auth/kubernetes/role/seed-staging",
        json={
            "bound_service_account_names": [ACCOUNT],
            "bound_service_account_namespaces": [NAMESPACE],
            "audience": AUDIENCE,
            "token_policies": ["mask-acme"],
            "token_ttl": "15m",
        },
    )
    yield vault_server
    client.sys.disable_auth_method("kubernetes")


def pod(vault, jwt, tmp_path, **options):
    jwt_file = tmp_path / "token"
    jwt_file.write_text(jwt + "\n")
    return VaultSettings(addr=vault.addr, kubernetes_role="seed-staging", jwt_file=jwt_file, **options)


def key_check(settings, tmp_path):
    return mask_keys("staging", "acme", vault=settings, env_local=tmp_path / ".env.local", ci=True).key_check


def accessors(vault):
    return set(vault.client().auth.token.list_accessors()["data"]["keys"])


def test_a_pod_logs_in_with_its_service_account(vault, cluster, tmp_path):
    wanted = key_check(vault.settings(), tmp_path)
    assert key_check(pod(vault, cluster.issue(), tmp_path), tmp_path) == wanted
    assert cluster.reviewed[-1] == "/apis/authentication.k8s.io/v1/tokenreviews"


def test_a_token_that_the_cluster_does_not_know_is_refused_and_not_quoted(vault, cluster, tmp_path):
    token = cluster.issue()
    cluster.known.remove(token)
    with pytest.raises(VaultRefused, match="cannot log in to Vault") as refusal:
        key_check(pod(vault, token, tmp_path), tmp_path)
    assert token not in f"{refusal.value!r}"


def test_another_service_account_is_refused(vault, cluster, tmp_path):
    with pytest.raises(VaultRefused, match="cannot log in to Vault"):
        key_check(pod(vault, cluster.issue(account="somebody-else"), tmp_path), tmp_path)


def test_a_pod_without_a_token_file_is_refused(vault, tmp_path):
    settings = VaultSettings(addr=vault.addr, kubernetes_role="seed-staging", jwt_file=tmp_path / "missing")
    with pytest.raises(VaultRefused, match=r"service account token, and .*missing cannot be read"):
        key_check(settings, tmp_path)


def test_a_token_that_ran_out_is_replaced_by_a_new_login(vault, cluster, tmp_path):
    with Vault(pod(vault, cluster.issue(), tmp_path)) as session:
        first = session.derive_prk("staging", "acme")
        vault.client().auth.token.revoke(session._client.token)
        logins = len(cluster.reviewed)
        assert session.derive_prk("staging", "acme") == first
        assert len(cluster.reviewed) == logins + 1


def test_a_call_without_the_right_is_refused_after_one_more_login_and_not_for_ever(vault, cluster, tmp_path):
    with Vault(pod(vault, cluster.issue(), tmp_path)) as session:
        logins = len(cluster.reviewed)
        with pytest.raises(VaultRefused, match="denies permission"):
            session.rotate("seed-staging-other")
        assert len(cluster.reviewed) == logins + 1


def short_lived(vault, *, most=None):
    """Let the pods' tokens live for two seconds, renewable up to `most`."""
    role = {
        "bound_service_account_names": [ACCOUNT],
        "bound_service_account_namespaces": [NAMESPACE],
        "audience": AUDIENCE,
        "token_policies": ["mask-acme"],
        "token_ttl": "2s",
        "token_max_ttl": most or "10m",
    }
    vault.client().adapter.post("/v1/auth/kubernetes/role/short-lived", json=role)
    return {"kubernetes_role": "short-lived"}


def test_a_session_that_lasts_renews_its_token_at_half_of_its_life(vault, cluster, tmp_path):
    settings = replace(pod(vault, cluster.issue(), tmp_path), **short_lived(vault))
    with Vault(settings) as session:
        mine = session._client.token
        for _ in range(3):
            time.sleep(1.1)
            session.derive_prk("staging", "acme")
        # It is older than the two seconds that it was given.
        assert session._client.token == mine


def test_a_token_that_can_be_renewed_no_longer_is_replaced(vault, cluster, tmp_path):
    settings = replace(pod(vault, cluster.issue(), tmp_path), **short_lived(vault, most="2s"))
    with Vault(settings) as session:
        mine = session._client.token
        for _ in range(2):
            time.sleep(1.1)
            session.derive_prk("staging", "acme")
        assert session._client.token != mine


def test_a_given_token_is_not_replaced(vault, tmp_path):
    token = vault.client().auth.token.create(policies=["mask-acme"], ttl="5m")["auth"]["client_token"]
    with Vault(vault.settings(token=token)) as session:
        session.derive_prk("staging", "acme")
        vault.client().auth.token.revoke(token)
        with pytest.raises(VaultRefused, match="denies permission"):
            session.derive_prk("staging", "acme")


def test_a_session_leaves_no_token_behind(vault, cluster, tmp_path):
    before = accessors(vault)
    with Vault(pod(vault, cluster.issue(), tmp_path)) as session:
        session.derive_prk("staging", "acme")
        assert len(accessors(vault) - before) == 1
    assert accessors(vault) == before


def test_a_given_token_is_left_as_it_was(vault):
    token = vault.client().auth.token.create(policies=["mask-acme"], ttl="5m")["auth"]["client_token"]
    for _ in range(2):
        with Vault(vault.settings(token=token)) as session:
            session.derive_prk("staging", "acme")

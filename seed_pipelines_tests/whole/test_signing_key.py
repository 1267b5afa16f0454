"""The key that signs reports is tried before the first row: a seed run whose report cannot be signed does not begin."""

import itertools
from pathlib import Path

import pytest

from seed_pipelines.errors import VaultRefused, VaultUnavailable
from seed_pipelines.evidence.signers import assert_can_sign
from seed_pipelines.outside.vault import report_key_name

pytest_plugins = ("openbao",)

POLICIES = Path(__file__).parents[2] / "infra/vault"

_numbers = itertools.count()


@pytest.fixture
def environment():
    """An environment of one test, whose signing key nobody has made yet."""
    return f"signing-{next(_numbers)}"


def make_key(server, environment, **options):
    server.client().adapter.post(
        f"/v1/transit/keys/{report_key_name(environment)}", json={"type": "rsa-2048"} | options
    )


def settings_with(server, environment, policy):
    """The settings of a worker with one of the shipped policies."""
    text = (POLICIES / f"{policy}.hcl").read_text().replace("ENVIRONMENT", environment).replace("TENANT", "acme")
    client, name = server.client(), f"{policy}-{environment}"
    client.sys.create_or_update_policy(name, text)
    return server.settings(token=client.auth.token.create(policies=[name], ttl="5m")["auth"]["client_token"])


def test_the_signers_policy_is_enough(vault_server, environment):
    make_key(vault_server, environment)
    assert_can_sign(environment, vault=settings_with(vault_server, environment, "report-signer"))


def test_a_policy_that_masks_and_does_not_sign_is_refused(vault_server, environment):
    make_key(vault_server, environment)
    with pytest.raises(VaultRefused, match=f"cannot sign reports with seed-report-{environment}.*denies permission"):
        assert_can_sign(environment, vault=settings_with(vault_server, environment, "mask"))


def test_a_key_that_nobody_made_is_refused(vault_server, environment):
    with pytest.raises(VaultRefused, match="has no such key"):
        assert_can_sign(environment, vault=vault_server.settings())


@pytest.mark.parametrize(
    ("options", "config", "why"),
    [
        ({"type": "ed25519"}, {}, "has a key of type ed25519"),
        ({"exportable": True}, {}, "would hand the key out"),
        ({}, {"deletion_allowed": True}, "would delete it"),
    ],
    ids=["another kind", "exportable", "deletable"],
)
def test_a_key_that_is_not_protected_signs_nothing(vault_server, environment, options, config, why):
    make_key(vault_server, environment, **options)
    vault_server.client().adapter.post(f"/v1/transit/keys/{report_key_name(environment)}/config", json=config)
    with pytest.raises(VaultRefused, match=why):
        assert_can_sign(environment, vault=vault_server.settings())


def test_a_server_that_is_away_is_tried_again_later(environment, vault_server):
    with pytest.raises(VaultUnavailable):
        assert_can_sign(environment, vault=vault_server.settings(addr="http://127.0.0.1:9"))


def test_dev_without_vault_has_nobody_to_ask():
    assert_can_sign("dev", vault=None)

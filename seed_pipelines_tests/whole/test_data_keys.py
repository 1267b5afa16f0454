"""Data keys out of a real OpenBao and a real PostgreSQL: made once, kept wrapped, and the same after every rotation."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from seed_pipelines.control import data_keys
from seed_pipelines.errors import MaskKeyDiverged, VaultRefused
from seed_pipelines.outside.vault import Vault, WrappedKey, wrapping_key_name

pytest_plugins = ("openbao",)

_numbers = itertools.count()


@pytest.fixture
def tenant(vault_server):
    """A tenant of staging with keys of its own."""
    name = f"keeper-{next(_numbers)}"
    vault_server.make_mask_key("staging", name)
    return name


@pytest.fixture
def database(seeded):
    with seeded.connection() as connection:
        yield connection


def opened_key(connection, server, tenant, **settings):
    with Vault(server.settings(**settings)) as vault:
        return data_keys.data_key_of(connection, vault, environment="staging", tenant=tenant)


def rotate(connection, server, tenant):
    with Vault(server.settings()) as vault:
        vault.rotate(wrapping_key_name("staging", tenant))
        return data_keys.rewrap(connection, vault, environment="staging", tenant=tenant)


def configure(server, tenant, **settings):
    name = wrapping_key_name("staging", tenant)
    server.client().adapter.post(f"/v1/transit/keys/{name}/config", json=settings)


def rows(seeded):
    return seeded.value("SELECT count(*) FROM seed_control.data_key")


def test_a_data_key_is_made_once_and_kept_in_its_wrapped_form_only(seeded, database, vault_server, tenant):
    first, second = (opened_key(database, vault_server, tenant) for _ in range(2))
    assert first.secret == second.secret
    assert len(first.secret) == 32
    assert rows(seeded) == 1
    kept = seeded.value("SELECT (k.*)::text FROM seed_control.data_key AS k")
    assert f"seed-staging-{tenant}.data" in kept
    assert "vault:v1:" in kept
    assert first.secret.hex() not in f"{kept}{first!r}"
    assert repr(first.secret) not in repr(first)


def test_workers_that_begin_at_once_agree_on_one_key(seeded, vault_server, tenant):
    def worker(_):
        with seeded.connection() as connection:
            return opened_key(connection, vault_server, tenant).secret

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(worker, range(8)))) == 1
    assert rows(seeded) == 1


def test_a_rotation_moves_the_wrapping_on_and_keeps_the_key(seeded, database, vault_server, tenant):
    before = opened_key(database, vault_server, tenant)
    renewed = rotate(database, vault_server, tenant)
    assert (renewed.generation, renewed.wrapped.key_version) == (2, 2)
    assert renewed.wrapped.ciphertext.startswith("vault:v2:")
    # The older version may be retired now.
    configure(vault_server, tenant, min_decryption_version=2, min_encryption_version=2)
    after = opened_key(database, vault_server, tenant)
    assert (after.secret, after.wrapped.key_version) == (before.secret, 2)
    assert rows(seeded) == 2, "the older wrapping is kept"


def test_wrapping_anew_without_a_rotation_changes_nothing(seeded, database, vault_server, tenant):
    opened_key(database, vault_server, tenant)
    with Vault(vault_server.settings()) as vault:
        kept = data_keys.rewrap(database, vault, environment="staging", tenant=tenant)
        assert data_keys.rewrap(database, vault, environment="staging", tenant="nobody") is None
    assert (kept.generation, rows(seeded)) == (1, 1)


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ({"exportable": True}, "would hand the key out"),
        ({"deletion_allowed": True}, "would delete it"),
        ({"min_decryption_version": 2}, "retired that version"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrapping_key_that_is_not_as_it_has_to_be_is_refused(database, vault_server, tenant, settings, finding):
    opened_key(database, vault_server, tenant)
    vault_server.client().secrets.transit.rotate_key(wrapping_key_name("staging", tenant))
    configure(vault_server, tenant, **settings)
    with pytest.raises(VaultRefused, match=finding):
        opened_key(database, vault_server, tenant)


def test_a_wrapping_key_that_does_not_exist_is_refused_and_not_made(seeded, database, vault_server):
    with pytest.raises(VaultRefused, match="no such key"):
        opened_key(database, vault_server, "nobody")
    assert "seed-staging-nobody.data" not in vault_server.client().secrets.transit.list_keys()["data"]["keys"]
    assert rows(seeded) == 0


def test_a_key_of_somebody_elses_making_is_never_taken_for_the_tenants(seeded, database, vault_server, tenant):
    """Whoever may write rows as the loader can add a generation; it has to open to the first one's key."""
    opened_key(database, vault_server, tenant)
    with Vault(vault_server.settings()) as vault:
        other = vault.make_data_key(wrapping_key_name("staging", tenant))
    database.execute(
        "INSERT INTO seed_control.data_key (environment, tenant, purpose, generation, wrapping_key, wrapping_version,"
        " wrapped, key_check) VALUES ('staging', %s, 'at_rest', 2, %s, 1, %s, '0123456789abcdef')",
        [tenant, other.key, other.ciphertext],
    )
    with pytest.raises(MaskKeyDiverged):
        opened_key(database, vault_server, tenant)


def test_a_token_that_may_derive_and_not_unwrap_gets_no_key_and_leaves_none(seeded, database, vault_server, tenant):
    client = vault_server.client()
    name = wrapping_key_name("staging", tenant)
    policy = "".join(
        f'path "transit/{path}" {{ capabilities = ["read", "update"] }}\n'
        for path in (f"keys/{name}", f"datakey/wrapped/{name}")
    )
    client.sys.create_or_update_policy(f"half-{tenant}", policy)
    token = client.auth.token.create(policies=[f"half-{tenant}"], ttl="5m")["auth"]["client_token"]
    with pytest.raises(VaultRefused, match="denies permission"):
        opened_key(database, vault_server, tenant, token=token)
    assert rows(seeded) == 0


@pytest.mark.parametrize("ciphertext", ["vault:v1:AAAA", "not a ciphertext"])
def test_what_vault_did_not_wrap_is_not_opened(vault_server, tenant, ciphertext):
    wrapped = WrappedKey(key=wrapping_key_name("staging", tenant), key_version=1, ciphertext=ciphertext)
    with Vault(vault_server.settings()) as vault, pytest.raises(VaultRefused):
        vault.unwrap(wrapped)


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET wrapped = ''", "TRUNCATE {}"])
def test_the_loader_can_neither_change_nor_lose_a_data_key(database, vault_server, tenant, statement):
    opened_key(database, vault_server, tenant)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute(statement.format("seed_control.data_key"))


def test_the_auditor_sees_the_versions_and_not_the_wrapped_key(seeded, database, vault_server, tenant):
    opened_key(database, vault_server, tenant)
    with seeded.connection("seed_auditor") as auditor:
        found = auditor.execute("SELECT wrapping_version, key_check FROM seed_control.data_key").fetchone()
        assert found["wrapping_version"] == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            auditor.execute("SELECT wrapped FROM seed_control.data_key")

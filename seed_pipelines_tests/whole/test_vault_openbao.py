"""Keys and signatures out of a real OpenBao; whatever is wrong with it, nothing is masked."""

import base64
import hashlib
import socket
import threading
import time

import hvac
import pytest

from seed_pipelines.errors import MaskKeyUnavailable, VaultRefused, VaultUnavailable
from seed_pipelines.evidence.signature import is_signed_by, public_key_sha256
from seed_pipelines.evidence.signers import VaultSigner
from seed_pipelines.mask.keys import KeyOrigin, mask_keys
from seed_pipelines.outside.vault import PRK_INPUT, Vault
from seed_pipelines.outside.vault_session import VaultSettings

pytest_plugins = ("openbao",)

DIGEST = hashlib.sha256(b"a report").digest()


def keys_from(settings, tmp_path, *, environment="staging", tenant="acme"):
    return mask_keys(environment, tenant, vault=settings, env_local=tmp_path / ".env.local", ci=True)


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_pinned_version_gives_the_same_keys_after_a_rotation(vault_server, tmp_path):
    name = vault_server.make_mask_key("staging", "rotated")
    before = keys_from(vault_server.settings(), tmp_path, tenant="rotated")
    vault_server.client().secrets.transit.rotate_key(name)
    after = keys_from(vault_server.settings(), tmp_path, tenant="rotated")
    newer = keys_from(vault_server.settings(key_version=2), tmp_path, tenant="rotated")
    assert before.column("customers", "name") == after.column("customers", "name")
    assert before.key_check == after.key_check != newer.key_check
    assert newer.origin == KeyOrigin(source="vault", key=name, key_version=2)


def test_two_tenants_have_unrelated_keys(vault_server, tmp_path):
    checks = set()
    for tenant in ("one", "two"):
        vault_server.make_mask_key("staging", tenant)
        checks.add(keys_from(vault_server.settings(), tmp_path, tenant=tenant).key_check)
    assert len(checks) == 2


def test_an_older_version_can_be_derived_beside_the_pinned_one(vault_server):
    name = vault_server.make_mask_key("staging", "epochs")
    vault_server.client().secrets.transit.rotate_key(name)
    with Vault(vault_server.settings(key_version=2)) as session:
        newer, older = session.derive_prk("staging", "epochs"), session.derive_prk("staging", "epochs", key_version=1)
    with Vault(vault_server.settings(key_version=1)) as session:
        assert session.derive_prk("staging", "epochs") == older != newer


@pytest.mark.parametrize(
    ("configure", "finding"),
    [
        ({"exportable": True}, "would hand the key out"),
        ({"deletion_allowed": True}, "would delete it"),
        ({"min_encryption_version": 2}, "refuses new work with that version"),
        ({"min_decryption_version": 2}, "retired that version"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_key_that_is_not_as_it_has_to_be_is_refused(vault_server, tmp_path, configure, finding):
    tenant = next(iter(configure)).replace("_", "-")
    name = vault_server.make_mask_key("staging", tenant)
    client = vault_server.client()
    client.secrets.transit.rotate_key(name)
    client.adapter.post(f"/v1/transit/keys/{name}/config", json=configure)
    with pytest.raises(VaultRefused, match=finding):
        keys_from(vault_server.settings(), tmp_path, tenant=tenant)


def test_a_version_that_does_not_exist_is_refused(vault_server, tmp_path):
    vault_server.make_mask_key("staging", "young")
    with pytest.raises(VaultRefused, match="no such version"):
        keys_from(vault_server.settings(key_version=9), tmp_path, tenant="young")
    with Vault(vault_server.settings(key_version=9)) as session, pytest.raises(VaultRefused, match="version"):
        session.derive_prk("staging", "young")


def test_a_key_that_does_not_exist_is_refused_and_not_made(vault_server, tmp_path):
    with pytest.raises(VaultRefused, match="no such key"):
        keys_from(vault_server.settings(), tmp_path, tenant="nobody")
    with pytest.raises(VaultRefused, match="no such key"):
        keys_from(vault_server.settings(), tmp_path, tenant="nobody")


@pytest.mark.parametrize("token", ["wrong-token", ""], ids=["wrong token", "no credentials"])
def test_a_wrong_token_is_refused_and_not_quoted(vault_server, tmp_path, token):
    with pytest.raises(VaultRefused) as refusal:
        keys_from(vault_server.settings(token=token), tmp_path)
    assert "wrong-token" not in f"{refusal.value!r} {vault_server.settings(token=token)!r}"
    assert not refusal.value.retryable


def test_an_approle_whose_policy_allows_one_input_only_is_enough(vault_server, tmp_path):
    name = vault_server.make_mask_key("staging", "pinned")
    settings = approle_settings(vault_server, name)
    wanted = keys_from(vault_server.settings(), tmp_path, tenant="pinned").key_check
    assert keys_from(settings, tmp_path, tenant="pinned").key_check == wanted
    client = hvac.Client(url=settings.addr, token="", timeout=5)
    client.auth.approle.login(role_id=settings.role_id, secret_id=settings.secret_id)
    with pytest.raises(hvac.exceptions.Forbidden):
        client.secrets.transit.generate_hmac(name, hash_input=base64.b64encode(b"52998224725").decode())


def test_a_wrong_secret_id_is_refused_and_not_quoted(vault_server, tmp_path):
    name = vault_server.make_mask_key("staging", "approle")
    good = approle_settings(vault_server, name)
    bad = VaultSettings(addr=good.addr, role_id=good.role_id, secret_id="not-a-secret-id")
    with pytest.raises(VaultRefused, match="cannot log in to Vault") as refusal:
        keys_from(bad, tmp_path, tenant="approle")
    assert "not-a-secret-id" not in f"{refusal.value!r} {bad!r}"


def test_a_sealed_vault_is_a_refusal_that_may_be_tried_again(own_vault_server, tmp_path):
    own_vault_server.make_mask_key("staging", "acme")
    own_vault_server.client().sys.seal()
    with pytest.raises(VaultUnavailable, match="sealed") as refusal:
        keys_from(own_vault_server.settings(), tmp_path)
    assert refusal.value.retryable
    assert not (tmp_path / ".env.local").exists()


def test_a_vault_that_is_down_is_a_refusal_even_in_dev(tmp_path):
    settings = VaultSettings(addr=f"http://user:hunter2@127.0.0.1:{closed_port()}", token="t", timeout_seconds=2)
    with pytest.raises(VaultUnavailable, match="cannot be reached") as refusal:
        mask_keys("dev", "acme", vault=settings, env_local=tmp_path / ".env.local", ci=False)
    assert "hunter2" not in str(refusal.value)
    assert not (tmp_path / ".env.local").exists()


def test_a_vault_that_never_answers_costs_the_time_limit_and_no_more(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        settings = VaultSettings(addr=f"http://127.0.0.1:{black_hole.getsockname()[1]}", token="t", timeout_seconds=0.5)
        started = time.monotonic()
        with pytest.raises(VaultUnavailable, match=r"did not answer within 0\.5 s"):
            keys_from(settings, tmp_path)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, b"{}", VaultUnavailable),
        (500, b"{}", VaultUnavailable),
        (502, b"<html>", VaultUnavailable),
        (418, b"{}", VaultRefused),
        (200, b"not json", VaultRefused),
        (200, b'{"data": null}', VaultRefused),
        (200, b'{"data": {"hmac": "vault:v2:AAAA"}}', VaultRefused),
        (200, b'{"data": {"hmac": "vault:v1:AAAA"}}', VaultRefused),
        (200, b'{"data": {"hmac": "vault:v1:%%%"}}', VaultRefused),
        (200, b'{"data": {"hmac": 7}}', VaultRefused),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_never_used(status, body, error):
    with answering(status, body) as port:
        session = Vault(VaultSettings(addr=f"http://127.0.0.1:{port}", token="t"))
        with session, pytest.raises(error) as refusal:
            session.derive_prk("staging", "acme")
    assert refusal.value.retryable is (error is VaultUnavailable)


def test_a_report_is_signed_by_a_key_that_never_leaves_vault(vault_server):
    vault_server.client().secrets.transit.create_key("seed-report-archive", key_type="rsa-3072")
    signer = VaultSigner(vault_server.settings(), "archive")
    vault_server.client().secrets.transit.rotate_key("seed-report-archive")
    made, newer = signer.sign(DIGEST), VaultSigner(vault_server.settings(), "archive")
    assert made.signed_by == signer.identity
    assert (made.signed_by.key, made.signed_by.key_version) == ("seed-report-archive", 1)
    keys = vault_server.client().secrets.transit.read_key("seed-report-archive")["data"]["keys"]
    first = keys["1"]["public_key"].encode()
    assert made.signed_by.public_key_sha256 == public_key_sha256(first)
    assert is_signed_by(first, digest=DIGEST, value=made.value)
    assert not is_signed_by(newer.public_key_pem, digest=DIGEST, value=made.value)
    assert newer.identity.key_version == 2


def test_a_signing_key_that_does_not_exist_is_refused(vault_server):
    with pytest.raises(VaultRefused, match="seed-report-nowhere"):
        VaultSigner(vault_server.settings(), "nowhere")


def test_without_vault_staging_has_no_key(tmp_path):
    with pytest.raises(MaskKeyUnavailable):
        keys_from(None, tmp_path)


def approle_settings(server, key):
    """A role that may read the key and ask for the HMAC of the constant, and nothing else."""
    client, constant = server.client(), base64.b64encode(PRK_INPUT).decode()
    client.sys.create_or_update_policy(
        key,
        f"""
        path "transit/keys/{key}" {{ capabilities = ["read"] }}
        path "transit/hmac/{key}/sha2-256" {{
          capabilities = ["update"]
          allowed_parameters = {{ "input" = ["{constant}"], "key_version" = [] }}
        }}
        """,
    )
    client.auth.approle.create_or_update_approle(key, token_policies=[key], token_ttl="900s")
    return VaultSettings(
        addr=server.addr,
        role_id=client.auth.approle.read_role_id(key)["data"]["role_id"],
        secret_id=client.auth.approle.generate_secret_id(key)["data"]["secret_id"],
    )


class answering:
    """A server on the loopback that gives one answer to one request."""

    def __init__(self, status, body):
        self._answer = b"HTTP/1.1 %d Any\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
            status,
            len(body),
            body,
        )

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self._listener.getsockname()[1]

    def __exit__(self, *_):
        self._thread.join(timeout=10)
        self._listener.close()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            head, _, body = request.partition(b"\r\n\r\n")
            size = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            while len(body) < size:
                body += connection.recv(65_536)
            connection.sendall(self._answer)

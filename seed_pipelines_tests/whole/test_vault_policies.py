"""The policies of infra/vault, loaded into a real OpenBao: each does its work, and nothing beside it."""

import base64
import hashlib
from pathlib import Path

import hvac
import pytest

from seed_pipelines.evidence.signature import is_signed_by
from seed_pipelines.evidence.signers import VaultSigner
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.outside.vault import PRK_INPUT, Vault

pytest_plugins = ("openbao",)

FOLDER = Path(__file__).parents[2] / "infra/vault"
CONSTANT = base64.b64encode(PRK_INPUT).decode()
CPF = base64.b64encode(b"52998224725").decode()
DIGEST = hashlib.sha256(b"a report").digest()
SIGN = {
    "input": base64.b64encode(DIGEST).decode(),
    "prehashed": True,
    "signature_algorithm": "pss",
    "salt_length": "hash",
    "key_version": 1,
}
MASK, SIGNER, OPERATOR = "mask", "report-signer", "key-operator"
KEY, REPORT_KEY, WRAPPING_KEY = "seed-policy-acme", "seed-report-policy", "seed-policy-acme.data"


@pytest.fixture(scope="module")
def tokens(vault_server):
    """A token for each policy, and the keys that they name beside one that they do not."""
    client = vault_server.client()
    for tenant in ("acme", "globex"):
        vault_server.make_mask_key("policy", tenant)
    for environment in ("policy", "elsewhere"):
        client.secrets.transit.create_key(f"seed-report-{environment}", key_type="rsa-3072")
    found = {}
    for name in (MASK, SIGNER, OPERATOR):
        text = (FOLDER / f"{name}.hcl").read_text().replace("ENVIRONMENT", "policy").replace("TENANT", "acme")
        client.sys.create_or_update_policy(f"policy-{name}", text)
        found[name] = client.auth.token.create(policies=[f"policy-{name}"], ttl="10m")["auth"]["client_token"]
    return found


@pytest.fixture
def call(vault_server, tokens):
    def call(policy, method, path, body):
        client = hvac.Client(url=vault_server.addr, token=tokens[policy], timeout=5)
        try:
            return client.adapter.request(method, f"/v1/transit/{path}", json=body)
        finally:
            client.adapter.close()

    return call


def test_the_mask_policy_is_enough_to_mask(vault_server, tokens, tmp_path):
    settings = vault_server.settings(token=tokens[MASK])
    mask_keys("policy", "acme", vault=settings, env_local=tmp_path / "none", ci=True).close()


def test_the_signer_policy_is_enough_to_sign(vault_server, tokens):
    signer = VaultSigner(vault_server.settings(token=tokens[SIGNER]), "policy")
    assert is_signed_by(signer.public_key_pem, digest=DIGEST, value=signer.sign(DIGEST).value)


def test_the_mask_policy_is_enough_to_make_and_open_a_data_key(vault_server, tokens):
    with Vault(vault_server.settings(token=tokens[MASK])) as vault:
        wrapped = vault.make_data_key(WRAPPING_KEY)
        vault.check_wrapping_key(WRAPPING_KEY, version=wrapped.key_version)
        assert len(vault.unwrap(wrapped)) == 32


def test_the_operator_policy_is_enough_to_rotate(vault_server, tokens):
    with Vault(vault_server.settings(token=tokens[MASK])) as vault:
        wrapped = vault.make_data_key(WRAPPING_KEY)
    with Vault(vault_server.settings(token=tokens[OPERATOR])) as vault:
        before = vault.key_state(KEY).latest_version
        assert vault.rotate(KEY).latest_version == before + 1
        assert vault.rotate(REPORT_KEY).kind == "rsa-3072"
        assert vault.rotate(WRAPPING_KEY).latest_version == vault.rewrap(wrapped).key_version
        assert len(vault.derive_prk("policy", "acme")) == 32


@pytest.mark.parametrize(
    ("policy", "method", "path", "body"),
    [
        (MASK, "post", f"hmac/{KEY}/sha2-256", {"input": CPF, "key_version": 1}),
        (MASK, "post", f"hmac/{KEY}/sha2-256", {"batch_input": [{"input": CPF}], "key_version": 1}),
        (MASK, "post", f"hmac/{KEY}/sha2-256", {"input": CONSTANT, "batch_input": [{"input": CPF}]}),
        (MASK, "post", f"hmac/{KEY}/sha2-512", {"input": CONSTANT}),
        (MASK, "post", f"hmac/{KEY}", {"input": CONSTANT, "algorithm": "sha2-512"}),
        (MASK, "post", "hmac/seed-policy-globex/sha2-256", {"input": CONSTANT}),
        (MASK, "post", f"encrypt/{KEY}", {"plaintext": CONSTANT}),
        (MASK, "post", f"keys/{KEY}/rotate", {}),
        (MASK, "post", f"keys/{KEY}/config", {"min_decryption_version": 2}),
        (MASK, "get", f"export/hmac-key/{KEY}", None),
        (MASK, "get", f"backup/{KEY}", None),
        (MASK, "delete", f"keys/{KEY}", None),
        (MASK, "get", "keys/seed-policy-globex", None),
        (MASK, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN),
        (MASK, "post", f"datakey/plaintext/{WRAPPING_KEY}", {}),
        (MASK, "post", f"datakey/wrapped/{WRAPPING_KEY}", {"bits": 128}),
        (MASK, "post", "datakey/wrapped/seed-policy-globex.data", {}),
        (MASK, "post", f"encrypt/{WRAPPING_KEY}", {"plaintext": CONSTANT}),
        (MASK, "post", f"decrypt/{WRAPPING_KEY}", {"batch_input": [{"ciphertext": "vault:v1:AAAA"}]}),
        (MASK, "post", "decrypt/seed-policy-globex.data", {"ciphertext": "vault:v1:AAAA"}),
        (MASK, "post", f"rewrap/{WRAPPING_KEY}", {"ciphertext": "vault:v1:AAAA"}),
        (MASK, "post", f"keys/{WRAPPING_KEY}/rotate", {}),
        (MASK, "get", f"export/encryption-key/{WRAPPING_KEY}", None),
        (SIGNER, "post", f"decrypt/{WRAPPING_KEY}", {"ciphertext": "vault:v1:AAAA"}),
        (OPERATOR, "post", f"decrypt/{WRAPPING_KEY}", {"ciphertext": "vault:v1:AAAA"}),
        (OPERATOR, "post", f"datakey/plaintext/{WRAPPING_KEY}", {}),
        (OPERATOR, "post", f"keys/{WRAPPING_KEY}/config", {"min_decryption_version": 2}),
        (SIGNER, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN | {"salt_length": "auto"}),
        (SIGNER, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN | {"signature_algorithm": "pkcs1v15"}),
        (SIGNER, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN | {"prehashed": False}),
        (SIGNER, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN | {"batch_input": [{"input": CPF}]}),
        (SIGNER, "post", f"sign/{REPORT_KEY}/sha2-512", SIGN),
        (SIGNER, "post", "sign/seed-report-elsewhere/sha2-256", SIGN),
        (SIGNER, "post", f"decrypt/{REPORT_KEY}", {"ciphertext": "vault:v1:AAAA"}),
        (SIGNER, "post", f"keys/{REPORT_KEY}/rotate", {}),
        (SIGNER, "post", f"hmac/{KEY}/sha2-256", {"input": CONSTANT}),
        (OPERATOR, "post", f"hmac/{KEY}/sha2-256", {"input": CPF}),
        (OPERATOR, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN),
        (OPERATOR, "post", f"keys/{KEY}/config", {"exportable": True}),
        (OPERATOR, "post", "keys/seed-policy-globex/rotate", {}),
        (OPERATOR, "delete", f"keys/{KEY}", None),
        (OPERATOR, "post", "keys/seed-policy-new", {"type": "hmac"}),
    ],
    ids=lambda value: "" if isinstance(value, dict | None) else value,
)
def test_everything_else_is_denied(call, policy, method, path, body):
    with pytest.raises(hvac.exceptions.Forbidden):
        call(policy, method, path, body)


def test_what_the_policies_pin_is_what_the_code_sends(call):
    """The same calls with the values as they are pass: so the ones above are denied for their difference."""
    assert call(MASK, "post", f"hmac/{KEY}/sha2-256", {"input": CONSTANT, "key_version": 1})["data"]["hmac"]
    assert call(SIGNER, "post", f"sign/{REPORT_KEY}/sha2-256", SIGN)["data"]["signature"]
    assert call(MASK, "post", f"datakey/wrapped/{WRAPPING_KEY}", {})["data"]["ciphertext"]

"""Who signs: Vault's Transit, or in environment dev a key of this machine, which the report says loudly."""

import hashlib
from pathlib import Path

from seed_pipelines.errors import SigningKeyUnavailable
from seed_pipelines.evidence.signature import (
    RSA_PSS_SHA256,
    DevSigner,
    Signature,
    Signer,
    SigningKey,
    is_signed_by,
    public_key_sha256,
)
from seed_pipelines.outside.report_key_file import development_key
from seed_pipelines.outside.vault import Vault
from seed_pipelines.outside.vault_session import VaultSettings

# Signed to see whether a report could be: no report has this digest.
_PROBE = hashlib.sha256(b"seed-pipelines: could a report be signed?").digest()


class VaultSigner:
    """Signs with the environment's report key in Transit, at the version that it has now."""

    is_local = False

    def __init__(self, settings: VaultSettings, environment: str) -> None:
        self._settings, self._environment = settings, environment
        with Vault(settings) as vault:
            self._key = vault.report_key(environment)

    @property
    def identity(self) -> SigningKey:
        return SigningKey(
            algorithm=RSA_PSS_SHA256,
            key=self._key.key,
            key_version=self._key.key_version,
            public_key_sha256=public_key_sha256(self._key.pem),
        )

    @property
    def public_key_pem(self) -> bytes:
        return self._key.pem

    def public_key_pem_at(self, key_version: int) -> bytes:
        with Vault(self._settings) as vault:
            return vault.report_key(self._environment, key_version=key_version).pem

    def sign(self, digest: bytes) -> Signature:
        with Vault(self._settings) as vault:
            made = vault.sign_pss(digest, key=self._key.key, key_version=self._key.key_version)
        return Signature(signed_by=self.identity, value=made.value)


def signer_of(environment: str, *, vault: VaultSettings | None, home: Path) -> Signer:
    """The signer of an environment; raises SigningKeyUnavailable, VaultUnavailable or VaultRefused."""
    if vault is not None:
        return VaultSigner(vault, environment)
    return DevSigner(development_key(home, environment=environment))


def assert_can_sign(environment: str, *, vault: VaultSettings | None) -> None:
    """Sign something, as a report will be; raises VaultRefused, VaultUnavailable or SigningKeyUnavailable.

    Without Vault, dev signs with a key of this machine, and nobody can refuse that.
    """
    if vault is None:
        return
    with Vault(vault) as session:
        key = session.sound_report_key(environment)
        made = session.sign_pss(_PROBE, key=key.key, key_version=key.key_version)
    if not is_signed_by(key.pem, digest=_PROBE, value=made.value):
        raise SigningKeyUnavailable(
            key.key, why="its public half does not verify what it signs", what_to_do="Look at the key in Vault."
        )


def public_key_of(environment: str, *, key_version: int | None, vault: VaultSettings | None, home: Path) -> bytes:
    """The public half of the key that signed a report at that version, as PEM; raises what `signer_of` raises.

    A key that was rotated since still proves what its older versions signed.
    """
    if vault is None:
        return DevSigner(development_key(home, environment=environment)).public_key_pem
    with Vault(vault) as session:
        return session.report_key(environment, key_version=key_version).pem

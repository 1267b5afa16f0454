"""Who signs: Vault's Transit, or in environment dev a key of this machine, which the report says loudly."""

from pathlib import Path

from seed_pipelines.evidence.signature import (
    RSA_PSS_SHA256,
    DevSigner,
    Signature,
    Signer,
    SigningKey,
    public_key_sha256,
)
from seed_pipelines.outside.report_key_file import development_key
from seed_pipelines.outside.vault import Vault
from seed_pipelines.outside.vault_session import VaultSettings


class VaultSigner:
    """Signs with the environment's report key in Transit, at the version that it has now."""

    is_local = False

    def __init__(self, settings: VaultSettings, environment: str) -> None:
        self._settings = settings
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

    def sign(self, digest: bytes) -> Signature:
        with Vault(self._settings) as vault:
            made = vault.sign_pss(digest, key=self._key.key, key_version=self._key.key_version)
        return Signature(signed_by=self.identity, value=made.value)


def signer_of(environment: str, *, vault: VaultSettings | None, home: Path) -> Signer:
    """The signer of an environment; raises SigningKeyUnavailable, VaultUnavailable or VaultRefused."""
    if vault is not None:
        return VaultSigner(vault, environment)
    return DevSigner(development_key(home, environment=environment))


def public_key_of(environment: str, *, key_version: int | None, vault: VaultSettings | None, home: Path) -> bytes:
    """The public half of the key that signed a report at that version, as PEM; raises what `signer_of` raises.

    A key that was rotated since still proves what its older versions signed.
    """
    if vault is None:
        return DevSigner(development_key(home, environment=environment)).public_key_pem
    with Vault(vault) as session:
        return session.report_key(environment, key_version=key_version).pem

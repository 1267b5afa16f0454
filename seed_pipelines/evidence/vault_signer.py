"""Signs reports with a key that never leaves Vault."""

from seed_pipelines.evidence.signature import RSA_PSS_SHA256, Signature, SigningKey, public_key_sha256
from seed_pipelines.outside.vault import Vault


class VaultSigner:
    """The newest version of the environment's report key, at the time when the signer was made.

    The version is pinned: a rotation between naming the key and signing changes neither.
    """

    is_local = False

    def __init__(self, vault: Vault, *, environment: str) -> None:
        """Raises VaultUnavailable or VaultRefused."""
        self._vault = vault
        self._public_key = vault.report_key(environment)

    @property
    def identity(self) -> SigningKey:
        """The key that the next signature will be made with."""
        return SigningKey(
            algorithm=RSA_PSS_SHA256,
            key=self._public_key.key,
            key_version=self._public_key.key_version,
            public_key_sha256=public_key_sha256(self._public_key.pem),
        )

    def sign(self, digest: bytes) -> Signature:
        made = self._vault.sign_pss(digest, key=self._public_key.key, key_version=self._public_key.key_version)
        return Signature(signed_by=self.identity, value=made.value)

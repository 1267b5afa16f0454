"""Signatures of reports: RSA-PSS with SHA-256 over the digest of a payload.

The salt is as long as the hash and MGF1 uses SHA-256; nothing else is accepted. A signature is random, so two
of them over one payload differ: whoever compares reports compares payloads. A signer says beforehand which key
it will use, because the payload names the key too: otherwise the name in the envelope could be changed unseen.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

RSA_PSS_SHA256 = "RSASSA-PSS-SHA256"
NOT_SIGNED = "none"
SMALLEST_KEY_BITS = 2048

_PADDING = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """Which key signs. `public_key_sha256` is of the DER SubjectPublicKeyInfo."""

    algorithm: str
    key: str | None
    key_version: int | None
    public_key_sha256: str | None


NO_KEY = SigningKey(algorithm=NOT_SIGNED, key=None, key_version=None, public_key_sha256=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature and the key that made it; `value` is base64."""

    signed_by: SigningKey
    value: str | None


class Signer(Protocol):
    """Whatever can sign a SHA-256 digest."""

    @property
    def identity(self) -> SigningKey:
        """The key that the next signature will be made with."""

    @property
    def is_local(self) -> bool:
        """Whether the key lies on this machine, which only environment dev may do."""

    @property
    def public_key_pem(self) -> bytes:
        """What verifies its signatures."""

    def public_key_pem_at(self, key_version: int) -> bytes:
        """What verifies the signatures of an older version of its key, or of this one."""

    def sign(self, digest: bytes) -> Signature: ...


class DevSigner:
    """Signs with a key that lies on this machine. Environment dev only; the report says so in its flags."""

    is_local = True

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._private_key = private_key

    @property
    def identity(self) -> SigningKey:
        return SigningKey(
            algorithm=RSA_PSS_SHA256,
            key="local-development",
            key_version=1,
            public_key_sha256=public_key_sha256(self.public_key_pem),
        )

    @property
    def public_key_pem(self) -> bytes:
        return public_pem(self._private_key.public_key())

    def public_key_pem_at(self, key_version: int) -> bytes:
        return self.public_key_pem

    def sign(self, digest: bytes) -> Signature:
        value = self._private_key.sign(digest, _PADDING, Prehashed(hashes.SHA256()))
        return Signature(signed_by=self.identity, value=base64.b64encode(value).decode("ascii"))


def public_pem(public_key: rsa.RSAPublicKey) -> bytes:
    return public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_key_sha256(public_key_pem: bytes) -> str:
    """The name of a public key: SHA-256 of its DER form. ValueError where the PEM is not an RSA key."""
    der = _rsa_key(public_key_pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def is_signed_by(public_key_pem: bytes, *, digest: bytes, value: str) -> bool:
    """Whether `value` is the one base64 form of a signature over `digest` by that key."""
    try:
        signature = base64.b64decode(value, validate=True)
        # Base64 leaves bits unused at its end: another text could mean the same signature.
        if base64.b64encode(signature).decode("ascii") != value:
            return False
        _rsa_key(public_key_pem).verify(signature, digest, _PADDING, Prehashed(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _rsa_key(public_key_pem: bytes) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(public_key_pem)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_KEY_BITS:
        msg = f"it is not a public RSA key of at least {SMALLEST_KEY_BITS} bits"
        raise ValueError(msg)
    return key

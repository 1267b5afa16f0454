"""The signing key of development: an RSA key in a file that only its owner can read.

Made when it is missing, with the public half beside it for `seed-data report verify`. A key that others can
read, or that is no RSA key, is refused and never replaced. Only environment dev may sign with it, which the one
who asks for it states: any other environment is refused.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from seed_pipelines.errors import SigningKeyUnavailable
from seed_pipelines.outside.private_file import read_private, write_once

PRIVATE_KEY_NAME = "report-signing.pem"
PUBLIC_KEY_NAME = "report-signing.pub.pem"

_KEY_BITS = 3072


def development_key(home: Path, *, environment: str) -> rsa.RSAPrivateKey:
    """The key in `home`, made now if it is the first time."""
    path = home / PRIVATE_KEY_NAME
    if environment != "dev":
        raise SigningKeyUnavailable(
            str(path),
            why=f"a key on this machine may sign in environment dev only, and this is {environment!r}",
            what_to_do="Set SEED_VAULT_ADDR.",
        )
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        return _load(path)
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from None


def _make(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_once(path, private, mode=0o600)


def _load(path: Path) -> rsa.RSAPrivateKey:
    content = read_private(path)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except ValueError:
        raise _unusable(path, "it is not a private key in PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, "it is not an RSA key")
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_once(path.with_name(PUBLIC_KEY_NAME), public, mode=0o644)
    return key


def _unusable(path: Path, why: str) -> SigningKeyUnavailable:
    what_to_do = "Correct its permissions, or move it away and a new one is made."
    return SigningKeyUnavailable(str(path), why=why, what_to_do=what_to_do)

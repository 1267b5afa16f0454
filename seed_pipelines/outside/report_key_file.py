"""The signing key of development: an RSA key in a file that only its owner can read.

Made when it is missing, with the public half beside it for `seed-data report verify`. A key that others can
read, or that is no RSA key, is refused and never replaced. Only environment dev may sign with it, which the one
who asks for it states: any other environment is refused.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from seed_pipelines.errors import SigningKeyUnavailable

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
    _write_once(path, private, mode=0o600)


def _load(path: Path) -> rsa.RSAPrivateKey:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise _unusable(path, "others than its owner may read it")
        content = file.read()
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except ValueError:
        raise _unusable(path, "it is not a private key in PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, "it is not an RSA key")
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write_once(path.with_name(PUBLIC_KEY_NAME), public, mode=0o644)
    return key


def _write_once(path: Path, content: bytes, *, mode: int) -> None:
    """Two processes that start together end with one key: the second one's is thrown away."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)


def _unusable(path: Path, why: str) -> SigningKeyUnavailable:
    what_to_do = "Correct its permissions, or move it away and a new one is made."
    return SigningKeyUnavailable(str(path), why=why, what_to_do=what_to_do)

"""The key of this machine's own bearer tokens: for environment dev, never under CI, for an hour at most.

An Ed25519 key in a file that only its owner can read, made when it is missing, with its public half beside it as a JSON
Web Key Set: who has that file, and only it, can check the tokens and make none.
"""

import hashlib
import json
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from seed_pipelines.errors import LocalTokenRefused
from seed_pipelines.outside.private_file import read_private, write_once
from seed_pipelines.settings import DEV

PRIVATE_KEY_NAME = "api-token.pem"
KEY_SET_NAME = "api-token.jwks.json"
ISSUER = "seed-data token"
AUDIENCE = "seed-data api"
MAX_SECONDS = 3600

_ALGORITHM = "Ed25519"


def assert_local_tokens(environment: str | None, *, is_ci: bool) -> None:
    """Raises LocalTokenRefused where tokens of this machine may be neither made nor taken."""
    if environment not in (None, DEV):
        raise LocalTokenRefused("they are for environment dev, and SEED_ENVIRONMENT is another")
    if is_ci:
        raise LocalTokenRefused("no key of one's own is used while CI is set")


def token_of(home: Path, *, subject: str, roles: tuple[str, ...], issued_at: int, seconds: int) -> str:
    """A token that the API of this machine takes; raises LocalTokenRefused."""
    if not 1 <= seconds <= MAX_SECONDS:
        raise LocalTokenRefused("a token lives between a second and an hour")
    key = _key_in(home)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "roles": list(roles),
        "iat": issued_at,
        "exp": issued_at + seconds,
    }
    return jwt.encode({"alg": _ALGORITHM, "kid": key.thumbprint()}, claims, key, algorithms=[_ALGORITHM])


def key_set_file(home: Path) -> Path:
    """Where the public key is, made now if it is the first time; raises LocalTokenRefused."""
    key, path = _key_in(home), home / KEY_SET_NAME
    public = key.as_dict(private=False) | {"kid": key.thumbprint(), "use": "sig", "alg": _ALGORITHM}
    content = json.dumps({"keys": [public]}).encode()
    try:
        # A set beside a key that was replaced since is the old key's.
        if path.exists() and path.read_bytes() != content:
            path.unlink()
        write_once(path, content, mode=0o644)
    except OSError as error:
        raise LocalTokenRefused(error.strerror or "its key set cannot be written", where=path) from None
    return path


def subject_key(home: Path) -> bytes:
    """32 bytes that nobody has who has not the private key: for the digests of subjects in dev."""
    return hashlib.sha256(b"seed-pipelines/api/subject/v1" + _key_in(home).as_bytes(private=True)).digest()


def _key_in(home: Path) -> OKPKey:
    path = home / PRIVATE_KEY_NAME
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            made = OKPKey.generate_key("Ed25519")
            write_once(path, made.as_pem(private=True), mode=0o600)
        return OKPKey.import_key(read_private(path))
    except OSError as error:
        raise LocalTokenRefused(error.strerror or "it cannot be read", where=path) from None
    except (JoseError, ValueError):
        raise LocalTokenRefused("it is not an Ed25519 key in PEM", where=path) from None

"""The public keys of an identity provider: a JSON Web Key Set, by URL or from a file.

Kept for five minutes, and read anew when a token names a key that is not in it, at most once every ten seconds: a
flood of made-up names costs the provider nothing. While it does not answer, the keys that are there serve for an hour.
Only asymmetric public keys are taken, and no redirect is followed: what is fetched is what the settings name.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet, RSAKey
from pydantic import BaseModel, ConfigDict, ValidationError

from seed_pipelines.errors import KeysUnavailable, SettingNotUsable

FRESH_SECONDS = 300.0
STALE_SECONDS = 3600.0
FLOOR_SECONDS = 10.0
MAX_BYTES = 256 * 1024

_TIMEOUT_SECONDS = 5.0
_LEAST_RSA_BITS = 2048
_PUBLIC_KINDS = ("RSA", "EC", "OKP")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _KeySetText(BaseModel):
    """A key set, and whatever else the provider puts beside it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    keys: list[dict[str, Any]]


class TokenKeys:
    """The keys behind one SEED_API_JWKS, for every thread of a door."""

    def __init__(self, where: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingNotUsable for an address that anybody on the way could answer."""
        self._where, self._clock = where, clock
        self._read = _reader_of(where)
        self._lock = threading.Lock()
        self._keys = KeySet([])
        self._read_at = self._tried_at = float("-inf")

    def key_set(self, kid: str) -> KeySet:
        """The keys, read anew where they are old or have none of that name. Raises KeysUnavailable."""
        has_key = self._has(kid, within_seconds=STALE_SECONDS)
        if self._has(kid, within_seconds=FRESH_SECONDS):
            return self._keys
        # Whoever has a key that still serves does not wait for a provider that is slow.
        if self._lock.acquire(blocking=not has_key):
            try:
                if not self._has(kid, within_seconds=FRESH_SECONDS):
                    self._renew()
            finally:
                self._lock.release()
        return self._keys

    def preflight(self) -> None:
        """Read the keys now; raises KeysUnavailable."""
        keys_in(self._read(), where=self._where)

    def _has(self, kid: str, *, within_seconds: float) -> bool:
        return self._clock() - self._read_at <= within_seconds and any(key.kid == kid for key in self._keys)

    def _renew(self) -> None:
        now = self._clock()
        if now - self._tried_at < FLOOR_SECONDS:
            self._assert_usable(now, why="the last attempt, a moment ago, failed")
            return
        self._tried_at = now
        try:
            self._keys = keys_in(self._read(), where=self._where)
            self._read_at = now
        except KeysUnavailable as error:
            self._assert_usable(now, why=error.why)

    def _assert_usable(self, now: float, *, why: str) -> None:
        if now - self._read_at > STALE_SECONDS:
            raise KeysUnavailable(self._where, why=why)


def keys_in(content: bytes, *, where: str) -> KeySet:
    """The asymmetric keys of a key set; others are left out. Raises KeysUnavailable where none is left."""
    try:
        described = _KeySetText.model_validate_json(content).keys
    except ValidationError:
        raise KeysUnavailable(where, why="it is not a JSON Web Key Set") from None
    keys = [key for each in described if (key := _public_key(each)) is not None]
    if not keys:
        raise KeysUnavailable(where, why=f"it has no public key of kind {', '.join(_PUBLIC_KINDS)} with a kid")
    return KeySet(keys)


def _public_key(described: dict[str, Any]) -> Key | None:
    if described.get("kty") not in _PUBLIC_KINDS or not isinstance(described.get("kid"), str) or "d" in described:
        return None
    # Looked at before the key is made: joserfc only warns of a short one.
    if described["kty"] == "RSA" and len(str(described.get("n", ""))) * 6 < _LEAST_RSA_BITS:
        return None
    try:
        key = JWKRegistry.import_key(described)
    except (JoseError, ValueError, TypeError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS:
        return None
    return key


def _reader_of(where: str) -> Callable[[], bytes]:
    parts = urlsplit(where)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return lambda: _fetched(where)
    if parts.scheme:
        raise SettingNotUsable("SEED_API_JWKS", where, wanted="an https:// address, or the path of a file")
    return lambda: _file(Path(where))


def _fetched(url: str) -> bytes:
    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT_SECONDS, follow_redirects=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise KeysUnavailable(url, why=f"it answers {answer.status_code}")
            content = b""
            for part in answer.iter_bytes():
                content += part
                if len(content) > MAX_BYTES:
                    raise KeysUnavailable(url, why=f"it is larger than {MAX_BYTES} bytes")
            return content
    except httpx.HTTPError as error:
        raise KeysUnavailable(url, why=f"it does not answer ({type(error).__name__})") from None


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeysUnavailable(str(path), why=error.strerror or "it cannot be read") from None
    if len(content) > MAX_BYTES:
        raise KeysUnavailable(str(path), why=f"it is larger than {MAX_BYTES} bytes")
    return content

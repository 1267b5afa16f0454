"""Vault's Transit engine: where masking keys come from and reports are signed. OpenBao speaks the same interface.

Keys never leave Vault. A masking key is asked for one HMAC of a constant, with its version pinned, and everything
else is derived from that answer in memory: an outage in the middle of a run changes no value. Every call has a time
limit, and every answer is checked for the version that was asked for. There is no fallback: an error is
VaultUnavailable (the same call may work later) or VaultRefused (it will not). Texts of the server are left out of
both: they may quote a request.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import hvac
import requests
from hvac import exceptions

from seed_pipelines.errors import VaultRefused, VaultUnavailable

# Changing this text changes every pseudonym, as a new key would. Policies pin it as the only input that is allowed.
PRK_INPUT = b"seed-pipelines/mask/prk/v1"
PRK_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Where Vault is and who we are there: a token, or an AppRole's role_id and secret_id.

    Attributes:
        key_version: the version of the masking key; pinned, so that a rotation changes no value.
        ca_file: the certificates that sign Vault's; None means those of the system.
    """

    addr: str
    token: str | None = field(repr=False, default=None)
    role_id: str | None = field(repr=False, default=None)
    secret_id: str | None = field(repr=False, default=None)
    namespace: str | None = None
    timeout_seconds: float = 5.0
    transit_mount: str = "transit"
    key_version: int = 1
    ca_file: str | None = None

    @property
    def shown_addr(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.addr)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitSignature:
    """`value` is base64."""

    key: str
    key_version: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The newest version of a signing key, in PEM."""

    key: str
    key_version: int
    pem: bytes


def mask_key_name(environment: str, tenant: str) -> str:
    return f"seed-{environment}-{tenant}"


def report_key_name(environment: str) -> str:
    return f"seed-report-{environment}"


class Vault:
    """A session with Vault, for one thread; use it as a context."""

    def __init__(self, settings: VaultSettings) -> None:
        """Log in where an AppRole is given; raises VaultUnavailable or VaultRefused."""
        self._settings = settings
        # An empty token keeps hvac from looking for one in the environment and in the home directory.
        self._client = hvac.Client(
            url=settings.addr,
            token=settings.token or "",
            namespace=settings.namespace,
            timeout=settings.timeout_seconds,
            verify=settings.ca_file or True,
        )
        if not settings.token:
            self._log_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.token = None
        self._client.adapter.close()

    def check_mask_key(self, environment: str, tenant: str) -> None:
        """Preflight: unsealed, and the key usable at its pinned version and protected as it has to be."""
        name, version = mask_key_name(environment, tenant), self._settings.key_version
        doing = f"use the masking key {name} at version {version}"
        with self._errors(doing):
            key = _data(self._client.secrets.transit.read_key(name, mount_point=self._settings.transit_mount))
            findings = list(_findings(key, version))
        for why, what_to_do in findings:
            self._refuse(doing, why=why, what_to_do=what_to_do)

    def derive_prk(self, environment: str, tenant: str, *, key_version: int | None = None) -> bytes:
        """32 bytes from which the tenant's keys are derived; the same as long as key and version are the same.

        Another version than the pinned one is for masking anew what it masked.
        """
        name, version = mask_key_name(environment, tenant), key_version or self._settings.key_version
        body = {"input": _base64(PRK_INPUT), "key_version": version}
        with self._errors(f"derive keys from {name} at version {version}"):
            # No batch of several versions: the server ignores the version of a batch's items.
            answer = self._client.adapter.post(f"/v1/{self._settings.transit_mount}/hmac/{name}/sha2-256", json=body)
            return _unwrapped_hmac(_text(_data(answer), "hmac"), version)

    def report_key(self, environment: str) -> PublicKey:
        """The public half of the key that signs reports."""
        name = report_key_name(environment)
        with self._errors(f"read the signing key {name}"):
            key = _data(self._client.secrets.transit.read_key(name, mount_point=self._settings.transit_mount))
            version = _whole(key, "latest_version")
            versions = key.get("keys")
            newest = versions.get(str(version)) if isinstance(versions, Mapping) else None
            return PublicKey(key=name, key_version=version, pem=_text(newest, "public_key").encode())

    def sign_pss(self, digest: bytes, *, key: str, key_version: int) -> TransitSignature:
        """RSA-PSS over a SHA-256 digest, with a salt as long as the hash."""
        body = {
            "input": _base64(digest),
            "prehashed": True,
            "signature_algorithm": "pss",
            # hvac's own method cannot say this, and the default salt is as long as fits the key.
            "salt_length": "hash",
            "key_version": key_version,
        }
        with self._errors(f"sign with {key} at version {key_version}"):
            path = f"/v1/{self._settings.transit_mount}/sign/{key}/sha2-256"
            answer = _text(_data(self._client.adapter.post(path, json=body)), "signature")
            return TransitSignature(key=key, key_version=key_version, value=_unwrapped(answer, key_version))

    def _log_in(self) -> None:
        doing = "log in to Vault"
        if not (self._settings.role_id and self._settings.secret_id):
            cure = "Set SEED_VAULT_TOKEN, or SEED_VAULT_ROLE_ID and SEED_VAULT_SECRET_ID."
            self._refuse(doing, why="needs a token, or a role_id and a secret_id", what_to_do=cure)
        with self._errors(doing):
            self._client.auth.approle.login(role_id=self._settings.role_id, secret_id=self._settings.secret_id)

    def _refuse(self, doing: str, *, why: str, what_to_do: str) -> NoReturn:
        raise VaultRefused(self._settings.shown_addr, doing=doing, why=why, what_to_do=what_to_do)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except requests.exceptions.Timeout:
            why = f"did not answer within {self._settings.timeout_seconds:g} s"
            raise VaultUnavailable(self._settings.shown_addr, doing=doing, why=why) from None
        except requests.exceptions.RequestException as error:
            why = f"cannot be reached ({type(error).__name__})"
            raise VaultUnavailable(self._settings.shown_addr, doing=doing, why=why) from None
        except exceptions.VaultError as error:
            raise self._translated(error, doing) from None
        except LookupError:
            self._refuse(doing, why="answered something else than was asked for", what_to_do=_CHECK_SERVER)

    def _translated(self, error: exceptions.VaultError, doing: str) -> VaultRefused | VaultUnavailable:
        for kind, why in _LATER.items():
            if isinstance(error, kind):
                return VaultUnavailable(self._settings.shown_addr, doing=doing, why=why)
        for kind, (why, what_to_do) in _NEVER.items():
            if isinstance(error, kind):
                return VaultRefused(self._settings.shown_addr, doing=doing, why=why, what_to_do=what_to_do)
        why = f"answered with an unexpected {type(error).__name__}"
        return VaultRefused(self._settings.shown_addr, doing=doing, why=why, what_to_do=_CHECK_SERVER)


_CHECK_SERVER = "Check the address, and what stands between it and Vault."
_CHECK_RIGHTS = "Check the token's or the AppRole's policy, and that it has not run out."

_LATER: Mapping[type[exceptions.VaultError], str] = {
    exceptions.VaultDown: "is sealed or in maintenance",
    exceptions.VaultNotInitialized: "is not initialized",
    exceptions.RateLimitExceeded: "has too many requests to answer",
    exceptions.InternalServerError: "failed on its side",
    exceptions.BadGateway: "is not reached by the gateway before it",
}
_NEVER: Mapping[type[exceptions.VaultError], tuple[str, str]] = {
    exceptions.Forbidden: ("denies permission", _CHECK_RIGHTS),
    exceptions.Unauthorized: ("does not know us", _CHECK_RIGHTS),
    exceptions.InvalidRequest: (
        "does not accept the request: no such key or version, or a version below the key's minimum",
        "Compare SEED_VAULT_KEY_VERSION with the key's versions.",
    ),
    exceptions.InvalidPath: ("has no such key or mount", "Create the key, or correct the mount."),
}


def _findings(key: Mapping[str, Any], version: int) -> Iterator[tuple[str, str]]:
    """Why a key must not be used, and what to do about it."""
    claims = (
        (_whole(key, "latest_version") >= version, "has no such version of it", "Correct SEED_VAULT_KEY_VERSION."),
        (_whole(key, "min_decryption_version") <= version, "retired that version", "Pin a newer version."),
        (
            _whole(key, "min_encryption_version") <= version,
            "refuses new work with that version",
            "Set the key's min_encryption_version to 0.",
        ),
        (key.get("exportable") is False, "would hand the key out", "Replace it by a key that is not exportable."),
        (key.get("deletion_allowed") is False, "would delete it", "Set the key's deletion_allowed to false."),
    )
    for holds, why, what_to_do in claims:
        if not holds:
            yield why, what_to_do


def _data(answer: Any) -> Mapping[str, Any]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(data, Mapping):
        raise LookupError
    return data


def _text(values: Any, name: str) -> str:
    value = values.get(name) if isinstance(values, Mapping) and not values.get("error") else None
    if not isinstance(value, str):
        raise LookupError
    return value


def _whole(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int):
        raise LookupError
    return value


def _unwrapped(answer: str, version: int) -> str:
    """What stands behind `vault:vN:`; another version than the pinned one is no answer."""
    prefix = f"vault:v{version}:"
    if not answer.startswith(prefix):
        raise LookupError
    return answer.removeprefix(prefix)


def _unwrapped_hmac(answer: str, version: int) -> bytes:
    try:
        value = base64.b64decode(_unwrapped(answer, version), validate=True)
    except binascii.Error:
        raise LookupError from None
    if len(value) != PRK_BYTES:
        raise LookupError
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")

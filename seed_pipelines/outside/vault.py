"""Vault's Transit engine: where masking keys come from and reports are signed. OpenBao speaks the same interface.

Keys never leave Vault. A masking key is asked for one HMAC of a constant, with its version pinned, and everything
else is derived from that answer in memory: an outage in the middle of a run changes no value. A data key is made by
Vault and kept by us in its wrapped form only, which Vault opens, and wraps anew when the wrapping key was rotated.
Every answer is checked for the version that was asked for, and nothing else is ever used in its place.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seed_pipelines.outside.vault_session import VaultSession

# Changing this text changes every pseudonym, as a new key would. Policies pin it as the only input that is allowed.
PRK_INPUT = b"seed-pipelines/mask/prk/v1"
PRK_BYTES = 32
DATA_KEY_BYTES = 32

_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitKey:
    """What Vault says about a key; nothing of it is secret."""

    key: str
    kind: str
    latest_version: int
    min_decryption_version: int
    min_encryption_version: int
    exportable: bool
    deletion_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key that only Vault can open: encrypted with `key` at `key_version`."""

    key: str
    key_version: int
    ciphertext: str = field(repr=False)


def mask_key_name(environment: str, tenant: str) -> str:
    return f"seed-{environment}-{tenant}"


def wrapping_key_name(environment: str, tenant: str) -> str:
    """No tenant and no environment has a point in its name: this is nobody's masking key."""
    return f"{mask_key_name(environment, tenant)}.data"


def report_key_name(environment: str) -> str:
    return f"seed-report-{environment}"


class Vault(VaultSession):
    """Transit, in one session."""

    def check_mask_key(self, environment: str, tenant: str) -> None:
        """Preflight: unsealed, and the key usable at its pinned version and protected as it has to be."""
        name, version = mask_key_name(environment, tenant), self._settings.key_version
        doing = f"use the masking key {name} at version {version}"
        key = self._ask(doing, lambda: _transit_key(name, self._read_key(name)))
        for why, what_to_do in findings_of(key, version):
            self._refuse(doing, why=why, what_to_do=what_to_do)

    def derive_prk(self, environment: str, tenant: str, *, key_version: int | None = None) -> bytes:
        """32 bytes from which the tenant's keys are derived; the same as long as key and version are the same.

        Another version than the pinned one is for masking anew what it masked.
        """
        name, version = mask_key_name(environment, tenant), key_version or self._settings.key_version

        def derive() -> bytes:
            # No batch of several versions: the server ignores the version of a batch's items.
            body = {"input": _base64(PRK_INPUT), "key_version": version}
            return _unwrapped_hmac(_text(self._post(f"hmac/{name}/sha2-256", body), "hmac"), version)

        return self._ask(f"derive keys from {name} at version {version}", derive)

    def check_wrapping_key(self, name: str, *, version: int) -> None:
        """Preflight: the key can open what it wrapped at this version, and is protected as it has to be."""
        doing = f"use the wrapping key {name} at version {version}"
        key = self._ask(doing, lambda: _transit_key(name, self._read_key(name)))
        for why, what_to_do in wrapping_findings_of(key, version):
            self._refuse(doing, why=why, what_to_do=what_to_do)

    def make_data_key(self, name: str) -> WrappedKey:
        """A new random data key, wrapped; nobody has seen it yet, we neither."""
        # Not for a key that is not there: some servers would make one.
        self.key_state(name)

        def made() -> WrappedKey:
            # Its size is the server's default, so that a policy can forbid every parameter; opening it checks the size.
            return _wrapped_key(name, self._post(f"datakey/wrapped/{name}", {}))

        return self._ask(f"make a data key with {name}", made)

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The data key itself, for this process's memory."""

        def unwrapped() -> bytes:
            answer = self._post(f"decrypt/{wrapped.key}", {"ciphertext": wrapped.ciphertext})
            return _decoded(_text(answer, "plaintext"), DATA_KEY_BYTES)

        return self._ask(f"unwrap a data key with {wrapped.key} at version {wrapped.key_version}", unwrapped)

    def rewrap(self, wrapped: WrappedKey) -> WrappedKey:
        """The same data key, wrapped at the newest version; it is not shown for that."""

        def rewrapped() -> WrappedKey:
            return _wrapped_key(wrapped.key, self._post(f"rewrap/{wrapped.key}", {"ciphertext": wrapped.ciphertext}))

        return self._ask(f"rewrap a data key with {wrapped.key}", rewrapped)

    def key_state(self, name: str) -> TransitKey:
        """What Vault says about a key now."""
        return self._ask(f"read the key {name}", lambda: _transit_key(name, self._read_key(name)))

    def rotate(self, name: str) -> TransitKey:
        """Give the key one more version; no version that is there changes or goes away."""

        def rotated() -> TransitKey:
            self._client.secrets.transit.rotate_key(name, mount_point=self._settings.transit_mount)
            return _transit_key(name, self._read_key(name))

        # Not for a key that is not there: some servers would make one.
        self.key_state(name)
        return self._ask(f"rotate the key {name}", rotated)

    def report_key(self, environment: str, *, key_version: int | None = None) -> PublicKey:
        """The public half of the key that signs reports, or of the version that signed an older one."""
        name = report_key_name(environment)

        def public_key() -> PublicKey:
            said = self._read_key(name)
            return _public_key(name, said, version=key_version or _whole(said, "latest_version"))

        return self._ask(f"read the signing key {name}", public_key)

    def sound_report_key(self, environment: str) -> PublicKey:
        """Preflight: the signing key, which is of a kind that signs reports, and protected as it has to be."""
        name = report_key_name(environment)
        doing = f"sign reports with {name}"

        def sound() -> PublicKey:
            said = self._read_key(name)
            key = _transit_key(name, said)
            for why, what_to_do in signing_findings_of(key):
                self._refuse(doing, why=why, what_to_do=what_to_do)
            return _public_key(name, said, version=key.latest_version)

        return self._ask(doing, sound)

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

        def sign() -> TransitSignature:
            answer = _text(self._post(f"sign/{key}/sha2-256", body), "signature")
            return TransitSignature(key=key, key_version=key_version, value=_unwrapped(answer, key_version))

        return self._ask(f"sign with {key} at version {key_version}", sign)

    def _read_key(self, name: str) -> Mapping[str, Any]:
        return _data(self._client.secrets.transit.read_key(name, mount_point=self._settings.transit_mount))

    def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return _data(self._client.adapter.post(f"/v1/{self._settings.transit_mount}/{path}", json=body))


def findings_of(key: TransitKey, version: int) -> Iterator[tuple[str, str]]:
    """Why a masking key must not be used at this version, and what to do about it."""
    claims = (
        (key.latest_version >= version, "has no such version of it", "Correct SEED_VAULT_KEY_VERSION."),
        (key.min_decryption_version <= version, "retired that version", "Pin a newer version."),
        (
            key.min_encryption_version <= version,
            "refuses new work with that version",
            "Set the key's min_encryption_version to 0.",
        ),
        *_protection_of(key),
    )
    yield from ((why, what_to_do) for holds, why, what_to_do in claims if not holds)


def wrapping_findings_of(key: TransitKey, version: int) -> Iterator[tuple[str, str]]:
    """Why a key must not be used to open what it wrapped at this version, and what to do about it."""
    claims = (
        (key.latest_version >= version, "has no such version of it", "Restore the key from Vault's backup."),
        (
            key.min_decryption_version <= version,
            "retired that version",
            "Lower the key's min_decryption_version, and run `seed-data keys rotate` before it is raised again.",
        ),
        *_protection_of(key),
    )
    yield from ((why, what_to_do) for holds, why, what_to_do in claims if not holds)


def signing_findings_of(key: TransitKey) -> Iterator[tuple[str, str]]:
    """Why a key must not sign reports, and what to do about it."""
    kinds = ("rsa-2048", "rsa-3072", "rsa-4096")
    claims = (
        (key.kind in kinds, f"has a key of type {key.kind} there", f"Make it of type {', '.join(kinds)}."),
        *_protection_of(key),
    )
    yield from ((why, what_to_do) for holds, why, what_to_do in claims if not holds)


def _protection_of(key: TransitKey) -> tuple[tuple[bool, str, str], ...]:
    return (
        (not key.exportable, "would hand the key out", "Replace it by a key that is not exportable."),
        (not key.deletion_allowed, "would delete it", "Set the key's deletion_allowed to false."),
    )


def _public_key(name: str, said: Mapping[str, Any], *, version: int) -> PublicKey:
    versions = said.get("keys")
    wanted = versions.get(str(version)) if isinstance(versions, Mapping) else None
    return PublicKey(key=name, key_version=version, pem=_text(wanted, "public_key").encode())


def _transit_key(name: str, said: Mapping[str, Any]) -> TransitKey:
    return TransitKey(
        key=name,
        kind=_text(said, "type"),
        latest_version=_whole(said, "latest_version"),
        min_decryption_version=_whole(said, "min_decryption_version"),
        min_encryption_version=_whole(said, "min_encryption_version"),
        exportable=said.get("exportable") is not False,
        deletion_allowed=said.get("deletion_allowed") is not False,
    )


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
    return _decoded(_unwrapped(answer, version), PRK_BYTES)


def _wrapped_key(name: str, answer: Mapping[str, Any]) -> WrappedKey:
    ciphertext = _text(answer, "ciphertext")
    version = _CIPHERTEXT.match(ciphertext)
    if version is None:
        raise LookupError
    return WrappedKey(key=name, key_version=int(version[1]), ciphertext=ciphertext)


def _decoded(text: str, size: int) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise LookupError from None
    if len(value) != size:
        raise LookupError
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")

"""The keys of one tenant in one environment, all derived from secrets of 32 bytes that live in memory only.

Each column has keys of its own for each purpose: HKDF-Expand over purpose, tenant, environment, column and key
version, every name with its length. Masks and digests come from one secret. What encrypts at rest comes from the
tenant's data key, and from that same secret where there is none: in dev, and in datasets that are older than data
keys. The secrets come from Vault. In environment dev, and never where CI is set, it
may come from `.env.local` instead; anywhere else no Vault means no key, and no key means no row. Keys appear in no
text form, cannot be pickled, and the secrets are overwritten on `close`, as far as Python allows: copies that
libraries made are beyond us.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from seed_pipelines.errors import MaskKeyDiverged, MaskKeyUnavailable
from seed_pipelines.mask.openpgp import SALT_BYTES
from seed_pipelines.mask.pgp import PgpKey
from seed_pipelines.outside.env_local import dev_mask_key
from seed_pipelines.outside.vault import PRK_BYTES, Vault, WrappedKey, mask_key_name
from seed_pipelines.outside.vault_session import VaultSettings

FROM_VAULT = "vault"
FROM_ENV_LOCAL = "env_local"
GIVEN = "given"

_LOCAL_ENVIRONMENT = "dev"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrigin:
    """Where the secrets came from, for the report; nothing of it is secret. No data key: none encrypts at rest."""

    source: str
    key: str | None = None
    key_version: int = 1
    data_key_check: str | None = None
    # Which key wraps the data key, and at which version it was when the keys were taken.
    wrapping_key: str | None = None
    wrapping_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """What encrypts a tenant's columns at rest, and the form in which it is kept."""

    secret: bytes = field(repr=False)
    wrapped: WrappedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKeys:
    """The keys of one column."""

    ff1: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    pgp: PgpKey = field(repr=False)


class FieldKeys:
    """Every key of one tenant in one environment; close it when the work is done."""

    def __init__(
        self,
        prk: bytes,
        *,
        environment: str,
        tenant: str,
        origin: KeyOrigin | None = None,
        data_key: bytes | None = None,
    ) -> None:
        at_rest = prk if data_key is None else data_key
        for secret in (prk, at_rest):
            if len(secret) != PRK_BYTES:
                msg = f"the secret that keys are derived from is {PRK_BYTES} bytes, not {len(secret)}"
                raise ValueError(msg)
        self.environment, self.tenant = environment, tenant
        self.origin = origin or KeyOrigin(source=GIVEN)
        self._prk, self._at_rest = bytearray(prk), bytearray(at_rest)
        self.key_check = key_check_of(prk)

    def column(self, entity: str, column: str) -> ColumnKeys:
        """The keys of one column of an entity; the same in every process that has the same secret."""
        masking, at_rest = partial(self._derived, self._prk), partial(self._derived, self._at_rest)
        pgp = PgpKey(
            passphrase=at_rest("pgp passphrase", entity, column).hex(),
            salt=at_rest("pgp salt", entity, column)[:SALT_BYTES],
            lead_key=at_rest("pgp lead", entity, column),
        )
        return ColumnKeys(ff1=masking("ff1", entity, column), digest=masking("digest", entity, column), pgp=pgp)

    def assert_same(self, key_check: str, *, data_key_check: str | int | None) -> None:
        """Raises MaskKeyDiverged where these are not the keys that have those checks."""
        for expected, found in ((key_check, self.key_check), (data_key_check, self.origin.data_key_check)):
            if expected != found:
                raise MaskKeyDiverged(expected=str(expected or "none"), found=str(found or "none"))

    def close(self) -> None:
        """Overwrite the secrets; no key can be derived afterwards."""
        for secret in (self._prk, self._at_rest):
            secret[:] = bytes(len(secret))
            secret.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FieldKeys({self.environment}/{self.tenant}, {self.origin.source}, key_check={self.key_check})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys stay in the process that derived them")

    def _derived(self, secret: bytearray, purpose: str, entity: str, column: str) -> bytes:
        if not secret:
            raise ValueError("the keys were closed")
        names = (purpose, self.tenant, self.environment, f"{entity}.{column}", str(self.origin.key_version))
        info = b"".join(len(name.encode()).to_bytes(4, "big") + name.encode() for name in names)
        return HKDFExpand(algorithm=hashes.SHA256(), length=_KEY_BYTES, info=info).derive(bytes(secret))


def key_check_of(secret: bytes) -> str:
    """Tells two secrets apart and says nothing about them."""
    return hmac.digest(secret, b"key check", hashlib.sha256)[:8].hex()


def mask_keys(
    environment: str,
    tenant: str,
    *,
    vault: VaultSettings | None,
    env_local: Path,
    ci: bool,
    data_key_of: Callable[[Vault], DataKey] | None = None,
) -> FieldKeys:
    """The keys of a tenant; raises MaskKeyUnavailable, VaultUnavailable or VaultRefused.

    Without `data_key_of` the keys at rest are those of datasets that are older than data keys.
    """
    if vault is not None:
        return _from_vault(environment, tenant, vault, data_key_of)
    return _from_env_local(environment, tenant, env_local, ci=ci)


def _from_vault(
    environment: str, tenant: str, settings: VaultSettings, data_key_of: Callable[[Vault], DataKey] | None
) -> FieldKeys:
    origin = KeyOrigin(source=FROM_VAULT, key=mask_key_name(environment, tenant), key_version=settings.key_version)
    with Vault(settings) as session:
        session.check_mask_key(environment, tenant)
        prk, data_key = session.derive_prk(environment, tenant), None
        if data_key_of is not None:
            made = data_key_of(session)
            data_key, origin = made.secret, _with_data_key(origin, made)
    return FieldKeys(prk, environment=environment, tenant=tenant, origin=origin, data_key=data_key)


def _with_data_key(origin: KeyOrigin, data_key: DataKey) -> KeyOrigin:
    return replace(
        origin,
        data_key_check=key_check_of(data_key.secret),
        wrapping_key=data_key.wrapped.key,
        wrapping_version=data_key.wrapped.key_version,
    )


def _from_env_local(environment: str, tenant: str, path: Path, *, ci: bool) -> FieldKeys:
    if environment != _LOCAL_ENVIRONMENT or ci:
        what = f"{environment}/{tenant}"
        limit = "under CI" if ci else f"outside environment {_LOCAL_ENVIRONMENT}"
        why = f"no Vault is set, and {limit} a key of this machine may not be used"
        raise MaskKeyUnavailable(what, why=why, what_to_do="Set SEED_VAULT_ADDR and its credentials.")
    origin = KeyOrigin(source=FROM_ENV_LOCAL)
    return FieldKeys(dev_mask_key(path), environment=environment, tenant=tenant, origin=origin)

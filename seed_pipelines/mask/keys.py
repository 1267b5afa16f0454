"""The keys of one tenant in one environment, all derived from one 32-byte secret that lives in memory only.

Each column has keys of its own for each purpose: HKDF-Expand over purpose, tenant, environment, column and key
version, every name with its length. The secret comes from Vault. In environment dev, and never where CI is set, it
may come from `.env.local` instead; anywhere else no Vault means no key, and no key means no row. Keys appear in no
text form, cannot be pickled, and the secret is overwritten on `close`, as far as Python allows: copies that
libraries made are beyond us.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from seed_pipelines.errors import MaskKeyUnavailable
from seed_pipelines.mask.openpgp import SALT_BYTES
from seed_pipelines.mask.pgp import PgpKey
from seed_pipelines.outside.env_local import dev_mask_key
from seed_pipelines.outside.vault import PRK_BYTES, Vault, mask_key_name
from seed_pipelines.outside.vault_session import VaultSettings

FROM_VAULT = "vault"
FROM_ENV_LOCAL = "env_local"
GIVEN = "given"

_LOCAL_ENVIRONMENT = "dev"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrigin:
    """Where a secret came from, for the report; nothing of it is secret."""

    source: str
    key: str | None = None
    key_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKeys:
    """The keys of one column."""

    ff1: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    pgp: PgpKey = field(repr=False)


class FieldKeys:
    """Every key of one tenant in one environment; close it when the work is done."""

    def __init__(self, prk: bytes, *, environment: str, tenant: str, origin: KeyOrigin | None = None) -> None:
        if len(prk) != PRK_BYTES:
            msg = f"the secret that keys are derived from is {PRK_BYTES} bytes, not {len(prk)}"
            raise ValueError(msg)
        self.environment, self.tenant = environment, tenant
        self.origin = origin or KeyOrigin(source=GIVEN)
        self._prk = bytearray(prk)
        self.key_check = hmac.digest(prk, b"key check", hashlib.sha256)[:8].hex()

    def column(self, entity: str, column: str) -> ColumnKeys:
        """The keys of one column of an entity; the same in every process that has the same secret."""
        pgp = PgpKey(
            passphrase=self._derived("pgp passphrase", entity, column).hex(),
            salt=self._derived("pgp salt", entity, column)[:SALT_BYTES],
            lead_key=self._derived("pgp lead", entity, column),
        )
        return ColumnKeys(
            ff1=self._derived("ff1", entity, column), digest=self._derived("digest", entity, column), pgp=pgp
        )

    def close(self) -> None:
        """Overwrite the secret; no key can be derived afterwards."""
        self._prk[:] = bytes(len(self._prk))
        self._prk.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FieldKeys({self.environment}/{self.tenant}, {self.origin.source}, key_check={self.key_check})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys stay in the process that derived them")

    def _derived(self, purpose: str, entity: str, column: str) -> bytes:
        if not self._prk:
            raise ValueError("the keys were closed")
        names = (purpose, self.tenant, self.environment, f"{entity}.{column}", str(self.origin.key_version))
        info = b"".join(len(name.encode()).to_bytes(4, "big") + name.encode() for name in names)
        return HKDFExpand(algorithm=hashes.SHA256(), length=_KEY_BYTES, info=info).derive(bytes(self._prk))


def mask_keys(environment: str, tenant: str, *, vault: VaultSettings | None, env_local: Path, ci: bool) -> FieldKeys:
    """The keys of a tenant; raises MaskKeyUnavailable, VaultUnavailable or VaultRefused."""
    if vault is not None:
        return _from_vault(environment, tenant, vault)
    return _from_env_local(environment, tenant, env_local, ci=ci)


def _from_vault(environment: str, tenant: str, settings: VaultSettings) -> FieldKeys:
    origin = KeyOrigin(source=FROM_VAULT, key=mask_key_name(environment, tenant), key_version=settings.key_version)
    with Vault(settings) as session:
        session.check_mask_key(environment, tenant)
        return FieldKeys(session.derive_prk(environment, tenant), environment=environment, tenant=tenant, origin=origin)


def _from_env_local(environment: str, tenant: str, path: Path, *, ci: bool) -> FieldKeys:
    if environment != _LOCAL_ENVIRONMENT or ci:
        what = f"{environment}/{tenant}"
        limit = "under CI" if ci else f"outside environment {_LOCAL_ENVIRONMENT}"
        why = f"no Vault is set, and {limit} a key of this machine may not be used"
        raise MaskKeyUnavailable(what, why=why, what_to_do="Set SEED_VAULT_ADDR and its credentials.")
    origin = KeyOrigin(source=FROM_ENV_LOCAL)
    return FieldKeys(dev_mask_key(path), environment=environment, tenant=tenant, origin=origin)

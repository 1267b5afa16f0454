"""Data keys: what encrypts a tenant's columns at rest, made by Vault and kept here in its wrapped form only.

A tenant has one for each environment, and it stays as long as its data have to be read: a rotation of the wrapping key
wraps the same key anew, so no ciphertext changes. Every generation is kept, and none is ever replaced. A key that
unwraps to something else than it did at first is refused.
"""

from dataclasses import dataclass, replace

from seed_pipelines.errors import MaskKeyDiverged, MaskKeyUnavailable
from seed_pipelines.mask.keys import DataKey, key_check_of
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.outside.vault import Vault, WrappedKey, wrapping_key_name
from seed_pipelines.sql import query

_PURPOSE = "at_rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """One row of `seed_control.data_key`."""

    generation: int
    wrapped: WrappedKey
    key_check: str


def kept(connection: Connection, *, environment: str, tenant: str) -> KeptKey | None:
    """The tenant's data key as it was wrapped last; None before its first seed run."""
    values = {"environment": environment, "tenant": tenant, "purpose": _PURPOSE}
    with translated():
        row = connection.execute(query("data_key_of"), values).fetchone()
    if row is None:
        return None
    wrapped = WrappedKey(key=row["wrapping_key"], key_version=row["wrapping_version"], ciphertext=row["wrapped"])
    return KeptKey(generation=row["generation"], wrapped=wrapped, key_check=row["key_check"])


def data_key_of(connection: Connection, vault: Vault, *, environment: str, tenant: str) -> DataKey:
    """The tenant's data key, made where there is none yet; workers that make one at once agree on the first.

    Raises VaultUnavailable, VaultRefused, MaskKeyUnavailable or MaskKeyDiverged.
    """
    found = kept(connection, environment=environment, tenant=tenant)
    if found is None:
        wrapped = vault.make_data_key(wrapping_key_name(environment, tenant))
        first = KeptKey(generation=1, wrapped=wrapped, key_check=key_check_of(vault.unwrap(wrapped)))
        found = _keep(connection, first, environment=environment, tenant=tenant)
    vault.check_wrapping_key(found.wrapped.key, version=found.wrapped.key_version)
    secret = vault.unwrap(found.wrapped)
    if key_check_of(secret) != found.key_check:
        raise MaskKeyDiverged(expected=found.key_check, found=key_check_of(secret))
    return DataKey(secret=secret, wrapped=found.wrapped)


def check(connection: Connection, vault: Vault, *, environment: str, tenant: str) -> None:
    """Whether the data key opens, or one can be made; makes none. Raises as data_key_of does."""
    if kept(connection, environment=environment, tenant=tenant) is not None:
        data_key_of(connection, vault, environment=environment, tenant=tenant)
        return
    name = wrapping_key_name(environment, tenant)
    vault.check_wrapping_key(name, version=vault.key_state(name).latest_version)


def rewrap(connection: Connection, vault: Vault, *, environment: str, tenant: str) -> KeptKey | None:
    """Wrap the tenant's data key at the newest version of its wrapping key; None where there is no data key yet."""
    found = kept(connection, environment=environment, tenant=tenant)
    if found is None:
        return None
    renewed = replace(found, generation=found.generation + 1, wrapped=vault.rewrap(found.wrapped))
    if renewed.wrapped.key_version == found.wrapped.key_version:
        return found
    return _keep(connection, renewed, environment=environment, tenant=tenant)


def _keep(connection: Connection, key: KeptKey, *, environment: str, tenant: str) -> KeptKey:
    """What is kept afterwards: this, or what another worker kept first."""
    values = {
        "environment": environment,
        "tenant": tenant,
        "purpose": _PURPOSE,
        "generation": key.generation,
        "wrapping_key": key.wrapped.key,
        "wrapping_version": key.wrapped.key_version,
        "wrapped": key.wrapped.ciphertext,
        "key_check": key.key_check,
    }
    with translated():
        connection.execute(query("data_key_keep"), values)
    found = kept(connection, environment=environment, tenant=tenant)
    if found is None:
        whose, what_to_do = f"{environment}/{tenant}", "Look at seed_control.data_key."
        raise MaskKeyUnavailable(whose, why="its data key was not kept", what_to_do=what_to_do)
    return found

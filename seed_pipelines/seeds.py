"""Where every value's key comes from: SHA-256 over names, encoded so that no two lists of names collide.

`("a", "bc")` and `("ab", "c")` give different seeds, because each name goes in with its length.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """The names that decide the data of one tenant in one environment."""

    tenant: str
    environment: str
    manifest_version: str
    salt_version: str

    @property
    def factory_seed(self) -> bytes:
        """32 bytes: the root of every value of one manifest version."""
        return seed_of("factory", self.tenant, self.environment, self.manifest_version, self.salt_version)

    @property
    def identity_seed(self) -> bytes:
        """32 bytes: the root of values that must be unique in the tenant across versions, salts and modes."""
        return seed_of("identity", self.tenant, self.environment)


def seed_of(*names: str | bytes) -> bytes:
    """SHA-256 over length-prefixed names."""
    digest = hashlib.sha256()
    for name in names:
        encoded = name.encode() if isinstance(name, str) else name
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest()


def integer_of(seed: bytes, *names: str) -> int:
    """An unsigned 63-bit integer derived from a seed and names."""
    return int.from_bytes(seed_of(seed, *names)[:8], "big") >> 1


def tenant_id_of(environment: str, tenant: str) -> bytes:
    """The 16 bytes of the tenant's UUID (version 8): one per tenant and environment, never drawn by chance."""
    raw = bytearray(seed_of("tenant", environment, tenant)[:16])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return bytes(raw)

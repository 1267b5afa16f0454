"""What things are called in Dagster: one place, so that nobody splits or builds a name elsewhere."""

import hashlib
from dataclasses import dataclass
from typing import Self

import dagster as dg

MANIFEST_HASH_TAG = "seed/manifest-hash"
IDEMPOTENCY_KEY_TAG = "seed/idempotency-key"
TRIGGER_TAG = "seed/trigger"
IGNORE_WINDOW_TAG = "seed/ignore-window"
WAIT_TAG = "seed/wait"
TRACEPARENT_TAG = "seed/traceparent"
ENVIRONMENT_TAG = "seed/env"
TENANT_TAG = "seed/tenant"

DATASET = "dataset"
JOB_PREFIX = "seed__"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestName:
    """The names of one manifest: it is one job and one asset group."""

    environment: str
    tenant: str

    @classmethod
    def of_path(cls, path: str) -> Self:
        """`dev/acme.yaml` → dev, acme."""
        environment, _, file = path.partition("/")
        return cls(environment=environment, tenant=file.rsplit(".", 1)[0])

    @classmethod
    def of_key(cls, key: dg.AssetKey) -> Self:
        """Every asset of a manifest is called `[environment, tenant, entity]`."""
        return cls(environment=key.path[0], tenant=key.path[1])

    @property
    def path(self) -> str:
        return f"{self.environment}/{self.tenant}.yaml"

    @property
    def group(self) -> str:
        return f"{_identifier(self.environment)}__{_identifier(self.tenant)}"

    @property
    def job(self) -> str:
        return f"{JOB_PREFIX}{self.group}"

    @property
    def graph(self) -> str:
        # Not the job's: a job has a graph of its own, and a name means one graph in a code location.
        return self.group

    @property
    def pool(self) -> str:
        return f"seed_{_identifier(self.environment)}"

    @property
    def owner(self) -> str:
        # Whose data they are: who answers for a manifest is the tenant's own team.
        return f"team:{self.tenant}"

    @property
    def tags(self) -> dict[str, str]:
        return {ENVIRONMENT_TAG: self.environment, TENANT_TAG: self.tenant}

    def key(self, asset: str) -> dg.AssetKey:
        return dg.AssetKey([self.environment, self.tenant, asset])


def _identifier(slug: str) -> str:
    """Dagster's names have no hyphen; a slug that could then spell another pair's name carries its digest."""
    plain = slug.replace("-", "_")
    if "--" in slug or slug.endswith("-"):
        return f"{plain}_{hashlib.sha256(slug.encode()).hexdigest()[:8]}"
    return plain

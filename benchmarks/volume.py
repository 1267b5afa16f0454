"""The shipped carga at another volume: what every benchmark measures."""

import math
import re
from pathlib import Path

from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.plan import Overrides, Plan, plan_of

MANIFEST = Path("manifests/dev/globex.yaml")


def text_with(customers: int) -> str:
    """The manifest with every cap in proportion, sealed."""
    text = MANIFEST.read_text()
    wished = customers / _parsed(text).volumetry["customers"].cap
    text = re.sub(r"\bcap: (\d+)", lambda cap: f"cap: {max(1, math.ceil(int(cap[1]) * wished))}", text)
    text = re.sub(r"tenants: \{cap: \d+", "tenants: {cap: 1", text)
    # A benchmark wants figures, not a run that its budget or its targets end.
    for field, value in {"cost_cap_brl": "50000.00", "p95_target_ms": "60000", "p99_target_ms": "60000"}.items():
        text = re.sub(rf"{field}: [\d.]+", f"{field}: {value}", text)
    return sealed_text(text)


def plan_with(customers: int) -> Plan:
    """Its plan as one shard."""
    return plan_of(_parsed(text_with(customers)), counters=COUNTERS, overrides=Overrides(shards=1))


def keys() -> FieldKeys:
    """Keys of no worth, always the same."""
    return FieldKeys(bytes(32), environment="dev", tenant="globex")


def _parsed(text: str) -> Manifest:
    return parse_manifest(text.encode(), source=str(MANIFEST))

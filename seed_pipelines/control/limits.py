"""Limits: what a manifest allows and aims at, as the control plane keeps it for a seed run and its report says it."""

from typing import Any

from seed_pipelines.manifest.model import Manifest


def limits_of(manifest: Manifest) -> dict[str, Any]:
    """Plain values; decimals as text."""
    rate, slo = manifest.rate_limit, manifest.slo
    return {
        "caps": {entity: volume.cap for entity, volume in manifest.volumetry.items()},
        "rate_limit": {"limit": rate.limit, "window_seconds": rate.window_seconds, "burst": rate.burst},
        "budget": {
            "cap_micro_brl": manifest.budget.cost_cap_micro_brl,
            "error_budget_pct": str(manifest.budget.error_budget_pct),
        },
        "slo": {
            "p95_target_ms": slo.p95_target_ms,
            "p99_target_ms": slo.p99_target_ms,
            "throughput_target_rps": str(slo.throughput_target_rps),
        },
    }

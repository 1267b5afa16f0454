"""Manifests and plans for tests: every value has a default, the seal is right, any volume is small."""

from decimal import Decimal

from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.manifest.seal import canonical_hash
from seed_pipelines.plan import Overrides, plan_of

# One in twenty of each, so that a few hundred loans have all of them.
ALL_STATES = {
    "users": {"blocked": Decimal(20)},
    "consultants": {"blocked": Decimal(25)},
    "customers": {"blocked": Decimal("2.5")},
    "bank_accounts": {"blocked": Decimal(2)},
    "credit_limits": {"blocked": Decimal(3)},
    "loans": {
        "delinquent": Decimal(8),
        "cancelled": Decimal("2.5"),
        "renegotiated": Decimal(3),
        "written_off": Decimal(4),
    },
}


def manifest_data(
    *,
    users=5,
    consultants=4,
    customers=60,
    addresses=None,
    bank_accounts=None,
    categories=12,
    suppliers=10,
    credit_limits=None,
    loans=None,
    contracts=None,
    installments=None,
    financial_transactions=None,
    mode="baseline",
    tenant="acme",
    environment="dev",
    states=None,
    **metadata,
):
    """Plain data of a whole manifest; twice as many loans as customers, twelve installments a loan.

    A cap of 0 leaves the entity out; the caps of what follows from other rows are as large as they can have to be.
    """
    mode = Mode(mode)
    if states is None:
        states = ALL_STATES if mode in (Mode.CARGA, Mode.DR) else {}
    loans = 2 * customers if loans is None else loans
    installments = 12 * loans if installments is None else installments
    caps = {
        "tenants": 1,
        "users": users,
        "consultants": consultants,
        "customers": customers,
        "addresses": customers * 4 // 3 if addresses is None else addresses,
        "bank_accounts": customers * 4 // 3 if bank_accounts is None else bank_accounts,
        "categories": categories,
        "suppliers": suppliers,
        "credit_limits": customers if credit_limits is None else credit_limits,
        "loans": loans,
        "contracts": loans if contracts is None else contracts,
        "installments": installments,
        "financial_transactions": (installments and loans + installments)
        if financial_transactions is None
        else financial_transactions,
    }
    data = {
        "metadata": {
            "tenant": tenant,
            "environment": environment,
            "profile": "standard",
            "version": "1.0.0",
            "schema_version": "1.0.0",
            "salt_version": "2026a",
            "reference_datetime": "2026-11-02T00:00:00Z",
            **metadata,
        },
        "mode": mode.value,
        "window": {"start_utc": "22:00", "end_utc": "09:00"},
        "volumetry": {
            entity: {"cap": cap, **({"states": states[entity]} if entity in states else {})}
            for entity, cap in caps.items()
            if cap
        },
        "rate_limit": {"limit": 200, "window_seconds": 1, "burst": 400},
        "backoff": {"base_seconds": 1, "jitter_factor": Decimal("0.5"), "max_retries": 5, "max_interval_seconds": 60},
        "budget": {"cost_cap_brl": Decimal(5000), "error_budget_pct": Decimal(1)},
        "slo": {"p95_target_ms": 2000, "p99_target_ms": 5000, "throughput_target_rps": Decimal(1000)},
        "ttl": {"baseline_days": 30, "carga_days": 7, "dr_days": 3},
    }
    if mode is Mode.CANARY:
        data["canary"] = {"percentage": Decimal(50)}
    data["integrity"] = {"manifest_hash": canonical_hash(data), "schema_version": "1.0.0"}
    return data


def make_manifest(**wishes):
    return Manifest.model_validate(manifest_data(**wishes))


def make_plan(*, shards=None, batch_rows=None, publisher=None, **wishes):
    overrides = Overrides(shards=shards, batch_rows=batch_rows, publisher=publisher)
    return plan_of(make_manifest(**wishes), counters=COUNTERS, overrides=overrides)

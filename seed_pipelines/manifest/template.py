"""The text of a new manifest: commented, sealed and valid, to be edited and sealed again."""

import json
from dataclasses import dataclass
from types import MappingProxyType

from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.manifest.model import Mode
from seed_pipelines.manifest.seal import sealed_text

# Relative to a file manifests/<environment>/<tenant>.yaml in a checkout of this project.
SCHEMA_PATH = "../../seed_pipelines/manifest/seed-profile.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """What a mode starts from."""

    customers: int
    window: tuple[str, str]
    states: bool = False

    @property
    def users(self) -> int:
        return self.customers // 50

    @property
    def consultants(self) -> int:
        return self.customers // 100

    @property
    def addresses(self) -> int:
        return self.customers * 4 // 3

    @property
    def suppliers(self) -> int:
        return self.customers // 10

    @property
    def loans(self) -> int:
        return 2 * self.customers

    @property
    def installments(self) -> int:
        return 12 * self.loans

    @property
    def transactions(self) -> int:
        """Enough for every installment, paid or not."""
        return self.loans + self.installments


_SIZES = MappingProxyType(
    {
        Mode.BASELINE: _Size(customers=1_000, window=("22:00", "09:00")),
        Mode.CARGA: _Size(customers=20_000, window=("22:00", "09:00"), states=True),
        Mode.DR: _Size(customers=5_000, window=("01:00", "07:00")),
        Mode.CANARY: _Size(customers=1_000, window=("22:00", "09:00")),
    }
)

# The vendored chart of accounts, once.
_CATEGORIES = 65

_TEXT = """\
# yaml-language-server: $schema={schema}
#
# Synthetic data of tenant {tenant} in environment {environment}. Every field: docs/reference/manifest.md.
# After a change: seed-data manifest seal, then seed-data manifest check.

metadata:
  tenant: {quoted_tenant}
  environment: {quoted_environment}
  profile: retail-credit
  # Decides every value, and never goes backwards. Raise it whenever the data are to change.
  version: "1.0.0"
  schema_version: "1.0.0"
  # Another salt gives other values for the same version.
  salt_version: "1"
  # The data are as of this moment. A new one is breaking: raise the version with it, and reseed.
  reference_datetime: "2026-11-02T00:00:00Z"

mode: {mode}

# When a run may write, in UTC. An end before the start crosses midnight.
window:
  start_utc: "{opens}"
  end_utc: "{closes}"

# Records of each entity. A cap is a hard limit; target_pct, if given, is the share of it to fill.
volumetry:
  tenants: {{cap: 1}}
{volumes}
# Write batches in each window of so many seconds, and how many may come at once.
rate_limit:
  limit: 200
  window_seconds: 1
  burst: 400

# How a batch that failed for a passing reason is tried again.
backoff:
  base_seconds: 1
  jitter_factor: 0.2
  max_retries: 5
  max_interval_seconds: 60

# The most that one run may cost, in reais, and the share of batches that may need a retry.
budget:
  cost_cap_brl: 10.00
  error_budget_pct: 1

# What the run is measured against.
slo:
  p95_target_ms: 500
  p99_target_ms: 1000
  throughput_target_rps: 1000

# How many days a published dataset of each mode is kept.
ttl:
  baseline_days: 30
  carga_days: 7
  dr_days: 2
{canary}
# Written by seed-data manifest seal.
integrity:
  manifest_hash: "{unsealed}"
  schema_version: "1.0.0"
"""

_PLAIN_VOLUMES = """\
  users: {{cap: {users}}}
  consultants: {{cap: {consultants}}}
  customers: {{cap: {customers}}}
  addresses: {{cap: {addresses}}}
  bank_accounts: {{cap: {addresses}}}
  categories: {{cap: {categories}}}
  suppliers: {{cap: {suppliers}}}
  credit_limits: {{cap: {customers}}}
  loans: {{cap: {loans}}}
  contracts: {{cap: {loans}}}
  installments: {{cap: {installments}}}
  # One for each loan and each installment that was paid, however many those are.
  financial_transactions: {{cap: {transactions}}}
"""

_VOLUMES_WITH_STATES = """\
  users:
    cap: {users}
    # Percent of the records in a state other than the happy one.
    states: {{blocked: 3}}
  consultants:
    cap: {consultants}
    states: {{blocked: 2}}
  customers:
    cap: {customers}
    states: {{blocked: 2}}
  addresses: {{cap: {addresses}}}
  bank_accounts:
    cap: {addresses}
    states: {{blocked: 1}}
  categories: {{cap: {categories}}}
  suppliers: {{cap: {suppliers}}}
  credit_limits:
    cap: {customers}
    states: {{blocked: 2}}
  loans:
    cap: {loans}
    states:
      # All that are late. Those late by more than 90 days are then 5.4 % of the loans in force, as in Brazil in 2025.
      delinquent: 8.7
      cancelled: 1
      renegotiated: 2
      written_off: 1.5
  contracts: {{cap: {loans}}}
  installments: {{cap: {installments}}}
  # One for each loan and each installment that was paid, however many those are.
  financial_transactions: {{cap: {transactions}}}
"""

_CANARY = """
# The share of every entity to make. Or name tenants that get all of it: tenants: [{tenant}]
canary:
  percentage: 5
"""


def new_manifest_text(environment: str, tenant: str, mode: Mode) -> str:
    """A whole manifest for <environment>/<tenant>.yaml. Raises ManifestRejected where a name is not in form."""
    size = _SIZES[mode]
    volumes = _VOLUMES_WITH_STATES if size.states else _PLAIN_VOLUMES
    text = _TEXT.format(
        schema=SCHEMA_PATH,
        tenant=tenant,
        environment=environment,
        # Unquoted, a tenant called `true` would not be text.
        quoted_tenant=json.dumps(tenant),
        quoted_environment=json.dumps(environment),
        mode=mode,
        opens=size.window[0],
        closes=size.window[1],
        volumes=volumes.format(
            users=size.users,
            consultants=size.consultants,
            customers=size.customers,
            addresses=size.addresses,
            categories=_CATEGORIES,
            suppliers=size.suppliers,
            loans=size.loans,
            installments=size.installments,
            transactions=size.transactions,
        ),
        canary=_CANARY.format(tenant=tenant) if mode is Mode.CANARY else "",
        unsealed="0" * 64,
    )
    source = f"{environment}/{tenant}.yaml"
    sealed = sealed_text(text, source=source)
    parse_manifest(sealed.encode(), source=source)
    return sealed

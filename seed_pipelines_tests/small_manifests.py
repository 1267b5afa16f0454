"""Wishes for manifests that are quick to run."""

# The entities that no other refers to, left out.
FIVE_ENTITIES = dict.fromkeys(
    (
        "users",
        "addresses",
        "bank_accounts",
        "categories",
        "suppliers",
        "credit_limits",
        "contracts",
        "financial_transactions",
    ),
    0,
)
SMALL = FIVE_ENTITIES | {"customers": 20}
# A run of it takes ten seconds: five batches, one every two seconds.
SLOW = SMALL | {"rate_limit": {"limit": 1, "window_seconds": 2, "burst": 1}}


def carga(*, shards):
    """A load test in so many shards, one to four."""
    return FIVE_ENTITIES | {"tenant": "globex", "mode": "carga", "customers": 5000 * (shards - 1) + 1, "loans": 40}

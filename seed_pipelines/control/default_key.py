"""The idempotency key of a seed run that nobody gave one: of the manifest's hash, and of what became of it.

The same for every door, and the same each time until a seed run of it has ended, so that whoever comes again finds the
one that waits, failed or paused. Nothing is claimed here.
"""

from seed_pipelines.control import datasets, runs
from seed_pipelines.outside.postgres import Connection
from seed_pipelines.plan import Plan


def default_key(connection: Connection, plan: Plan) -> str:
    """The key of the run that readers see, where they see this manifest; else of one that goes on, or is new.

    A manifest that was published, then replaced by another, and is now back, is not what readers see: the generation
    of the dataset in between makes its key a new one.
    """
    metadata, manifest_hash = plan.manifest.metadata, plan.manifest.manifest_hash
    dataset = datasets.published(
        connection, environment=metadata.environment, tenant=metadata.tenant, mode=plan.manifest.mode
    )
    if dataset is None:
        return _not_used_up(connection, plan, manifest_hash)
    if dataset.manifest_hash == manifest_hash:
        return runs.find(connection, dataset.seed_run_id).idempotency_key
    return _not_used_up(connection, plan, f"{manifest_hash}:after-{dataset.generation}")


def _not_used_up(connection: Connection, plan: Plan, first: str) -> str:
    """`first`, unless its run was published and purged since, or ended before: then one that is made of that run."""
    metadata, key = plan.manifest.metadata, first
    while True:
        run = runs.find_by_key(connection, environment=metadata.environment, tenant=metadata.tenant, key=key)
        if run is None or not run.is_finished:
            return key
        key = f"{first}:after-{run.id}"

"""Admission: may this plan take the place of what is published? Asked before anything is claimed or written.

A manifest version for which a canary was begun is not run wider, as carga or dr, until that canary is published. Where
the installation requires canaries, one that nobody began is missing too. Environment dev is for trying things out and
knows no such order.
"""

from seed_pipelines.control import datasets, mappings
from seed_pipelines.errors import CanaryMissing
from seed_pipelines.manifest.compare import refuse_regression
from seed_pipelines.manifest.model import Mode
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.plan import Plan
from seed_pipelines.settings import DEV
from seed_pipelines.sql import query


def assert_admitted(connection: Connection, plan: Plan) -> None:
    """Raises ManifestGoesBackwards, CanaryMissing or DatasetElsewhere."""
    metadata, mode = plan.manifest.metadata, plan.manifest.mode
    mappings.assert_same_place(
        connection, plan.mapping, environment=metadata.environment, tenant=metadata.tenant, mode=mode
    )
    dataset = datasets.published(connection, environment=metadata.environment, tenant=metadata.tenant, mode=mode)
    if dataset is not None:
        refuse_regression(dataset.manifest_version, dataset.reference_datetime, plan.manifest)
    if mode in (Mode.CARGA, Mode.DR) and metadata.environment != DEV:
        _assert_canary(connection, plan)


def _assert_canary(connection: Connection, plan: Plan) -> None:
    metadata = plan.manifest.metadata
    values = {
        "environment": metadata.environment,
        "tenant": metadata.tenant,
        "manifest_version": metadata.version,
    }
    with translated():
        row = connection.execute(query("canary_of"), values).fetchone()
    is_published = row["is_published"] if row else None
    if is_published is False or (is_published is None and plan.canary_required):
        raise CanaryMissing(
            metadata.environment, metadata.tenant, version=metadata.version, was_begun=is_published is not None
        )

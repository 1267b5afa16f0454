"""Build, seal, publish: a dataset is made out of every reader's sight and becomes visible in one transaction.

`attach` makes the sealed build tables the tenant's partitions. `insert` moves the rows into the tables as the loader,
under row-level security; with a mapping, into those of an application. Both give way to readers: they wait for locks
less than the server's deadlock timeout, and the caller tries again.
"""

from psycopg import sql

from seed_pipelines import catalog
from seed_pipelines.control import mappings
from seed_pipelines.control.lease import Lease, guard_publication
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.load.catalogue_checks import TARGET_SCHEMA
from seed_pipelines.load.copy import BUILD_SCHEMA
from seed_pipelines.load.mapped_publish import move_rows
from seed_pipelines.load.preflight import assert_still_safe
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import Connection, transaction, translated
from seed_pipelines.plan import Publisher
from seed_pipelines.sql import query

_LOCK_TIMEOUT_MS = 500


def open_build(connection: Connection, lease: Lease, entity: str) -> str:
    """The name of the entity's build table, made by whichever shard comes first."""
    values = {"seed_run_id": lease.holder, "fence": lease.fence, "entity": entity}
    with transaction(connection):
        row = connection.execute(query("build_open"), values).fetchone() or {}
    name: str = row["open_build"]
    return name


def seal(connection: Connection, lease: Lease, entity: str) -> bool:
    """Keys, uniques and row-level security on the build table; False while rows are missing."""
    values = {"seed_run_id": lease.holder, "fence": lease.fence, "entity": entity}
    with transaction(connection):
        connection.execute(query("long_statement"))
        connection.execute(query("seal_lock_timeout"))
        row = connection.execute(query("build_seal"), values).fetchone() or {}
    return bool(row["seal"])


def is_full(connection: Connection, lease: Lease, entity: str) -> bool:
    """Whether every planned row of the entity is in, so that there is something to seal."""
    with translated():
        row = connection.execute(query("build_is_full"), {"seed_run_id": lease.holder, "entity": entity}).fetchone()
    return bool(row and row["is_full"])


def seal_the_rest(connection: Connection, lease: Lease) -> None:
    """What a worker left unsealed that died, or that could not."""
    with translated():
        rows = connection.execute(query("builds_unsealed"), {"seed_run_id": lease.holder}).fetchall()
    for row in rows:
        seal(connection, lease, row["entity"])


def publish(
    connection: Connection,
    run: SeedRun,
    lease: Lease,
    *,
    dataset_hash: str,
    ttl_days: int,
    keys: FieldKeys | None = None,
) -> int:
    """Make the whole dataset visible, in one transaction; returns the dataset's generation. `keys` open the personal
    columns that a mapping asks to have open.

    Raises PublishRefused where rows that stay refer to rows that would go away, DatabaseUnavailable (try again) where
    a reader holds a lock for long, LeaseLost, SeedRunCancelled or WrongState where this seed run may not publish.
    """
    values = {
        "seed_run_id": lease.holder,
        "fence": lease.fence,
        "dataset_hash": dataset_hash,
        "ttl_days": ttl_days,
    }
    mapped = mappings.of_run(connection, run.id)
    if run.publisher == Publisher.ATTACH:
        with transaction(connection):
            guard_publication(connection, lease)
            connection.execute(query("vacuums_away"), values)
    with transaction(connection):
        guard_publication(connection, lease)
        assert_still_safe(connection, tuple(run.planned_rows), mapping=mapped.mapping if mapped else None)
        connection.execute(query("long_statement"))
        connection.execute(query("publish_lock_timeout"), {"milliseconds": _LOCK_TIMEOUT_MS})
        if run.publisher == Publisher.ATTACH:
            row = connection.execute(query("publish_attach"), values).fetchone() or {}
        else:
            if mapped is None:
                _insert_rows(connection, run)
            else:
                move_rows(connection, run, mapped, keys=keys)
            row = connection.execute(query("publish_inserted"), values).fetchone() or {}
    return int(next(iter(row.values())))


def _insert_rows(connection: Connection, run: SeedRun) -> None:
    """Swap the mode's rows for the build's, under row-level security, children out first and parents in first.

    Rows of entities that the manifest has no more go away with the others: their parents may not come back.
    """
    connection.execute(query("tenant_set"), {"tenant_id": str(run.tenant_id)})
    connection.execute(query("constraints_defer"))
    for entity in reversed(catalog.ENTITIES):
        connection.execute(_delete_statement(entity), {"first_id": run.first_id, "last_id": run.last_id})
    for entity in run.planned_rows:
        connection.execute(_insert_statement(entity, f"{entity}_{run.id.hex}"))


def _delete_statement(entity: str) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE id BETWEEN %(first_id)s AND %(last_id)s").format(
        sql.Identifier(TARGET_SCHEMA, entity)
    )


def _insert_statement(entity: str, build: str) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in catalog.ENTITIES[entity].stored_columns)
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        sql.Identifier(TARGET_SCHEMA, entity), columns, columns, sql.Identifier(BUILD_SCHEMA, build)
    )

"""Whole seed runs and parts of them, and what a database holds afterwards: for tests that break them."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from factories import make_plan
from psycopg import sql
from seeded import request_for

from seed_pipelines import catalog, flow
from seed_pipelines.control import checkpoints, lease, resume_tokens, runs
from seed_pipelines.generate.digest import dataset_hash, digest_of
from seed_pipelines.generate.rows import generate
from seed_pipelines.load import copy
from seed_pipelines.load import publish as publishing
from seed_pipelines.outside.postgres import transaction

# Long enough for a busy machine; a test that waits so long has failed.
PATIENCE_SECONDS = 30


# What a loan book cannot do without; the other entities would only take time.
LEFT_OUT = {
    **{"users": 0, "consultants": 0, "addresses": 0, "bank_accounts": 0, "categories": 0, "suppliers": 0},
    **{"credit_limits": 0, "contracts": 0, "financial_transactions": 0},
}


def lean_plan(**wishes):
    """A plan of four entities: enough for every way in which a seed run can break."""
    return make_plan(**(LEFT_OUT | wishes))


def with_manifest(plan, **changes):
    """The same plan under other limits; the manifest's hash stays, so the seed run is the same."""
    return replace(plan, manifest=plan.manifest.model_copy(update=changes))


def claimed(session, plan, *, key="first", **wishes):
    """A seed run that exists and holds nothing yet."""
    with transaction(session.connection):
        return runs.claim(session.connection, plan, request_for(session, key, **wishes))


def begun(session, plan, *, key="first", **wishes):
    """A seed run that holds its lease."""
    return flow.begin(session, plan, request_for(session, key, **wishes))


def load_all(session, plan, run, *, shards=None):
    """Every row of the shards in its build table, sealed where complete."""
    for shard in shards or plan.shard_keys:
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)


def run_all(session, plan, *, key="first"):
    """From the claim to the publication."""
    run = begun(session, plan, key=key)
    load_all(session, plan, run)
    return publish_all(session, plan, run)


def publish_all(session, plan, run):
    """Every shard closed; the publication of the last one."""
    published = [flow.publish(session, plan, run, shard=shard) for shard in plan.shard_keys]
    return published[-1]


def ready_to_publish(session, plan, *, key="first"):
    """A sealed seed run, its lease, and all its shards done."""
    run = begun(session, plan, key=key)
    load_all(session, plan, run)
    for shard in plan.shard_keys:
        attempt = runs.begin_shard(session.connection, run, shard, worker=session.worker)
        runs.finish_shard(session.connection, run, shard, attempt=attempt)
    return run, lease.ensure(session.connection, run, ttl_seconds=session.lease_seconds)


def publish_now(session, run, held):
    """The publication alone, of a seed run that is ready."""
    found = flow.hash_of(session.connection, run)
    return publishing.publish(session.connection, run, held, dataset_hash=found, ttl_days=1)


def held_shard(session, plan, run, *, shard="0000"):
    """The right to write one shard, as flow.load_entity takes it: lease and attempt."""
    attempt = runs.begin_shard(session.connection, run, shard, worker=session.worker)
    return lease.ensure(session.connection, run, ttl_seconds=session.lease_seconds), attempt


def first_batch(plan, *, entity="tenants", shard="0000"):
    return next(plan.batches(shard, entity))


def write_rows(session, plan, held, batch, *, attempt):
    """Rows and checkpoint of one batch, in the caller's transaction."""
    table = f"{batch.entity}_{held.holder.hex}"
    prepared = flow._prepared(session, plan, batch)
    copy.copy_rows(session.connection, table, prepared.rows)
    digest, run = prepared.digest.hex(), runs.find(session.connection, held.holder)
    token = resume_tokens.token_of(session.keys, run, held, batch, digest=digest)
    checkpoints.record(
        session.connection, held, batch, attempt=attempt, digest=digest, elapsed_ms=1, oracle_loans=0, token=token
    )


def all_batches(plan):
    return [batch for shard in plan.shard_keys for entity in plan.rows for batch in plan.batches(shard, entity)]


def cost_of(plan, batch):
    return plan.prices.batch_micro_brl(batch.entity, first_row=batch.first_row, rows=batch.rows)


class Worker(threading.Thread):
    """Something done in a thread of its own; `result` waits for it and raises what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work, self._answer, self._error = work, None, None
        self.start()

    def run(self) -> None:
        try:
            self._answer = self._work()
        except BaseException as error:
            self._error = error

    def result(self, timeout=PATIENCE_SECONDS):
        self.join(timeout)
        assert not self.is_alive(), "the other worker is still waiting"
        if self._error is not None:
            raise self._error
        return self._answer


def wait_until(condition: Callable[[], object], *, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def waits_for_a_lock(seeded, session) -> bool:
    return seeded.value(
        "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %(pid)s",
        pid=session.connection.info.backend_pid,
    )


def content(seeded, plan, *, schema="app") -> dict[str, tuple[int, int, int]]:
    """Rows, distinct ids and a checksum of each entity of the plan's dataset; encrypted columns are drawn anew by
    every run and stay out of it."""
    found = {}
    with seeded.superuser() as connection:
        for entity in plan.rows:
            row = connection.execute(
                sql.SQL(
                    "SELECT count(*) AS rows, count(DISTINCT id) AS ids, coalesce(sum(hashtextextended((to_jsonb(t)"
                    " - %(personal)s::text[])::text, 0)), 0)::text AS checksum FROM {} AS t"
                    " WHERE id BETWEEN %(first)s AND %(last)s"
                ).format(sql.Identifier(schema, entity)),
                {"personal": personal_columns(entity), "first": plan.first_id, "last": plan.first_id + 10**15 - 2},
            ).fetchone()
            found[entity] = tuple(row.values())
    return found


def look_at_everything(plan):
    """One statement over all tables: rows of each and one checksum."""
    parts = [
        sql.SQL(
            "(SELECT count(*) || ':' || coalesce(sum(hashtextextended((to_jsonb(t) - {}::text[])::text, 0)), 0)"
            " FROM {} AS t)"
        ).format(personal_columns(entity), sql.Identifier("app", entity))
        for entity in plan.rows
    ]
    return sql.SQL("SELECT concat_ws(' ', {}) AS everything").format(sql.SQL(", ").join(parts))


def expected_hash(plan) -> str:
    """The dataset hash of the plan, calculated without a database, a shard or a batch."""
    return dataset_hash(
        {
            entity: (rows, digest_of(generate(plan, entity, first_row=0, rows=rows), first_row=0))
            for entity, rows in plan.rows.items()
        }
    )


def personal_columns(entity: str) -> list[str]:
    return [column.name for column in catalog.ENTITIES[entity].columns if column.pii is not None]


def assert_exactly_the_plan(seeded, plan) -> None:
    """Every planned row is published once, and no other."""
    found = {entity: rows[:2] for entity, rows in content(seeded, plan).items()}
    planned = {entity: (rows, rows) for entity, rows in plan.rows.items()}
    assert found == planned, f"{found} is published and {planned} was planned"


def build_tables(seeded) -> int:
    return seeded.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'seed_build'")


def state_of(seeded, run) -> str:
    return seeded.value("SELECT state FROM seed_control.seed_run WHERE id = %(id)s", id=run.id)

"""The same rows whoever asks."""

import random

import pyarrow as pa
import pytest
from factories import make_plan

from seed_pipelines import catalog
from seed_pipelines.errors import RowsOutsidePlan
from seed_pipelines.generate.digest import ContentDigest, digest_of
from seed_pipelines.generate.rows import GENERATORS, arrow_schema, generate

ENTITIES = tuple(catalog.ENTITIES)
PLAN = make_plan(customers=150, mode="carga")
WHOLE = {entity: generate(PLAN, entity, first_row=0, rows=PLAN.rows[entity]) for entity in ENTITIES}


def test_every_entity_of_the_catalogue_has_a_generator():
    assert set(GENERATORS) == set(catalog.ENTITIES)


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_batch_has_the_columns_and_types_of_the_catalogue(entity):
    batch = WHOLE[entity]
    batch.validate(full=True)
    assert batch.schema == arrow_schema(entity)
    assert batch.schema.names == [column.name for column in catalog.ENTITIES[entity].columns]
    for column in catalog.ENTITIES[entity].columns:
        assert column.nullable or batch[column.name].null_count == 0


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("size", [1, 7, 64, 1_000])
def test_batches_of_any_size_put_together_are_the_whole(entity, size):
    planned = PLAN.rows[entity]
    firsts = range(0, planned, size) if size > 1 else random.Random(1).sample(range(planned), min(planned, 60))
    for first in firsts:
        rows = min(size, planned - first)
        assert generate(PLAN, entity, first_row=first, rows=rows) == WHOLE[entity].slice(first, rows)


@pytest.mark.parametrize("shards", [1, 3, 8])
@pytest.mark.parametrize("batch_rows", [50, 100_000])
def test_shards_and_batches_in_any_order_have_the_digest_of_the_whole(shards, batch_rows):
    plan = make_plan(customers=150, mode="carga", shards=shards, batch_rows=batch_rows)
    for entity in ENTITIES:
        batches = [batch for key in plan.shard_keys for batch in plan.batches(key, entity)]
        random.Random(2).shuffle(batches)
        total = ContentDigest.zero()
        for batch in batches:
            rows = generate(plan, entity, first_row=batch.first_row, rows=batch.rows)
            total = total.combine(digest_of(rows, first_row=batch.first_row))
        assert total == digest_of(WHOLE[entity], first_row=0)


@pytest.mark.parametrize("entity", ENTITIES)
def test_ids_carry_the_mode_and_count_up(entity):
    ids = WHOLE[entity]["id"].to_pylist()
    assert ids == list(range(PLAN.first_id, PLAN.first_id + PLAN.rows[entity]))
    assert WHOLE[entity]["tenant_id"].unique() == pa.array([PLAN.tenant_id], pa.binary())


@pytest.mark.parametrize(("first_row", "rows"), [(-1, 5), (0, 0), (149, 2), (150, 1)])
def test_rows_that_the_plan_does_not_have_are_refused(first_row, rows):
    with pytest.raises(RowsOutsidePlan, match="the plan has 150 "):
        generate(PLAN, "customers", first_row=first_row, rows=rows)

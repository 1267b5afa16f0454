"""What a manifest means in rows, shards and batches."""

import time

import pytest
from factories import make_manifest, make_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_pipelines import catalog
from seed_pipelines.errors import BudgetTooSmall, CapTooSmall, EntityWithoutParent, FanoutImpossible
from seed_pipelines.fanout import Counted, OneEach
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.plan import Overrides, Publisher, plan_of
from seed_pipelines.prices import PriceBook

PLAN = make_plan(customers=900, mode="carga")
CAPS = make_manifest(customers=900, mode="carga").volumetry


def test_every_entity_of_the_catalogue_is_planned_in_its_order():
    assert tuple(PLAN.rows) == tuple(catalog.ENTITIES)
    assert sorted(catalog.ENTITIES) == sorted(catalog.ENTITY_NAMES)


def test_the_largest_entities_come_as_soon_as_their_parents_are_there():
    order = tuple(catalog.ENTITIES)
    largest = sorted(order, key=lambda entity: PLAN.rows[entity])[-2:]
    needed = {"tenants", "consultants", "customers", "loans"}
    assert set(order[:6]) == {*largest, *needed}


@pytest.mark.parametrize("entity", catalog.ENTITIES)
def test_no_entity_has_more_rows_than_its_cap(entity):
    assert 1 <= PLAN.rows[entity] <= CAPS[entity].cap


def test_rows_follow_from_the_parent_as_the_catalogue_says():
    assert PLAN.rows["credit_limits"] == PLAN.rows["customers"]
    assert PLAN.rows["contracts"] == PLAN.rows["loans"]
    assert isinstance(PLAN.relations["contracts"], OneEach)
    assert isinstance(PLAN.relations["financial_transactions"], Counted)
    assert {name for name, entity in catalog.ENTITIES.items() if entity.scales_with} == set(PLAN.relations)


def test_every_counted_entity_has_a_counter():
    assert {name for name, entity in catalog.ENTITIES.items() if entity.is_counted} == set(COUNTERS)


@pytest.mark.parametrize(
    ("entity", "cap", "parent", "needed"), [("contracts", 119, "loans", 120), ("credit_limits", 59, "customers", 60)]
)
def test_a_cap_below_the_rows_that_follow_is_refused_and_the_needed_one_named(entity, cap, parent, needed):
    with pytest.raises(CapTooSmall, match=rf"the planned {parent} have {needed} of them.* allows {cap}\."):
        make_plan(customers=60, **{entity: cap})
    assert make_plan(customers=60, **{entity: needed}).rows[entity] == needed


def test_a_cap_below_the_counted_rows_is_refused_and_the_needed_one_is_enough():
    with pytest.raises(CapTooSmall) as refused:
        make_plan(customers=60, financial_transactions=10)
    needed = refused.value.rows
    assert make_plan(customers=60, financial_transactions=needed).rows["financial_transactions"] == needed


def test_too_few_rows_for_all_parents_are_refused():
    with pytest.raises(
        FanoutImpossible, match=r"spread 59 addresses over 60 customers.* Plan between 60 and 180 addresses"
    ):
        make_plan(customers=60, addresses=59)


def test_an_entity_is_planned_only_with_what_its_rows_refer_to():
    whole = make_manifest(customers=60)
    partial = whole.model_copy(
        update={"volumetry": {name: volume for name, volume in whole.volumetry.items() if name != "installments"}}
    )
    with pytest.raises(EntityWithoutParent, match=r"Add volumetry\.installments"):
        plan_of(partial, counters=COUNTERS)


def test_entities_that_follow_others_may_be_left_out():
    plan = make_plan(customers=60, contracts=0, financial_transactions=0, credit_limits=0, consultants=0)
    assert not {"contracts", "financial_transactions", "credit_limits", "consultants"} & set(plan.rows)


def test_half_of_a_canary_has_its_own_exact_children():
    plan = make_plan(customers=401, mode="canary")
    assert plan.rows["customers"] == 200
    assert plan.rows["contracts"] == plan.rows["loans"] == 401
    counts = plan.relations["financial_transactions"].counts_of(0, plan.rows["loans"])
    assert counts.sum() == plan.rows["financial_transactions"]


@settings(max_examples=25, deadline=None)
@given(
    customers=st.integers(1, 300),
    loans=st.integers(1, 600),
    installments=st.integers(1, 20),
    shards=st.integers(1, 9),
    batch_rows=st.integers(1, 500),
)
def test_shards_and_batches_are_all_rows_once_and_in_order(customers, loans, installments, shards, batch_rows):
    loans = min(loans, 60 * customers)
    plan = make_plan(
        customers=customers, loans=loans, installments=installments * loans, shards=shards, batch_rows=batch_rows
    )
    for entity, rows in plan.rows.items():
        batches = [batch for key in plan.shard_keys for batch in plan.batches(key, entity)]
        ends = [batch.first_row + batch.rows for batch in batches]
        assert [batch.first_row for batch in batches] == [0, *ends[:-1]]
        assert ends[-1] == rows
        assert all(1 <= batch.rows <= batch_rows for batch in batches)


@pytest.mark.parametrize("shards", [2, 7])
def test_a_shard_holds_its_customers_and_all_that_scales_with_them(shards):
    plan = make_plan(customers=150, mode="carga", shards=shards)
    for entity, relation in plan.relations.items():
        parent = catalog.ENTITIES[entity].scales_with
        for shard in plan.shards:
            children, parents = shard.ranges[entity], shard.ranges[parent]
            assert relation.counts_of(parents.first, parents.rows).sum() == children.rows if parents.rows else True
            assert relation.first_child(parents.first) == children.first


def test_only_the_first_shard_makes_what_belongs_to_the_whole_tenant():
    for shard in PLAN.shards[1:]:
        whole = [name for name, entity in catalog.ENTITIES.items() if not entity.scales_with and not entity.cuts_shards]
        assert all(shard.ranges[name].rows == 0 for name in whole)


def test_overrides_change_how_rows_are_written_and_not_which():
    other = make_plan(customers=900, mode="carga", shards=3, batch_rows=77, publisher=Publisher.ATTACH)
    assert (other.rows, other.relations, other.state_rows) == (PLAN.rows, PLAN.relations, PLAN.state_rows)
    assert other.publisher is Publisher.ATTACH
    assert len(other.shards) == 3


def test_a_plan_above_the_budget_is_refused():
    with pytest.raises(BudgetTooSmall):
        plan_of(
            make_manifest(customers=60),
            counters=COUNTERS,
            overrides=Overrides(shards=1),
            prices=PriceBook(million_rows_micro_brl=10**13),
        )


def test_counting_the_transactions_of_many_loans_takes_less_than_the_second_that_a_plan_may_take():
    started = time.process_time()
    plan = make_plan(customers=100_000, mode="carga", salt_version="counted-anew")
    assert plan.rows["loans"] == 200_000
    assert time.process_time() - started < 1

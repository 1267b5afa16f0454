"""Fan-outs: exact totals, bounds, and any range on its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.errors import FanoutImpossible
from seed_pipelines.fanout import COUNTED_BLOCK, Counted, Fanout, OneEach

DECKS = [(1,), (0, 1), (1, 1, 2), (0,) * 20 + (1,) * 30 + (2,) * 22 + (3,) * 14 + (4,) * 8 + (6,) * 4 + (9,) * 2]

NAMES = {"entity": "loans", "parent": "customers"}


@st.composite
def fanouts(draw):
    parents = draw(st.integers(1, 400))
    least = draw(st.integers(0, 2))
    most = draw(st.integers(least + 1, 12))
    return Fanout(
        **NAMES,
        parents=parents,
        children=draw(st.integers(max(1, least * parents), most * parents)),
        deck=draw(st.sampled_from(DECKS)),
        least=least,
        most=most,
        key=draw(st.integers(0, 2**63 - 1)),
    )


@st.composite
def counted(draw):
    counts = np.array(draw(st.lists(st.integers(0, 5), min_size=1, max_size=60)), dtype=np.int64)
    counts[-1] += 1
    # More than a block, so that ranges begin and end inside one, at its edges, and in empty ones.
    counts = np.tile(counts, draw(st.sampled_from([1, COUNTED_BLOCK // len(counts) + 1])))
    return Counted.of(len(counts), count=lambda first, parents: counts[first : first + parents])


RELATIONS = st.one_of(fanouts(), counted(), st.integers(1, 300).map(lambda parents: OneEach(parents=parents)))


def _range(data, size):
    first = data.draw(st.integers(0, size - 1))
    return first, data.draw(st.integers(1, size - first))


@given(RELATIONS)
def test_the_counts_add_up_to_exactly_the_children(relation):
    counts = relation.counts_of(0, relation.parents)
    assert counts.shape == (relation.parents,)
    assert counts.sum() == relation.children == relation.first_child(relation.parents)


@given(fanouts())
def test_every_parent_has_as_many_children_as_the_bounds_allow(fanout):
    counts = fanout.counts_of(0, fanout.parents)
    assert counts.min() >= fanout.least
    assert counts.max() <= fanout.most


@given(RELATIONS, st.data())
def test_any_range_of_parents_has_the_counts_of_the_whole(relation, data):
    first, parents = _range(data, relation.parents)
    whole = relation.counts_of(0, relation.parents)
    np.testing.assert_array_equal(relation.counts_of(first, parents), whole[first : first + parents])
    assert relation.first_child(first) == whole[:first].sum()


@given(RELATIONS, st.data())
def test_any_range_of_children_has_the_parents_of_the_whole(relation, data):
    first, children = _range(data, relation.children)
    counts = relation.counts_of(0, relation.parents)
    parents = np.repeat(np.arange(relation.parents), counts)
    found, ordinals = relation.parents_of(first, children)
    np.testing.assert_array_equal(found, parents[first : first + children])
    starts = np.cumsum(counts) - counts
    np.testing.assert_array_equal(ordinals, np.arange(first, first + children) - starts[found])


def test_a_key_decides_where_the_cards_lie_and_nothing_else():
    one, other = (
        Fanout(**NAMES, parents=500, children=900, deck=DECKS[-1], least=0, most=60, key=key).counts_of(0, 500)
        for key in (1, 2)
    )
    assert one.tolist() != other.tolist()
    assert one.sum() == other.sum() == 900


@pytest.mark.parametrize("children", [9, 51])
def test_more_or_fewer_children_than_the_bounds_allow_are_refused(children):
    with pytest.raises(
        FanoutImpossible, match=r"cannot spread \d+ loans over 10 customers.* Plan between 10 and 50 loans"
    ):
        Fanout(**NAMES, parents=10, children=children, deck=(1, 2), least=1, most=5, key=0)

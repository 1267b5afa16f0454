"""The tree of categories."""

import pytest
from factories import make_plan

from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary

LINES = len(vocabulary().categories)


def _categories(categories):
    plan = make_plan(categories=categories)
    return generate(plan, "categories", first_row=0, rows=categories).to_pylist()


@pytest.mark.parametrize("count", [1, 2, 12, LINES - 1, LINES, LINES + 1, 5 * LINES + 7])
def test_every_parent_is_an_earlier_row_of_the_same_kind(count):
    seen = {}
    for category in _categories(count):
        if category["parent_id"] is not None:
            parent = seen[category["parent_id"]]
            assert parent["kind"] == category["kind"]
            assert category["code"].startswith(f"{parent['code']}.")
        seen[category["id"]] = category
    assert len(seen) == count


def test_codes_are_unique_however_many_units_there_are():
    codes = [category["code"] for category in _categories(5 * LINES + 7)]
    assert len(set(codes)) == len(codes)
    assert codes[0] == "1"
    assert codes[LINES] == "2-1"


def test_a_whole_tree_has_expenses_and_revenue_three_levels_deep():
    categories = _categories(LINES)
    assert {category["kind"] for category in categories} == {"expense", "revenue"}
    assert {category["code"].count(".") for category in categories} == {0, 1, 2}
    assert sum(category["parent_id"] is None for category in categories) == 2


def test_more_rows_change_no_row_before_them():
    assert _categories(3 * LINES)[:LINES] == _categories(LINES)

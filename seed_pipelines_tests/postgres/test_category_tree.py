"""A tree in one table: rows that refer to rows of their own are published, replaced and kept whole."""

import psycopg
import pytest
from factories import make_plan
from test_seed_run import run_all

PUBLISHERS = {"A": "attach", "I": "insert"}
WHOLE_BRANCHES = """
    SELECT count(*) FROM app.categories AS c
    JOIN app.categories AS p ON p.tenant_id = c.tenant_id AND p.id = c.parent_id
"""


@pytest.mark.parametrize("published_by", ["AA", "II", "AI", "IA"])
def test_a_tree_replaces_another_whichever_way_it_is_published(seeded, open_session, published_by):
    for number, letter in enumerate(published_by):
        plan = make_plan(categories=70 + number, publisher=PUBLISHERS[letter], version=f"1.0.{number}")
        run_all(open_session(), plan, key=f"run {number}")
        assert seeded.value("SELECT count(*) FROM app.categories") == 70 + number
        assert seeded.value(WHOLE_BRANCHES) == seeded.value("SELECT count(parent_id) FROM app.categories") > 60


@pytest.mark.parametrize("publisher", ["attach", "insert"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE app.categories SET parent_id = 7 WHERE parent_id IS NOT NULL",
        "DELETE FROM app.categories WHERE parent_id IS NULL",
    ],
    ids=["no such parent", "a parent goes away"],
)
def test_the_database_keeps_every_branch_on_its_tree(seeded, open_session, publisher, statement):
    run_all(open_session(), make_plan(publisher=publisher))
    with seeded.superuser() as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(statement)


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_customers_without_consultants_are_published_unserved(seeded, open_session, publisher):
    run_all(open_session(), make_plan(consultants=0, publisher=publisher))
    assert seeded.value("SELECT count(*) FROM app.customers WHERE consultant_id IS NULL") == 60

"""All thirteen entities in a real database, by both publishers: what the rows say of one another, asked in SQL."""

from importlib import resources

import pytest
from factories import make_plan
from seed_runs import lean_plan
from seeded import request_for

from seed_pipelines import catalog, flow
from seed_pipelines.control.runs import RunState

AGREEMENTS = {
    "every paid installment has its transaction to the cent, with what was charged for being late": """
        SELECT count(*) FROM app.installments AS i
        LEFT JOIN app.financial_transactions AS t ON (t.tenant_id, t.installment_id) = (i.tenant_id, i.id)
        WHERE (i.status = 'paid') <> (t.id IS NOT NULL) OR t.loan_id <> i.loan_id
            OR t.amount_cents <> i.payment_cents + i.late_charges_cents OR t.occurred_on <> i.paid_on
    """,
    "late payments cost the fine and the interest of their contract": """
        SELECT count(*) FROM app.installments AS i
        JOIN app.contracts AS c ON (c.tenant_id, c.loan_id) = (i.tenant_id, i.loan_id)
        WHERE i.late_charges_cents <> 0 AND NOT coalesce(i.paid_on > i.due_on, false)
            OR i.paid_on > i.due_on AND abs(i.late_charges_cents - i.payment_cents * (
                c.late_fee_bp + c.late_interest_monthly_bp * (i.paid_on - i.due_on) / 30.0) / 10000) > 1
    """,
    "every cancelled loan came back within seven days, and no other did": """
        SELECT count(*) FROM app.loans AS l
        LEFT JOIN app.financial_transactions AS t
            ON (t.tenant_id, t.loan_id) = (l.tenant_id, l.id) AND t.kind = 'refund'
        WHERE (l.status = 'cancelled') <> (t.id IS NOT NULL) OR t.amount_cents <> l.net_amount_cents
            OR t.occurred_on - l.released_on NOT BETWEEN 1 AND 7
    """,
    "every loan was released once": """
        SELECT count(*) FROM app.loans AS l
        LEFT JOIN app.financial_transactions AS t
            ON (t.tenant_id, t.loan_id) = (l.tenant_id, l.id) AND t.kind = 'disbursement'
        WHERE t.amount_cents IS DISTINCT FROM l.net_amount_cents
    """,
    "every contract is its loan's": """
        SELECT count(*) FROM app.loans AS l
        LEFT JOIN app.contracts AS c ON (c.tenant_id, c.loan_id) = (l.tenant_id, l.id)
        WHERE (c.iof_cents, c.cet_annual_bp, c.status) IS DISTINCT FROM (l.iof_cents, l.cet_annual_bp, l.status)
    """,
    "limits cover what is owed": "SELECT count(*) FROM app.credit_limits WHERE used_cents > limit_cents",
    "addresses are in the customer's city": """
        SELECT count(*) FROM app.addresses AS a
        JOIN app.customers AS c ON (c.tenant_id, c.id) = (a.tenant_id, a.customer_id)
        WHERE (a.city, a.uf) <> (c.city, c.uf)
    """,
    "a key has a type": "SELECT count(*) FROM app.bank_accounts WHERE (pix_key IS NULL) <> (pix_key_type IS NULL)",
}


def _publish(session, plan):
    run = flow.begin(session, plan, request_for(session))
    published = None
    for shard in plan.shard_keys:
        for entity in plan.rows:
            flow.load_entity(session, plan, run, shard=shard, entity=entity)
        published = flow.publish(session, plan, run, shard=shard)
    return published


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_every_entity_is_published_and_its_rows_agree_with_one_another(seeded, open_session, publisher):
    plan = make_plan(customers=200, mode="carga", shards=3, publisher=publisher)
    assert tuple(plan.rows) == tuple(catalog.ENTITIES)
    assert _publish(open_session(), plan).run.state is RunState.PUBLISHED
    counts = {entity: seeded.value(f"SELECT count(*) FROM app.{entity}") for entity in plan.rows}
    assert counts == dict(plan.rows)
    assert {name: seeded.value(statement) for name, statement in AGREEMENTS.items()} == dict.fromkeys(AGREEMENTS, 0)


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_build_that_was_open_while_its_table_got_a_column_is_published(seeded, open_session, publisher):
    session, plan = open_session(), lean_plan(customers=20, publisher=publisher)
    run = flow.begin(session, plan, request_for(session))
    (shard,) = plan.shard_keys
    for entity in plan.rows:
        flow.load_entity(session, plan, run, shard=shard, entity=entity)
    with seeded.superuser() as connection:
        for entity, column in (("installments", "late_charges_cents"), ("loans", "iof_mode")):
            build = connection.execute(
                "SELECT format('seed_build.%%I', table_name) AS place FROM seed_control.build_table WHERE entity = %s",
                [entity],
            ).fetchone()["place"]
            for place in (f"app.{entity}", build):
                connection.execute(f"ALTER TABLE {place} DROP COLUMN {column}")
        for name in ("0063_late_charges.sql", "0064_iof_mode.sql"):
            connection.execute((resources.files("seed_pipelines.sql.migrations") / name).read_text())
    assert flow.publish(session, plan, run, shard=shard).run.state is RunState.PUBLISHED
    assert seeded.value("SELECT count(*) FROM app.loans WHERE iof_mode = 'withheld'") == plan.rows["loans"]
    assert seeded.value("SELECT sum(late_charges_cents)::bigint FROM app.installments") == 0


def test_columns_of_the_catalogue_are_the_columns_of_the_tables_in_their_order(seeded):
    for entity in catalog.ENTITIES.values():
        with seeded.superuser() as connection:
            found = connection.execute(
                "SELECT column_name, data_type, is_nullable = 'YES' AS nullable FROM information_schema.columns "
                "WHERE table_schema = 'app' AND table_name = %s ORDER BY ordinal_position",
                [entity.name],
            ).fetchall()
        expected = [(column.name, column.type.value, column.nullable) for column in entity.stored_columns]
        assert [tuple(row.values()) for row in found] == expected

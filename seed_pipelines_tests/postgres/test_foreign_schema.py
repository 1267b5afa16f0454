"""Seed runs into an application's own tables: what they hold afterwards, and what becomes of what was there before."""

from dataclasses import replace

import pytest
from seed_runs import begun, build_tables, claimed, load_all, publish_all, state_of
from seeded import request_for
from shop import TABLES, Shop, make_shop, run_in_shop, shop_mapping, shop_plan

from seed_pipelines import flow
from seed_pipelines.control import mappings, purge, runs
from seed_pipelines.control.admission import assert_admitted
from seed_pipelines.control.purge import DatasetName
from seed_pipelines.errors import (
    DatabaseNotSafe,
    DatabaseSaysNo,
    DatasetElsewhere,
    DatasetNotFound,
    MappingChanged,
    PublishRefused,
    PurgeRefused,
    SequenceBehind,
    ValuesNotMapped,
)
from seed_pipelines.load import mapped_publish
from seed_pipelines.load.isolation import isolation_of
from seed_pipelines.outside.postgres import transaction

BASELINE = DatasetName(environment="dev", tenant="acme", mode="baseline")
A_LOAN = (
    "INSERT INTO shop.loan (organization_id, customer_id, status, amount, origin) "
    "VALUES (1, %(customer)s, 'OPEN', 1, 'web') RETURNING id"
)
A_NOTE = "INSERT INTO shop.note (organization_id, loan_id, text) VALUES (1, %(loan)s, 'call back') RETURNING id"


@pytest.fixture
def shop(seeded):
    make_shop(seeded)
    return Shop(seeded)


def test_a_run_fills_every_table_and_touches_no_row_of_the_application(seeded, shop, open_session):
    before, plan = shop.content(), shop_plan()
    session = open_session()
    published = run_in_shop(session, plan)
    for entity, rows in shop.content().items():
        assert len(rows) == len(before[entity]) + plan.rows[entity], entity
        assert [row for row in rows if row in before[entity]] == before[entity], entity
        assert len(shop.ours(entity)) == plan.rows[entity], entity
    assert isolation_of(session.connection, published.run).holds
    assert (published.generation, build_tables(seeded)) == (1, 0)
    assert seeded.value("SELECT count(*) FROM app.customers") == 0
    assert_personal_columns_are_open_where_asked(shop)
    assert seeded.value("SELECT bool_and(search_name = upper(full_name)) FROM shop.customer")
    assert_values_are_those_of_the_plan(shop)
    assert_references_lead_to_the_same_rows(shop)
    assert_the_application_goes_on(shop)


def assert_personal_columns_are_open_where_asked(shop):
    users, customers = shop.ours("users"), shop.ours("customers")
    assert all("@" in user["email"] and user["username"] == user["email"] for user in users)
    assert {user["password"] for user in users} == {"!"}
    assert all(customer["document"].isalnum() and len(customer["document"]) in (11, 14) for customer in customers)
    # An OpenPGP message: nobody opens it without the tenant's key.
    assert all(bytes(customer["email_message"])[0] & 0x80 for customer in customers)


def assert_values_are_those_of_the_plan(shop):
    for customer in shop.ours("customers"):
        assert set(customer["place"]) == {"city", "state"}
        assert customer["monthly_income"] == round(customer["monthly_income"], 2) > 0
        assert customer["is_company"] is (len(customer["document"]) == 14)
        # Mapped, and left to its default.
        assert customer["created_at"] < customer["updated_at"]
    assert {loan["status"] for loan in shop.ours("loans")} == {"OPEN", "DONE"}
    assert {row["order"] for row in shop.ours("categories")} == {1}


def assert_references_lead_to_the_same_rows(shop):
    customers = {row["id"]: row for row in shop.ours("customers")}
    accounts = {row["id"]: row for row in shop.ours("bank_accounts")}
    assert {loan["customer_id"] for loan in shop.ours("loans")} <= set(customers)
    assert {account["customer_id"] for account in accounts.values()} == set(customers)
    first = {}
    for account in accounts.values():
        first.setdefault(account["customer_id"], account["id"])
    assert {row["id"]: row["main_account_id"] for row in customers.values()} == first
    categories = {row["id"] for row in shop.ours("categories")}
    parents = {row["parent_id"] for row in shop.ours("categories")} - {None}
    assert parents
    assert parents <= categories


def assert_the_application_goes_on(shop):
    """Its next keys are free, though it had brought keys along before its sequences."""
    customer = shop.ours("customers")[0]["id"]
    taken = {row["id"] for row in shop.rows("loans", organization=None)}
    assert shop.does(A_LOAN, customer=customer)["id"] not in taken


def test_the_same_manifest_again_is_the_same_rows_with_the_same_keys(seeded, shop, open_session):
    session, plan = open_session(), shop_plan()
    first = run_in_shop(session, plan)
    before = shop.content()
    joined = flow.begin(session, plan, request_for(session, "first"))
    assert (joined.id, joined.state) == (first.run.id, "published")
    again = run_in_shop(session, plan, key="again")
    assert (again.dataset_hash, again.generation) == (first.dataset_hash, 2)
    assert shop.content() == before
    assert seeded.value("SELECT count(DISTINCT seed_run_id) FROM seed_control.mapped_row") == 1


def test_a_new_version_replaces_the_rows_and_those_that_stay_keep_their_keys(shop, open_session):
    run_in_shop(open_session(), shop_plan(customers=12))
    old = {entity: {row["row_id"]: row["id"] for row in shop.ours(entity)} for entity in TABLES}
    application = len(shop.rows("customers", organization=None)) - 12
    plan = shop_plan(customers=9, version="1.1.0")
    run_in_shop(open_session(), plan, key="second")
    for entity in TABLES:
        new = {row["row_id"]: row["id"] for row in shop.ours(entity)}
        assert len(new) == plan.rows[entity]
        assert all(new[row] == key for row, key in old[entity].items() if row in new), entity
    assert len(shop.rows("customers", organization=None)) == application + 9


def test_modes_and_tenants_share_the_tables(shop, open_session):
    counts = []
    for tenant, mode in (("acme", "baseline"), ("acme", "carga"), ("globex", "baseline")):
        run_in_shop(open_session(tenant=tenant), shop_plan(tenant=tenant, mode=mode, customers=4), key=mode)
        counts.append(len(shop.rows("customers", organization=None)))
    assert [counts[1] - counts[0], counts[2] - counts[1]] == [4, 4]
    purge.purge(open_session().connection, BASELINE, reason="asked")
    assert len(shop.rows("customers", organization=None)) == counts[-1] - 4
    assert len(shop.ours("customers")) == 8


def test_a_reference_that_may_wait_survives_where_its_row_comes_back_and_forbids_it_otherwise(shop, open_session):
    run_in_shop(open_session(), shop_plan())
    kept, last = shop.ours("customers")[0]["id"], shop.ours("customers")[-1]["id"]
    mine = shop.does(A_LOAN, customer=kept)["id"]
    run_in_shop(open_session(), shop_plan(customers=9, version="1.1.0"), key="second")
    assert shop.does("SELECT customer_id FROM shop.loan WHERE id = %(id)s", id=mine) == {"customer_id": kept}
    other = shop.does(A_LOAN, customer=shop.ours("customers")[-1]["id"])["id"]
    assert last not in {row["id"] for row in shop.rows("customers")}
    before = shop.content()
    session, plan = open_session(), shop_plan(customers=6, version="1.2.0")
    run = begun(session, plan, key="third")
    load_all(session, plan, run)
    with pytest.raises(PublishRefused, match=rf"shop\.loan to customers: ids {other}\b"):
        publish_all(session, plan, run)
    assert shop.content() == before
    shop.does("DELETE FROM shop.loan WHERE id = %(id)s", id=other)
    assert publish_all(session, plan, run).generation == 3


def test_a_cascade_takes_no_row_of_the_application_along(shop, open_session):
    session = open_session()
    run_in_shop(session, shop_plan())
    note = shop.does(A_NOTE, loan=shop.ours("loans")[0]["id"])["id"]
    before = shop.content()
    listed = rf"shop\.note to loans: ids {note}\b"
    with pytest.raises(PublishRefused, match=listed):
        run_in_shop(session, shop_plan(), key="again")
    assert [str(one) for one in purge.preview(session.connection, BASELINE).references] == [
        f"shop.note to loans: ids {note}"
    ]
    flow.cancel(session.connection, runs.recent(session.connection)[0]["id"])
    with pytest.raises(PurgeRefused, match=listed):
        purge.purge(session.connection, BASELINE, reason="asked")
    assert shop.content() == before
    assert shop.does("SELECT count(*) AS notes FROM shop.note") == {"notes": 1}


def test_a_purge_takes_exactly_our_rows(seeded, shop, open_session):
    before, session, plan = shop.content(), open_session(), shop_plan()
    run_in_shop(session, plan)
    stored = {entity: plan.rows[entity] for entity in TABLES}
    preview = purge.preview(session.connection, BASELINE)
    assert (dict(preview.rows), preview.references) == (stored, ())
    with pytest.raises(DatasetNotFound):
        purge.purge(session.connection, BASELINE, reason="expired")
    assert len(shop.ours("customers")) == 12
    with pytest.raises(DatabaseSaysNo, match="still in the tables"), transaction(session.connection):
        session.connection.execute("SELECT seed_control.purge('dev', 'acme', 'baseline', 'asked')")
    assert purge.purge(session.connection, BASELINE, reason="asked") == stored
    assert shop.content() == before
    assert seeded.value("SELECT count(*) FROM seed_control.mapped_row") == 0
    assert seeded.value("SELECT rows FROM seed_control.purge_log") == stored


def test_a_dataset_stays_where_it_is(shop, open_session):
    plan, session = shop_plan(), open_session()
    run_in_shop(session, plan)
    with pytest.raises(DatasetElsewhere, match="an application's schema"):
        assert_admitted(session.connection, replace(plan, mapping=None))
    with pytest.raises(DatabaseNotSafe, match="other-relations"):
        begun(open_session(), replace(plan, mapping=None), key="second")


def test_a_value_without_a_place_is_said_and_a_newer_mapping_goes_on_from_there(seeded, shop, open_session):
    session, before = open_session(), shop.content()
    gap = shop_mapping(("settled: DONE, ", ""))
    plan = shop_plan(mapping=gap)
    run = begun(session, plan)
    load_all(session, plan, run)
    with pytest.raises(ValuesNotMapped, match=r"loans\.status: its table of values lacks settled\b"):
        publish_all(session, plan, run)
    assert shop.content() == before
    with pytest.raises(MappingChanged, match=r"begun with mapping 1\.0\.0 \(\w+\) and this is mapping 1\.0\.0"):
        begun(session, shop_plan())
    with pytest.raises(MappingChanged, match="and this is no mapping"):
        mappings.bind(session.connection, run, None)
    newer = shop_plan(mapping=shop_mapping(('version: "1.0.0"\nschema: shop', 'version: "1.0.1"\nschema: shop')))
    run = begun(session, newer)
    written = seeded.value("SELECT count(*) FROM seed_control.checkpoint")
    load_all(session, newer, run)
    assert publish_all(session, newer, run).generation == 1
    assert seeded.value("SELECT count(*) FROM seed_control.checkpoint") == written
    bound = mappings.of_run(session.connection, run.id)
    assert bound.mapping == newer.mapping
    flag = f"1.0.1 {newer.mapping.mapping_hash}"
    assert runs.find(session.connection, run.id).flags["mapping"] == flag


def test_a_run_that_has_built_something_without_a_mapping_gets_none(shop, open_session):
    session, plan = open_session(), shop_plan()
    run = claimed(session, plan)
    shop.breaks(f"INSERT INTO seed_control.build_table (seed_run_id, entity, table_name) VALUES ('{run.id}', 'x', 'x')")
    with pytest.raises(MappingChanged, match="begun with no mapping"):
        mappings.bind(session.connection, run, plan.mapping)


def test_a_sequence_too_far_behind_is_refused_and_nothing_stays(shop, open_session, monkeypatch):
    before = shop.content()
    monkeypatch.setattr(mapped_publish, "_DRAWS", 1)
    with pytest.raises(SequenceBehind, match=r"shop\.customer: after 2 draws shop\.customer_id_seq"):
        run_in_shop(open_session(), shop_plan(customers=4))
    assert shop.content() == before
    assert shop.ours("customers") == []


def test_a_tenant_that_the_application_does_not_have_is_refused_by_its_constraint(seeded, shop, open_session):
    session, plan = open_session(), shop_plan(mapping=shop_mapping(('dev/acme: "1"', 'dev/acme: "9"')))
    run = begun(session, plan)
    load_all(session, plan, run)
    with pytest.raises(PublishRefused, match="organization_id_fkey of"):
        publish_all(session, plan, run)
    assert state_of(seeded, run) == "running"
    assert shop.ours("customers") == []


def test_the_ledger_shows_a_tenant_its_own_rows_only(seeded, shop, open_session):
    run_in_shop(open_session(), shop_plan())
    with seeded.connection() as loader, loader.transaction(force_rollback=True):
        assert loader.execute("SELECT count(*) AS rows FROM seed_control.mapped_row").fetchone() == {"rows": 0}
        loader.execute("SELECT set_config('app.tenant_id', gen_random_uuid()::text, true)")
        assert loader.execute("DELETE FROM seed_control.mapped_row").rowcount == 0

"""What a publication carries over: rows of other modes, and rows that the application made."""

import psycopg
import pytest
from seed_runs import (
    assert_exactly_the_plan,
    build_tables,
    content,
    lean_plan,
    publish_now,
    ready_to_publish,
    run_all,
    state_of,
)

from seed_pipelines.control import roles
from seed_pipelines.errors import DatabaseRefused, PublishRefused

WAYS = [["attach", "attach"], ["insert", "insert"], ["insert", "attach", "insert", "attach"]]

COPY_OF = """
    INSERT INTO app.{entity}
    SELECT (jsonb_populate_record(t, %(changes)s::jsonb)).* FROM app.{entity} AS t WHERE id = %(like)s
"""


class Application:
    """The platform's own service, as the tenant: it makes rows of its own after the pattern of others."""

    def __init__(self, seeded, tenant_id):
        self._seeded, self._tenant_id = seeded, str(tenant_id)

    def make(self, entity, *, like, **changes):
        for column in ("document_number_digest", "email_digest"):
            if entity == "customers":
                changes[column] = f"\\x{changes['id']:064x}"
        with self._connection() as connection:
            connection.execute(
                COPY_OF.format(entity=entity), {"changes": psycopg.types.json.Jsonb(changes), "like": like}
            )

    def ids(self, entity):
        with self._connection() as connection:
            rows = connection.execute(f"SELECT id FROM app.{entity} WHERE id < 1000000 ORDER BY id").fetchall()
        return [row["id"] for row in rows]

    def _connection(self):
        return _AsTenant(self._seeded, self._tenant_id)


class _AsTenant:
    def __init__(self, seeded, tenant_id):
        self._scope, self._tenant_id = seeded.connection(roles.APPLICATION), tenant_id

    def __enter__(self):
        connection = self._scope.__enter__()
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", [self._tenant_id])
        return connection

    def __exit__(self, *reason):
        return self._scope.__exit__(*reason)


@pytest.fixture
def application(seeded, open_session):
    """One published dataset of twelve customers, and the service that works on it."""

    def begin(publisher):
        plan = lean_plan(customers=12, publisher=publisher)
        published = run_all(open_session(), plan, key="begin")
        return plan, Application(seeded, published.run.tenant_id)

    return begin


def versions(publishers, customers=(12, 9)):
    """Manifest versions of the dataset, with other row counts each."""
    return [
        lean_plan(customers=customers[turn % len(customers)], version=f"1.{turn + 1}.0", publisher=publisher)
        for turn, publisher in enumerate(publishers)
    ]


@pytest.mark.parametrize("ways", WAYS, ids="-".join)
def test_rows_of_another_mode_survive(seeded, open_session, ways):
    session = open_session()
    carga = lean_plan(customers=8, mode="carga", publisher=ways[-1])
    run_all(session, carga, key="carga")
    before = content(seeded, carga)
    for plan in versions(ways):
        run_all(session, plan, key=plan.manifest.metadata.version)
        assert_exactly_the_plan(seeded, plan)
        assert content(seeded, carga) == before
    assert build_tables(seeded) == 0


@pytest.mark.parametrize("ways", WAYS, ids="-".join)
def test_rows_that_the_application_made_survive(seeded, open_session, application, ways):
    first, service = application(ways[0])
    service.make("customers", like=first.first_id, id=7)
    service.make("loans", like=first.first_id, id=8, customer_id=7)
    for plan in versions(ways):
        run_all(open_session(), plan, key=plan.manifest.metadata.version)
        assert_exactly_the_plan(seeded, plan)
        assert (service.ids("customers"), service.ids("loans")) == ([7], [8])


@pytest.mark.parametrize("ways", WAYS, ids="-".join)
def test_an_application_row_survives_if_the_row_that_it_refers_to_comes_back(open_session, application, ways):
    first, service = application(ways[0])
    service.make("loans", like=first.first_id, id=8, customer_id=first.first_id + 3)
    for plan in versions(ways):
        run_all(open_session(), plan, key=plan.manifest.metadata.version)
        assert service.ids("loans") == [8]


@pytest.mark.parametrize("publisher", ["attach", "insert"])
@pytest.mark.parametrize("before", ["attach", "insert"])
def test_a_row_that_the_application_refers_to_is_not_taken_away(seeded, open_session, application, before, publisher):
    first, service = application(before)
    for number in (8, 9):
        service.make("loans", like=first.first_id, id=number, customer_id=first.first_id + 11)
    old = content(seeded, first)
    session = open_session()
    new = lean_plan(customers=9, version="1.1.0", publisher=publisher)
    run, held = ready_to_publish(session, new, key="second")
    with pytest.raises(PublishRefused) as refused:
        publish_now(session, run, held)
    assert "ids: 8, 9" in str(refused.value)
    assert "rows of loans refer to rows of customers" in str(refused.value)
    assert content(seeded, first) == old
    assert service.ids("loans") == [8, 9]
    assert state_of(seeded, run) == "running"
    with seeded.superuser() as connection:
        connection.execute("DELETE FROM app.loans WHERE id IN (8, 9)")
    assert publish_now(session, run, held) == 2
    assert_exactly_the_plan(seeded, new)


@pytest.mark.parametrize("ways", WAYS, ids="-".join)
def test_entities_that_a_manifest_has_no_more_go_away_with_the_old_dataset(seeded, open_session, ways):
    session = open_session()
    carga = lean_plan(customers=4, mode="carga", publisher=ways[0])
    run_all(session, carga, key="carga")
    before = content(seeded, carga)
    for turn, way in enumerate(ways):
        fuller = lean_plan(customers=6, version=f"1.{turn}.0", publisher=way)
        run_all(session, fuller, key=f"fuller {turn}")
        smaller = without_installments(customers=6, version=f"1.{turn}.1", publisher=way)
        run_all(session, smaller, key=f"smaller {turn}")
        assert_exactly_the_plan(seeded, smaller)
        gone = "SELECT count(*) FROM app.installments WHERE id BETWEEN %(first)s AND %(first)s + 1000"
        assert seeded.value(gone, first=smaller.first_id) == 0
        assert content(seeded, carga) == before
    assert build_tables(seeded) == 0


def without_installments(**wishes):
    return lean_plan(installments=0, **wishes)


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_a_child_whose_parent_is_missing_from_the_build_is_refused_by_the_engine(seeded, open_session, publisher):
    session = open_session()
    old = lean_plan(customers=12, publisher=publisher)
    run_all(session, old)
    before = content(seeded, old)
    run, held = ready_to_publish(session, lean_plan(customers=9, version="1.1.0", publisher=publisher), key="second")
    with seeded.superuser() as connection:
        connection.execute(f"DELETE FROM seed_build.loans_{run.id.hex} WHERE id = {old.first_id + 2}")
    with pytest.raises(DatabaseRefused) as refused:
        publish_now(session, run, held)
    assert refused.value.sqlstate == "23503"
    assert content(seeded, old) == before
    assert state_of(seeded, run) == "running"


def test_other_tenants_keep_their_rows_and_their_leaves(seeded, open_session):
    other = lean_plan(customers=6, tenant="globex", publisher="attach")
    run_all(open_session(tenant="globex"), other)
    with seeded.superuser() as connection:
        before = {entity: connection.execute(f"TABLE app.{entity} ORDER BY id").fetchall() for entity in other.rows}
    for plan in versions(["attach", "insert", "attach"]):
        run_all(open_session(), plan, key=plan.manifest.metadata.version)
    tenant = before["tenants"][0]["tenant_id"]
    with seeded.superuser() as connection:
        for entity, rows in before.items():
            statement = f"SELECT * FROM app.{entity} WHERE tenant_id = %s ORDER BY id"
            assert connection.execute(statement, [tenant]).fetchall() == rows

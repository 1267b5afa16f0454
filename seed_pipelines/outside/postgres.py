"""PostgreSQL: connections with the session settings that the lease counts on, and errors without rows in them.

A statement waits at most `lock_timeout` for a lock and runs at most `statement_timeout`; a transaction that sleeps is
ended by the server. Together they stay below the lease's sixty seconds. Longer work raises its own limit, locally.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from seed_pipelines.errors import DatabaseRefused, DatabaseSaysNo, DatabaseUnavailable, LeaseLost, PublishRefused

Connection = psycopg.Connection[DictRow]

_SESSION_SETTINGS = {
    "timezone": "UTC",
    "default_transaction_isolation": r"read\ committed",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "15s",
    "client_min_messages": "warning",
    # A machine that vanished is noticed by the server too, and its locks are free again.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # And a client that died: its statement ends, too, instead of working on for nobody with its locks.
    "client_connection_check_interval": "5s",
}

# SQLSTATEs of our own functions (sql/migrations/0002_build_and_publish.sql).
_WRONG_STATE, _LEASE_LOST, _NOT_SEALED, _DANGLING = "SP001", "SP002", "SP003", "SP004"

# Lost connections, exhausted resources, operator intervention; serialization failures, deadlocks and lock timeouts.
_TRANSIENT_CLASSES = ("08", "53", "57", "58")
_TRANSIENT_STATES = ("40001", "40P01", "55P03", "25P03")


@contextmanager
def connected(dsn: str, *, application: str = "seed-pipelines", connect_seconds: int = 10) -> Iterator[Connection]:
    """A connection in autocommit: a transaction is always explicit. Raises DatabaseUnavailable."""
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION_SETTINGS.items())
    with translated():
        connection = psycopg.connect(
            dsn,
            autocommit=True,
            row_factory=dict_row,
            options=options,
            application_name=application,
            connect_timeout=connect_seconds,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """One transaction, whose errors are ours."""
    with translated(), connection.transaction():
        yield


@contextmanager
def translated() -> Iterator[None]:
    """psycopg's errors as ours: SQLSTATE and constraint name only, since their texts quote rows."""
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error) from None


def dsn_of(connection: Connection) -> str:
    """How to make another connection like this one; it holds the password."""
    parameters = dict(connection.info.get_parameters())
    if connection.info.password:
        parameters["password"] = connection.info.password
    return make_conninfo(**parameters)


def server_of(dsn: str) -> str:
    """Host, port and database of a DSN, for messages: never user or password."""
    parts = conninfo_to_dict(dsn)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def _ours(error: psycopg.Error) -> Exception:
    state = error.sqlstate or ""
    if state == _LEASE_LOST:
        return LeaseLost()
    if state in (_WRONG_STATE, _NOT_SEALED):
        return DatabaseSaysNo(error.diag.message_primary or "")
    if state == _DANGLING:
        return PublishRefused(error.diag.message_primary or "", detail=error.diag.message_detail or "")
    lost = isinstance(error, psycopg.OperationalError) and not state
    if lost or state.startswith(_TRANSIENT_CLASSES) or state in _TRANSIENT_STATES:
        return DatabaseUnavailable(state)
    return DatabaseRefused(state, constraint=error.diag.constraint_name, table=error.diag.table_name)

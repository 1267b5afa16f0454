"""Connections that are kept open between requests: so many at most, lent to one borrower at a time.

Whoever finds none free waits for a short time and is then refused. A connection that was lost, or that comes back in
the middle of a transaction, is closed and not lent again; one that was idle is tried first.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.pq import TransactionStatus

from seed_pipelines.errors import ServerBusy
from seed_pipelines.outside.postgres import Connection, connected
from seed_pipelines.sql import query

_WAIT_SECONDS = 5.0
_TRIED_AFTER_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class _Kept:
    connection: Connection
    closing: ExitStack
    used_at: float


class ConnectionPool:
    """The connections of one role; `close` it when nobody borrows any more."""

    def __init__(self, dsn: str, *, most: int, application: str) -> None:
        self._dsn, self._application = dsn, application
        self._free = threading.BoundedSemaphore(most)
        # The one that came back last is lent first, so that the others may be found lost and few are kept warm.
        self._idle: list[_Kept] = []
        self._turn = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """A connection in autocommit. Raises ServerBusy or DatabaseUnavailable."""
        if not self._free.acquire(timeout=_WAIT_SECONDS):
            raise ServerBusy("every connection to the database is in use")
        try:
            kept = self._usable() or self._opened()
            try:
                yield kept.connection
            finally:
                self._take_back(kept)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close what nobody has borrowed."""
        while (kept := self._next_idle()) is not None:
            kept.closing.close()

    def _next_idle(self) -> _Kept | None:
        with self._turn:
            return self._idle.pop() if self._idle else None

    def _usable(self) -> _Kept | None:
        while (kept := self._next_idle()) is not None:
            if time.monotonic() - kept.used_at < _TRIED_AFTER_SECONDS or _answers(kept.connection):
                return kept
            kept.closing.close()
        return None

    def _opened(self) -> _Kept:
        with ExitStack() as closing:
            connection = closing.enter_context(connected(self._dsn, application=self._application))
            return _Kept(connection=connection, closing=closing.pop_all(), used_at=time.monotonic())

    def _take_back(self, kept: _Kept) -> None:
        if kept.connection.closed or kept.connection.info.transaction_status is not TransactionStatus.IDLE:
            kept.closing.close()
            return
        kept.used_at = time.monotonic()
        with self._turn:
            self._idle.append(kept)


def _answers(connection: Connection) -> bool:
    try:
        connection.execute(query("database_now"))
    except psycopg.Error:
        return False
    return True

"""A PostgreSQL of its own that can be ended without a chance to finish anything."""

import json
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from seed_pipelines.local_database import DATABASE, LocalDatabase
from seed_pipelines.outside.embedded import EmbeddedPostgres

_PATIENCE_SECONDS = 60


class TorturedServer:
    """A local database as the product makes it, durable, and what a superuser sees in it."""

    def __init__(self, home: Path) -> None:
        self._local, self._home = LocalDatabase(home), home

    def start(self) -> None:
        """Also after a crash: the server recovers first."""
        self._local.start()

    def crash(self) -> None:
        """Immediate shutdown: every process of the server quits where it is, and memory is lost."""
        state = json.loads((self._home / "postgres.json").read_text())
        pid_file = Path(state["pid_file"])
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGQUIT)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while pid_file.exists():
            assert time.monotonic() < deadline, "the server does not end"
            time.sleep(0.01)

    def remove(self) -> None:
        self._local.remove()

    def url(self, role: str) -> str:
        return self._local.url(role)

    @contextmanager
    def superuser(self):
        dsn = EmbeddedPostgres(self._home).address().dsn(DATABASE)
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def value(self, statement, **values):
        """One value, as the superuser sees it."""
        with self.superuser() as connection:
            row = connection.execute(statement, values).fetchone()
        return None if row is None else next(iter(row.values()))

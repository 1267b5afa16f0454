"""Readers of the tenant, while everything around them is killed: each look is one statement over all its tables."""

import threading
import time

import psycopg
from seed_runs import look_at_everything

from seed_pipelines.control import roles
from seed_pipelines.errors import DatabaseUnavailable
from seed_pipelines.outside.postgres import connected, translated

_PAUSE_SECONDS = 0.02
# A publication gives way to readers after half a second: readers that hardly rest would keep it from ever coming.
_RESTS_PER_LOOK = 4


class Reader(threading.Thread):
    """Looks again and again, comes back after each crash, and notes what it saw whenever that changed."""

    def __init__(self, server, plan) -> None:
        super().__init__(daemon=True)
        self.looks, self.seen, self.error = 0, [], None
        self._server, self._plan = server, plan
        self._look = look_at_everything(plan)
        self._stop_asked = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._read()
            except DatabaseUnavailable:
                time.sleep(_PAUSE_SECONDS)
            except Exception as error:
                self.error = error
                return

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()
        if self.error is not None:
            raise self.error

    def _read(self) -> None:
        with connected(self._server.url(roles.AUDITOR)) as connection, translated():
            while not self._stop_asked.is_set():
                began = time.monotonic()
                self._note(look(connection, self._plan, self._look))
                time.sleep(_RESTS_PER_LOOK * (time.monotonic() - began))

    def _note(self, everything: str) -> None:
        self.looks += 1
        if not self.seen or self.seen[-1] != everything:
            self.seen.append(everything)


def look(connection: psycopg.Connection, plan, statement) -> str:
    """Everything that the tenant sees, as one text."""
    with connection.transaction():
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [plan.tenant_id.hex()])
        return connection.execute(statement).fetchone()["everything"]

"""Seals beside the load: while the rows of one entity come in, the keys of the entity before are built.

A seal takes the server as long as its COPY did, and this process nothing. Nobody counts on a seal beside the load:
where it failed the build is still unsealed, and whoever publishes seals what is left and meets the reason.
"""

from concurrent.futures import Future, ThreadPoolExecutor, wait

from seed_pipelines.control.lease import TTL_SECONDS, Lease, kept
from seed_pipelines.load import publish as publishing
from seed_pipelines.outside.postgres import Connection, connected, dsn_of

# As many as there are entities whose seal takes longer than the load of the next ones.
_AT_ONCE = 2


class Sealer:
    """Seals at once, on the caller's connection; or beside the caller, two builds at a time, on their own ones."""

    def __init__(self, *, is_beside: bool = False) -> None:
        self._is_beside = is_beside
        self._thread: ThreadPoolExecutor | None = None
        self._begun: list[Future[bool]] = []
        self._at_work: set[Connection] = set()
        self._is_closed = False

    def seal(self, connection: Connection, lease: Lease, entity: str, *, ttl_seconds: float = TTL_SECONDS) -> bool:
        """Whether the entity is sealed by now: False while rows are missing, and where the seal has only begun."""
        if not self._is_beside:
            with kept(connection, lease, ttl_seconds=ttl_seconds):
                return publishing.seal(connection, lease, entity)
        # Of the shards of an entity only the last one to come in has something to seal, and a connection to open.
        if not publishing.is_full(connection, lease, entity):
            return False
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="seed-seal")
        self._begun.append(self._thread.submit(self._seal_beside, dsn_of(connection), lease, entity, ttl_seconds))
        return False

    def wait(self) -> None:
        """Until every seal that was begun has ended, well or not."""
        wait(self._begun)
        self._begun.clear()

    def close(self) -> None:
        """Give up what was begun."""
        self._is_closed = True
        if self._thread is None:
            return
        self._thread.shutdown(wait=False, cancel_futures=True)
        for connection in tuple(self._at_work):
            connection.cancel()
        self._thread.shutdown()

    def _seal_beside(self, dsn: str, lease: Lease, entity: str, ttl_seconds: float) -> bool:
        with connected(dsn) as connection, kept(connection, lease, ttl_seconds=ttl_seconds):
            self._at_work.add(connection)
            try:
                return not self._is_closed and publishing.seal(connection, lease, entity)
            finally:
                self._at_work.discard(connection)

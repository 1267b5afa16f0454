"""Cluster: one data directory and the server process on it.

It is made whole or not at all, its server listens on 127.0.0.1 only, and its log holds no statement, no row
and no error of a client: those go to the client alone. A lock file left by a server that was killed does not
stop the next start, even when its process number has been given to another program since.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from seed_pipelines.errors import PostgresDidNotStart, PostgresDidNotStop
from seed_pipelines.outside.account import Account
from seed_pipelines.outside.postgres_binaries import Binaries

SUPERUSER = "postgres"

_WAIT_SECONDS = 60
_LOG_LINES = 8

_SETTINGS = {
    "cluster_name": "seed-pipelines",
    "listen_addresses": "127.0.0.1",
    # A socket path may hold 107 bytes, and a deep working directory has more: there is none.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # Errors quote values, and their details whole rows.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_checkpoints": "off",
}
# synchronous_commit stays on: without it a killed server forgets commits that it confirmed.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A PostgreSQL data directory in `base`, owned by `account`."""

    base: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def major(self) -> int | None:
        """The major version that made the data directory; None if there is none yet."""
        version = self.data / "PG_VERSION"
        return int(version.read_text()) if version.is_file() else None

    def create(self, binaries: Binaries, *, password: str, durable: bool) -> None:
        """Make the data directory: UTF-8, C locale, passwords for all. An interrupted attempt leaves none."""
        draft = self.base / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self.account.make_directory(draft)
        password_file = self.base / "password"
        self.account.write_file(password_file, password)
        try:
            self._run(binaries, "initdb", *_initdb_options(draft, password_file, durable=durable))
        finally:
            password_file.unlink()
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write("\ninclude_if_exists = 'seed.conf'\n")
        draft.rename(self.data)

    def launch(self, binaries: Binaries, *, port: int, durable: bool) -> tuple[str, ...]:
        """Start the server and wait until it accepts connections. Returns its last log lines if it fails."""
        self._forget_foreign_pid()
        settings = {**_SETTINGS, "port": str(port), **({} if durable else _NOT_DURABLE)}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        self.account.write_file(self.data / "seed.conf", "".join(lines))
        log = self.data / "server.log"
        already_said = log.stat().st_size if log.exists() else 0
        options = ["--pgdata", str(self.data), "--log", str(log), "--wait", "--timeout", str(_WAIT_SECONDS)]
        try:
            self._run(binaries, "pg_ctl", "start", "--silent", *options)
        except PostgresDidNotStart as failure:
            return _lines_since(already_said, log) or (failure.why,)
        return ()

    def shut_down(self, binaries: Binaries) -> None:
        """End the server: open transactions roll back, clients are disconnected. Returns when it is gone."""
        options = ["--pgdata", str(self.data), "--mode", "fast", "--wait", "--timeout", str(_WAIT_SECONDS)]
        try:
            self._run(binaries, "pg_ctl", "stop", "--silent", *options)
        except PostgresDidNotStart as failure:
            if self.server_pid() is not None:
                raise PostgresDidNotStop(self.data, why=failure.why) from failure

    def server_pid(self) -> int | None:
        """The process of the server on this data directory, if one lives."""
        pid = self._recorded_pid()
        return pid if pid is not None and _is_alive(pid) and self._works_here(pid) else None

    def _recorded_pid(self) -> int | None:
        try:
            first_line = self.pid_file.read_text().partition("\n")[0]
        except FileNotFoundError:
            return None
        return int(first_line) if first_line.isdigit() else None

    def _forget_foreign_pid(self) -> None:
        pid = self._recorded_pid()
        # Of a dead process PostgreSQL finds out by itself; one whose number was reused it would wait for.
        if pid is not None and _is_alive(pid) and not self._works_here(pid):
            self.pid_file.unlink(missing_ok=True)

    def _works_here(self, pid: int) -> bool:
        """A server's working directory is its data directory. Without /proc a living process is believed."""
        if not Path("/proc/self").exists():
            return True
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve()
        except OSError:
            return False

    def _run(self, binaries: Binaries, name: str, *arguments: str) -> None:
        try:
            ended = self.account.run(
                [binaries.program(name), *arguments],
                environment=binaries.environment(),
                timeout_seconds=2 * _WAIT_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as reason:
            raise PostgresDidNotStart(self.data, why=f"{name}: {reason}") from reason
        if ended.returncode != 0:
            said = " ".join((ended.stderr or ended.stdout).split())
            raise PostgresDidNotStart(self.data, why=f"{name} ended with {ended.returncode}: {said[-600:]}")


def _initdb_options(data: Path, password_file: Path, *, durable: bool) -> list[str]:
    options = ["--pgdata", str(data), "--username", SUPERUSER, "--pwfile", str(password_file)]
    options += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-instructions"]
    return options if durable else [*options, "--no-sync"]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lines_since(offset: int, log: Path) -> tuple[str, ...]:
    if not log.exists():
        return ()
    with log.open("rb") as file:
        file.seek(offset)
        return tuple(file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:])

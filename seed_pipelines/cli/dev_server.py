"""`seed-data dev`: embedded PostgreSQL, Dagster's webserver and daemon, and the API, until somebody ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from seed_pipelines.cli import dagster_home, doors
from seed_pipelines.errors import DevServerEnded

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 15


def serve(*, port: int, api_port: int) -> None:
    """Start all, say where, and wait. Ctrl-C or SIGTERM ends all; if one ends by itself, so do the others."""
    installation = doors.with_local_database(doors.installation_of())
    dagster_home.publish_settings(installation.settings)
    dagster_home.use_local_instance(installation)
    os.environ["SEED_DAGSTER_URL"] = f"http://127.0.0.1:{port}"
    workspace = ["-w", dagster_home.WORKSPACE_FILE]
    commands = {
        "webserver": ["-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace],
        "daemon": ["-m", "dagster._daemon", "run", *workspace],
        "API": ["-c", "from seed_pipelines.cli.main import main; main()", "api", "--port", str(api_port)],
    }
    children = {name: subprocess.Popen([sys.executable, *arguments]) for name, arguments in commands.items()}
    print(f"Dagster: http://127.0.0.1:{port} (Ctrl-C ends it; the embedded PostgreSQL stays)", flush=True)  # noqa: T201
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _wait(children)
    except KeyboardInterrupt:
        print("ending", file=sys.stderr)  # noqa: T201
    finally:
        # A second signal must not leave a child behind.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _end(list(children.values()))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait(children: dict[str, subprocess.Popen[bytes]]) -> None:
    while True:
        for name, child in children.items():
            try:
                code = child.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise DevServerEnded(name, exit_code=code)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

"""`seed-data dev`: embedded PostgreSQL, Dagster's webserver and daemon, and the API, until somebody ends it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
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
    # Each in a group of its own, whose members are those that Dagster starts in turn.
    children = {
        name: subprocess.Popen([sys.executable, *arguments], process_group=0) for name, arguments in commands.items()
    }
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
    """Servers first, so that they can end what they started; then whatever of that is still there."""
    for child in children:
        child.terminate()
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
    # A code server outlives a webserver that was too busy to end it, and a worker its code server.
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [child.pid for child in children if _signalled(child.pid, number)]
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(_signalled(group, 0) for group in left) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    for child in children:
        child.wait()


def _signalled(group: int, number: int) -> bool:
    """Whether anybody of the group was there to get it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True

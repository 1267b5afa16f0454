"""`seed-data` that starts at once: a process that has imported everything forks for each command.

Run as a program with a path, it serves there. `seed_data_at` writes a `seed-data` for the PATH that asks it. Each
command is a process of its own with the caller's files, folder and environment; only the imports are shared.
"""

import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
socket.send_fds(server, [b"."], [0, 1, 2])
task = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
server.sendall(json.dumps(task).encode() + b"\\n")
answer = server.recv(1)
sys.exit(answer[0] if answer else 70)
"""


@contextmanager
def seed_data_at(folder: Path) -> Iterator[Path]:
    """A folder for the PATH, with a `seed-data` that is served until the end."""
    path = folder / "warm.sock"
    program = folder / "seed-data"
    program.write_text(CLIENT.format(python=sys.executable, path=str(path)))
    program.chmod(0o755)
    server = subprocess.Popen([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        yield folder
    finally:
        server.kill()
        server.communicate()


def serve(path: str) -> None:
    import_everything()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    # Nobody waits for the children: the client gets the exit code from the child itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        client, _ = listener.accept()
        _, files, _, _ = socket.recv_fds(client, 1, 3)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            answer(client, files)
        for file in files:
            os.close(file)
        client.close()


def answer(client: socket.socket, files: list[int]) -> None:
    """In the child: the command, its exit code, and the end."""
    task = json.loads(client.makefile("rb").readline())
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["environment"])
    sys.argv = ["seed-data", *task["arguments"]]
    code = ended()
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(bytes([code]))
    os._exit(code)


def ended() -> int:
    """What the command's process would end with."""
    from seed_pipelines.cli.main import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def import_everything() -> None:
    import seed_pipelines

    for module in pkgutil.walk_packages(seed_pipelines.__path__, "seed_pipelines."):
        if module.name != "seed_pipelines.definitions":
            importlib.import_module(module.name)


if __name__ == "__main__":
    serve(sys.argv[1])

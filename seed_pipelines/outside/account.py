"""Account: the user of this machine that a server program runs as.

PostgreSQL refuses to run as root. When we are root, its programs run as an unprivileged user and its
directories belong to that user; anybody else runs them as themselves. Programs get an argument list and a
small environment: never a shell, and none of our own variables, which may hold secrets.
"""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom a server program runs as; `switched` says that this is not ourselves."""

    uid: int
    gid: int
    switched: bool

    def run(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end. Its output is text; a bad exit code is not raised."""
        return subprocess.run(
            arguments,
            env={"PATH": os.defpath, "LC_ALL": "C", **environment},
            user=self.uid if self.switched else None,
            group=self.gid if self.switched else None,
            extra_groups=[] if self.switched else None,
            # The other user may not be allowed into our working directory.
            cwd="/",
            # Ctrl-C in the terminal is for us; a server in mid-start must not die of it.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )

    def make_directory(self, path: Path) -> None:
        """An empty directory for this user alone."""
        path.mkdir(mode=0o700)
        if self.switched:
            os.chown(path, self.uid, self.gid)

    def write_file(self, path: Path, text: str) -> None:
        """Replace a file that this user alone reads; nobody sees half of it."""
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        # O_EXCL follows no link that somebody else may have laid.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if self.switched:
                os.fchown(descriptor, self.uid, self.gid)
            file.write(text)
        draft.replace(path)


def ourselves() -> Account:
    """The account that this process has."""
    return Account(uid=os.geteuid(), gid=os.getegid(), switched=False)


def account_for_servers() -> Account:
    """Ourselves; for root, the first unprivileged user that exists here."""
    if os.geteuid() != 0:
        return ourselves()
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _UNPRIVILEGED:
        if name in known:
            return Account(uid=known[name].pw_uid, gid=known[name].pw_gid, switched=True)
    # 65534 is nobody by custom; a user needs no name to own files and run programs.
    return Account(uid=65534, gid=65534, switched=True)

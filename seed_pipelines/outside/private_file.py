"""Files that only their owner may read, such as keys: written once and whole, never through a link, never replaced."""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path


def read_private(path: Path) -> bytes:
    """The file's bytes; raises OSError where it is not there, is a link, or can be read by others."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise PermissionError(errno.EACCES, "others than its owner may read it")
        return file.read()


def write_once(path: Path, content: bytes, *, mode: int) -> None:
    """Two processes that start together end with one file: the second one's content is thrown away."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)

"""The masking key of development: a line of `.env.local`, made when it is missing.

The file is readable by its owner only; one that others can read is refused, and so is a symbolic link. Whether a
local key may be used at all is decided by mask/keys.py.
"""

import os
import re
import secrets
import stat
from pathlib import Path

from seed_pipelines.errors import MaskKeyUnavailable

DEV_KEY_NAME = "SEED_DEV_MASK_KEY"
DEV_KEY_BYTES = 32

_LINE = re.compile(rb"^%s=([^\r\n]*)\r?$" % DEV_KEY_NAME.encode(), re.MULTILINE)


def dev_mask_key(path: Path) -> bytes:
    """The key in the file; raises MaskKeyUnavailable."""
    try:
        found = _read(path)
        if found is None:
            _append(path)
            # Two processes may both have added a line: the first line is the key of both.
            found = _read(path)
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from None
    try:
        key = bytes.fromhex((found or b"").decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != DEV_KEY_BYTES:
        raise _unusable(path, f"it is not {2 * DEV_KEY_BYTES} hexadecimal digits")
    return key


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise _unusable(path, "others than its owner may read the file")
        line = _LINE.search(file.read())
    return line[1].strip() if line else None


def _append(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "r+b", buffering=0) as file:
        text = f"{DEV_KEY_NAME}={secrets.token_hex(DEV_KEY_BYTES)}\n".encode()
        unfinished = file.read()[-1:] not in (b"", b"\n")
        file.write(b"\n" + text if unfinished else text)
        os.fsync(descriptor)


def _unusable(path: Path, why: str) -> MaskKeyUnavailable:
    what_to_do = "Correct the file, or move it away and a new one is made; a new key gives new pseudonyms."
    return MaskKeyUnavailable(f"with {DEV_KEY_NAME} of {path}", why=why, what_to_do=what_to_do)

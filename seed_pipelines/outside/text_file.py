"""Files that a person works on, written whole or not at all."""

import os
import tempfile
from pathlib import Path


def replace_content(path: Path, content: bytes) -> None:
    """Put new bytes in the place of a file's old ones; a reader sees the old or the new, and its mode stays."""
    real = path.resolve(strict=True)
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), real.stat().st_mode & 0o777)
            os.fsync(stream.fileno())
        os.replace(name, real)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

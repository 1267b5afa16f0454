"""Reports in a local folder, for development: written once, read-only, and on the disk before anybody is told.

A report appears under its name whole or not at all: it is written under another name, synced and linked. Two
writers of one key cannot both win. No path leaves the folder and no symbolic link below it is followed. The
owner of the files can still delete them: a folder proves nothing to an auditor, which is what S3 is for.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from seed_pipelines.errors import (
    ReportDiverges,
    ReportNotFound,
    ReportNotStored,
    ReportNotVerified,
    ReportStoreNotReady,
)
from seed_pipelines.outside.report_store import LARGEST_REPORT_BYTES, StoredReport, sha256_of

_FOLDER_MODE = 0o750
_REPORT_MODE = 0o444


class FileStore:
    """The folder `root`, which is created when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return self.root.as_uri()

    def preflight(self) -> None:
        """Refuse where a file cannot be created and synced in the folder."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            with self._folder(PurePosixPath("worm"), create=True) as folder:
                name = f".preflight.{secrets.token_hex(8)}"
                _write_new(name, b"", folder=folder)
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            raise ReportStoreNotReady(
                str(self), why=error.strerror or "it cannot be written", what_to_do="Correct SEED_WORM_URL."
            ) from None

    def put(self, key: str, body: bytes) -> StoredReport:
        """Keep `body` under `key`; it is read back and compared before this returns."""
        path = _relative(key)
        uri = (self.root / path).as_uri()
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            with self._folder(path.parent, create=True) as folder:
                _create(path.name, body, folder=folder)
                kept = _read(path.name, folder=folder)
        except OSError as error:
            raise ReportNotStored(uri, why=error.strerror or "the folder cannot be written") from None
        if kept != body:
            raise ReportDiverges(uri, stored_sha256=sha256_of(kept), new_sha256=sha256_of(body))
        return StoredReport(uri=uri, version_id=None, sha256=sha256_of(kept), size=len(kept))

    def get(self, uri: str) -> bytes:
        parts = urlsplit(uri)
        target = Path(unquote(parts.path))
        if parts.scheme != "file" or not target.is_relative_to(self.root):
            raise ReportNotFound(uri, why=f"it is not in {self}")
        path = _relative(target.relative_to(self.root).as_posix())
        try:
            with self._folder(path.parent, create=False) as folder:
                return _read(path.name, folder=folder)
        except FileNotFoundError:
            raise ReportNotFound(uri, why="there is no such file") from None
        except OSError as error:
            raise ReportNotVerified(uri, why=error.strerror or "it cannot be read") from None

    @contextlib.contextmanager
    def _folder(self, path: PurePosixPath, *, create: bool) -> Iterator[int]:
        """The folder as a descriptor, reached one step at a time: a link on the way is an error."""
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in path.parts:
                if create:
                    _make_folder(part, folder=folder)
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)


def _relative(key: str) -> PurePosixPath:
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or "\0" in key or not path.parts:
        raise ReportNotFound(key, why="it leads out of the folder")
    return path


def _make_folder(name: str, *, folder: int) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, _FOLDER_MODE, dir_fd=folder)
        os.fsync(folder)


def _create(name: str, body: bytes, *, folder: int) -> None:
    """Make the file `name`, unless it is there already."""
    temporary = f".{name}.{secrets.token_hex(8)}"
    _write_new(temporary, body, folder=folder)
    try:
        # A link is refused when the name exists, so of two writers exactly one makes it.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    finally:
        os.unlink(temporary, dir_fd=folder)
    os.fsync(folder)


def _write_new(name: str, body: bytes, *, folder: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _REPORT_MODE, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fchmod(descriptor, _REPORT_MODE)
        os.fsync(descriptor)


def _read(name: str, *, folder: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    with open(descriptor, "rb") as file:
        return file.read(LARGEST_REPORT_BYTES + 1)

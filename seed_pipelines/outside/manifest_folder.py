"""The folder of manifests, read so that no path leads out of it.

Each component of a path is opened below the one before it and never through a link, a file is read once, and the
caller hashes and uses those bytes: nothing that happens to the path afterwards matters. The one link that is
followed is the one that Kubernetes makes for ConfigMaps, `name -> ..data/name` with `..data -> ..<snapshot>`, and
its steps are checked one by one. The folder itself may be a link, as git-sync makes one.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from seed_pipelines.errors import ManifestNotFound, PathOutsideManifests
from seed_pipelines.outside.git_checkout import commit_of

# One byte more than a manifest may have, so that its reader sees that it is too long.
READ_LIMIT_BYTES = 256 * 1024 + 1
# Other suffixes are listed too: a manifest that would be passed over in silence is reported instead.
SUFFIXES = (".yaml", ".yml", ".json")
_DEEPEST = 4

_CONFIGMAP_LINK = "..data"
_SNAPSHOT = re.compile(r"\.\.[A-Za-z0-9][A-Za-z0-9_.-]*")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: opening a named pipe would wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ManifestFolder:
    """A folder of files <environment>/<tenant>.yaml: a checkout, a git-sync link or a mounted ConfigMap."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def paths(self) -> tuple[str, ...]:
        """Every manifest below the folder, sorted; hidden names are left out. Raises ManifestNotFound."""
        with ExitStack() as opened:
            return tuple(sorted(_names_below(self._open_root(opened), prefix="", opened=opened)))

    def read(self, relative: str) -> bytes:
        """The bytes of one manifest, at most READ_LIMIT_BYTES. Raises ManifestNotFound, PathOutsideManifests."""
        with ExitStack() as opened:
            return _content(self._open_file(relative, opened), relative)

    def has(self, relative: str) -> bool:
        """Whether something lies there that `read` would open."""
        try:
            with ExitStack() as opened:
                self._open_file(relative, opened)
        except (ManifestNotFound, PathOutsideManifests):
            return False
        return True

    def assert_inside(self, relative: str) -> None:
        """Raises PathOutsideManifests where the path, whatever lies there, leads out of the folder; nothing is read."""
        _components(relative)

    def git_commit(self) -> str | None:
        """The commit that the folder shows; None where it is no checkout, as a ConfigMap is none."""
        real = self.root.resolve()
        if any((folder / _CONFIGMAP_LINK).is_symlink() for folder in (real, *real.glob("*/"))):
            return None
        return commit_of(real)

    def _open_file(self, relative: str, opened: ExitStack) -> int:
        *folders, name = _components(relative)
        directory = self._open_root(opened)
        for folder in folders:
            directory = _open(folder, directory, flags=_DIRECTORY, opened=opened, path=relative)
        return _open(name, directory, flags=_FILE, opened=opened, path=relative)

    def _open_root(self, opened: ExitStack) -> int:
        try:
            root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as wrong:
            raise ManifestNotFound(str(self.root), why=f"the folder cannot be opened ({wrong.strerror})") from wrong
        opened.callback(os.close, root)
        return root


def _components(relative: str) -> list[str]:
    parts = relative.split("/")
    if relative.startswith("/"):
        raise PathOutsideManifests(relative, why="it is absolute")
    if "\0" in relative or "\\" in relative:
        raise PathOutsideManifests(relative, why="it holds a character that no manifest's name has")
    if any(part in ("", ".", "..") or part.startswith("..") for part in parts):
        raise PathOutsideManifests(relative, why="it has an empty part or one that starts with two dots")
    return parts


def _names_below(directory: int, *, prefix: str, opened: ExitStack) -> Iterator[str]:
    for name in os.listdir(directory):
        path = f"{prefix}{name}"
        if name.startswith("."):
            continue
        if name.endswith(SUFFIXES):
            yield path
        elif path.count("/") < _DEEPEST and _is_folder(name, directory):
            below = _open(name, directory, flags=_DIRECTORY, opened=opened, path=path)
            yield from _names_below(below, prefix=f"{path}/", opened=opened)


def _is_folder(name: str, directory: int) -> bool:
    kind = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    return stat.S_ISDIR(kind) or (stat.S_ISLNK(kind) and _is_configmap_link(name, directory))


def _open(name: str, directory: int, *, flags: int, opened: ExitStack, path: str) -> int:
    """Open one name in a directory without following a link that is not a ConfigMap's."""
    try:
        if _is_configmap_link(name, directory):
            directory = _snapshot(directory, opened)
        descriptor = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError as wrong:
        raise ManifestNotFound(path, why=f"{name!r} does not exist") from wrong
    except OSError as wrong:
        if _is_link(name, directory):
            raise PathOutsideManifests(path, why=f"{name!r} is a symbolic link") from wrong
        raise ManifestNotFound(path, why=f"{name!r} cannot be opened ({wrong.strerror})") from wrong
    opened.callback(os.close, descriptor)
    return descriptor


def _is_configmap_link(name: str, directory: int) -> bool:
    return _link_target(name, directory) == f"{_CONFIGMAP_LINK}/{name}"


def _snapshot(directory: int, opened: ExitStack) -> int:
    """The directory that `..data` names now; it must lie beside it."""
    target = _link_target(_CONFIGMAP_LINK, directory) or ""
    if not _SNAPSHOT.fullmatch(target):
        raise PathOutsideManifests(_CONFIGMAP_LINK, why="it is not the link of a mounted ConfigMap")
    snapshot = os.open(target, _DIRECTORY, dir_fd=directory)
    opened.callback(os.close, snapshot)
    return snapshot


def _is_link(name: str, directory: int) -> bool:
    return _link_target(name, directory) is not None


def _link_target(name: str, directory: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None


def _content(file: int, path: str) -> bytes:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise PathOutsideManifests(path, why="it is not a plain file")
    with open(file, "rb", closefd=False) as stream:
        return stream.read(READ_LIMIT_BYTES)

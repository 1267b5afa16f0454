"""The commit that a checkout shows, read from git's own files.

No git program runs: its configuration may name others to start, and it refuses folders of another owner, as a
git-sync volume is. Uncommitted changes do not show in a commit.
"""

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REFERENCE = re.compile(r"ref: (refs/[A-Za-z0-9._/-]+)")
_READ_LIMIT_CHARACTERS = 4 * 1024 * 1024


def commit_of(directory: Path) -> str | None:
    """The commit checked out in the nearest repository at or above a directory, or None."""
    for place in (directory, *directory.parents):
        if (place / ".git").exists():
            return _head_commit(_git_directory(place / ".git"))
    return None


def _git_directory(git: Path) -> Path:
    """A linked worktree has a file that says where its git directory is."""
    pointer = _line(git) if git.is_file() else None
    if pointer is None or not pointer.startswith("gitdir: "):
        return git
    return git.parent / pointer.removeprefix("gitdir: ")


def _head_commit(git: Path) -> str | None:
    head = _line(git / "HEAD") or ""
    if _COMMIT.fullmatch(head):
        return head
    reference = _REFERENCE.fullmatch(head)
    return _commit_of_reference(git, reference[1]) if reference and ".." not in head else None


def _commit_of_reference(git: Path, name: str) -> str | None:
    common = git / (_line(git / "commondir") or ".")
    for place in (git, common):
        commit = _line(place / name)
        if commit and _COMMIT.fullmatch(commit):
            return commit
    for line in _text(common / "packed-refs").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name and _COMMIT.fullmatch(commit):
            return commit
    return None


def _line(file: Path) -> str | None:
    lines = _text(file).splitlines()
    return lines[0].strip() if lines else None


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_READ_LIMIT_CHARACTERS)
    except OSError:
        return ""

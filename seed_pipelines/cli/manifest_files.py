"""Manifests as files on a person's disk: what the `manifest` commands read and write."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seed_pipelines.errors import (
    ManifestAlreadyThere,
    ManifestNotFound,
    ManifestRejected,
    PathOutsideManifests,
    SeedError,
)
from seed_pipelines.manifest.compare import ManifestChange, Measured, compare
from seed_pipelines.manifest.load import Examined, examine, parse_manifest
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.manifest.problems import Problem
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.manifest.template import new_manifest_text
from seed_pipelines.outside.manifest_folder import ManifestFolder
from seed_pipelines.outside.text_file import replace_content
from seed_pipelines.settings import from_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Which files were checked, and every problem in them."""

    sources: tuple[str, ...]
    problems: tuple[Problem, ...]


class Check(Protocol):
    """What finds the problems of a manifest's bytes, here or by an API."""

    def __call__(self, content: bytes, *, source: str, relative_path: str) -> tuple[Problem, ...]: ...


def problems_here(content: bytes, *, source: str, relative_path: str) -> tuple[Problem, ...]:
    """As this version sees them."""
    return examine(content, source=source, relative_path=relative_path).problems


def check_files(paths: tuple[Path, ...], *, check: Check = problems_here) -> Checked:
    """Check files and folders; the manifests folder of the settings where none is named."""
    sources: list[str] = []
    problems: list[Problem] = []
    for folder, relative in _manifests_at(paths or (from_environment().manifests,)):
        source = str(folder.root / relative)
        sources.append(source)
        try:
            content = folder.read(relative)
        except (ManifestNotFound, PathOutsideManifests) as refusal:
            problems.append(problem_at_top(source, refusal))
            continue
        problems += check(content, source=source, relative_path=relative)
    return Checked(sources=tuple(sources), problems=tuple(problems))


def problem_at_top(source: str, refusal: SeedError) -> Problem:
    """A refusal of a whole file, as a problem of it."""
    return Problem(source=source, line=1, column=1, pointer="", rule=refusal.code, message=str(refusal))


def read_valid(path: Path) -> Examined:
    """One manifest without a problem. Its place is not looked at, so that an old copy can be read anywhere."""
    examined = examine(_content(path), source=str(path))
    if examined.manifest is None:
        raise ManifestRejected(examined.problems)
    return examined


def seal_file(path: Path) -> bool:
    """Put the hash right if nothing else is wrong; False where it was right."""
    content = _content(path)
    examined = examine(content, source=str(path), sealed=False)
    if examined.problems:
        raise ManifestRejected(examined.problems)
    sealed = sealed_text(content.decode(), source=str(path)).encode()
    parse_manifest(sealed, source=str(path))
    if sealed == content:
        return False
    replace_content(path, sealed)
    return True


def write_new(environment: str, tenant: str, mode: Mode) -> Path:
    """A new manifest in the manifests folder; nothing is overwritten."""
    text = new_manifest_text(environment, tenant, mode)
    path = from_environment().manifests / environment / f"{tenant}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except FileExistsError as there:
        raise ManifestAlreadyThere(str(path)) from there
    return path


def change_between(old: Path, new: Path) -> ManifestChange:
    """What replacing one manifest by another means, by their plans."""
    before, after = _manifest(old), _manifest(new)
    return compare(before, after, before=_measured(before), after=_measured(after))


def _manifests_at(paths: tuple[Path, ...]) -> Iterator[tuple[ManifestFolder, str]]:
    for path in paths:
        if path.is_dir():
            yield from _manifests_below(path)
        else:
            yield _folder_of(path)


def _manifests_below(folder: Path) -> Iterator[tuple[ManifestFolder, str]]:
    """The manifests of a manifests folder, or of one environment's folder in it."""
    names = ManifestFolder(folder).paths()
    if names and all("/" not in name for name in names):
        yield from (_folder_of(folder / name) for name in names)
    else:
        yield from ((ManifestFolder(folder), name) for name in names)


def _folder_of(path: Path) -> tuple[ManifestFolder, str]:
    """A file's manifests folder is two steps above it."""
    whole = path if len(path.parts) > 2 else path.absolute()
    return ManifestFolder(whole.parent.parent), f"{whole.parent.name}/{whole.name}"


def _content(path: Path) -> bytes:
    folder, relative = _folder_of(path)
    return folder.read(relative)


def _manifest(path: Path) -> Manifest:
    manifest = read_valid(path).manifest
    if manifest is None:
        raise ManifestNotFound(str(path), why="it holds no manifest")
    return manifest


def _measured(manifest: Manifest) -> Measured:
    # Loading numpy takes longer than checking a hundred manifests, and only a comparison needs it.
    from seed_pipelines.generate.rows import COUNTERS
    from seed_pipelines.plan import plan_of

    plan = plan_of(manifest, counters=COUNTERS)
    return Measured(rows=plan.rows, cost_micro_brl=plan.cost_micro_brl)

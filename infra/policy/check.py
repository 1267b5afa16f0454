"""Hold manifests, or rendered Kubernetes objects, against the rules of this folder.

    python infra/policy/check.py manifests [FOLDER]
    helm template … | python infra/policy/check.py objects

Prints every problem, and exits with 2 where there is one. A manifest's file is looked up in the repository's history,
because a wide run in production needs a canary of the same version before it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from regopy import Interpreter

from seed_pipelines.manifest.strict_yaml import read_document

_HERE = Path(__file__).parent
_LIMITS = json.loads((_HERE / "limits.json").read_text())

Document = dict[str, Any]


def problems_of_manifest(path: str, manifest: Document, *, earlier: list[Document]) -> list[str]:
    """What speaks against one manifest, in the order of the alphabet."""
    return _denials("manifests", {"path": path, "manifest": manifest, "earlier": earlier})


def problems_of_object(kubernetes_object: Document) -> list[str]:
    """What speaks against one rendered object, in the order of the alphabet."""
    return _denials("charts", {"object": kubernetes_object})


def manifests_in(folder: Path) -> Iterator[tuple[str, Document, list[Document]]]:
    """Each manifest of a folder: its path, what it holds, and what its file held before."""
    for file in sorted(folder.glob("*/*.yaml")):
        path = str(file.relative_to(folder))
        yield path, _read(path, file.read_bytes()), list(_earlier(path, file))


def _earlier(path: str, file: Path) -> Iterator[Document]:
    for commit in _git(file, "log", "--format=%H", "--", file.name).decode().split():
        manifest = _read(path, _git(file, "show", f"{commit}:./{file.name}"))
        if manifest:
            yield manifest


def _git(file: Path, *arguments: str) -> bytes:
    # A commit that removed the file shows nothing, and a folder outside of a repository has no history.
    return subprocess.run(["git", *arguments], cwd=file.parent, capture_output=True, check=False).stdout  # noqa: S607


def _read(path: str, content: bytes) -> Document:
    """The document as plain JSON; decimals become floats, which compare well enough with a limit."""
    document = read_document(content, source=path)
    data = json.loads(json.dumps(document.data, default=float))
    return data if isinstance(data, dict) and not document.problems else {}


def _denials(module: str, document: Document) -> list[str]:
    rego = Interpreter()
    rego.add_data(_LIMITS)
    rego.add_module(module, (_HERE / f"{module}.rego").read_text())
    rego.set_input(document)
    denied = rego.query(f"denied = data.seed.{module}.deny").binding("denied")
    # The members of a set come as JSON texts.
    return sorted(json.loads(problem) for problem in denied)


def _found(arguments: list[str]) -> Iterator[str]:
    if arguments[:1] == ["objects"]:
        for kubernetes_object in filter(None, yaml.safe_load_all(sys.stdin)):
            yield from problems_of_object(kubernetes_object)
        return
    folder = Path(arguments[1]) if len(arguments) > 1 else Path("manifests")
    for path, manifest, earlier in manifests_in(folder):
        if not manifest:
            yield f"{path}: could not be read. Run seed-data manifest check."
        yield from problems_of_manifest(path, manifest, earlier=earlier)


def main(arguments: list[str]) -> int:
    if arguments[:1] not in (["manifests"], ["objects"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    found = list(_found(arguments))
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

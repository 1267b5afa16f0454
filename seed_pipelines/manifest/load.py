"""Manifest bytes to a Manifest, or to every problem that they have.

Fail closed: what the strict reader, the schema, the rules between fields, the seal or the model refuses is refused,
all of it at once and each with its line and column.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import ValidationError

from seed_pipelines.errors import ManifestRejected
from seed_pipelines.manifest.model import Manifest
from seed_pipelines.manifest.problems import Fault, Plain, Problem, pointer_of, shown
from seed_pipelines.manifest.schema import schema_problems
from seed_pipelines.manifest.seal import HASH_PATH, seal_fault
from seed_pipelines.manifest.strict_yaml import Document, read_document

FILE_SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a manifest's bytes are: a manifest, or problems."""

    document: Document
    manifest: Manifest | None
    problems: tuple[Problem, ...]


def parse_manifest(content: bytes, *, source: str, relative_path: str | None = None) -> Manifest:
    """The manifest that the bytes say; `relative_path`, where given, must be its <environment>/<tenant>.yaml.

    Raises ManifestRejected with every problem.
    """
    examined = examine(content, source=source, relative_path=relative_path)
    if examined.manifest is None:
        raise ManifestRejected(examined.problems)
    return examined.manifest


def examine(content: bytes, *, source: str, relative_path: str | None = None, sealed: bool = True) -> Examined:
    """The same without raising. Not `sealed`: a missing or wrong hash is no problem, and no manifest comes out."""
    document = read_document(content, source=source)
    problems = list(document.problems)
    if document.data is not None:
        faults = _faults_of(document, relative_path)
        problems += _new_problems(document, faults if sealed else [f for f in faults if f.path != HASH_PATH])
    problems.sort(key=lambda problem: (problem.line, problem.column))
    if problems or not sealed:
        return Examined(document=document, manifest=None, problems=tuple(problems))
    return _modelled(document)


def check_location(manifest: Manifest, relative_path: str) -> None:
    """Raises ManifestRejected unless the path is <environment>/<tenant>.yaml of the manifest."""
    metadata = manifest.metadata
    faults = _location_faults(metadata.environment, metadata.tenant, relative_path)
    if faults:
        raise ManifestRejected(tuple(_at_top(fault, relative_path) for fault in faults))


def _faults_of(document: Document, relative_path: str | None) -> list[Fault]:
    faults = list(schema_problems(document.data))
    if broken_seal := seal_fault(document):
        faults.append(broken_seal)
    environment, tenant = (_text(document.data, "metadata", name) for name in ("environment", "tenant"))
    if relative_path is not None and environment and tenant:
        faults += _location_faults(environment, tenant, relative_path)
    return faults


def _new_problems(document: Document, faults: list[Fault]) -> list[Problem]:
    """The faults' problems, without those of places that the reader has already found fault with."""
    known = {problem.pointer for problem in document.problems if problem.pointer}
    return [document.located(fault) for fault in faults if pointer_of(fault.path) not in known]


def _modelled(document: Document) -> Examined:
    try:
        manifest = Manifest.model_validate(document.data)
    except ValidationError as refused:
        # The schema took it and the model does not: they should agree, and the doubt is a refusal.
        problems = tuple(
            document.located(
                Fault(path=error["loc"], rule="model-refuses", message="the model refuses this value. Report it.")
            )
            for error in refused.errors(include_url=False, include_input=False, include_context=False)
        )
        return Examined(document=document, manifest=None, problems=problems)
    return Examined(document=document, manifest=manifest, problems=())


def _location_faults(environment: str, tenant: str, relative_path: str) -> list[Fault]:
    path = PurePosixPath(relative_path)
    faults = []
    if path.parent.name != environment:
        faults.append(_misplaced("environment", environment, f"folder {shown(path.parent.name)}"))
    if path.name != f"{tenant}{FILE_SUFFIX}":
        faults.append(_misplaced("tenant", tenant, f"file {shown(path.name)}"))
    if not faults and len(path.parts) != 2:
        faults.append(_misplaced("environment", environment, f"path {shown(relative_path)}"))
    return faults


def _misplaced(field: str, value: str, place: str) -> Fault:
    return Fault(
        path=("metadata", field),
        rule="misplaced",
        message=f"metadata.{field} {shown(value)} does not belong in {place}. "
        "A manifest stands at <environment>/<tenant>.yaml: move the file, or correct the field.",
        value=shown(value),
    )


def _at_top(fault: Fault, source: str) -> Problem:
    return Problem(
        source=source,
        line=1,
        column=1,
        pointer=pointer_of(fault.path),
        rule=fault.rule,
        message=fault.message,
        value=fault.value,
    )


def _text(data: Plain, section: str, field: str) -> str | None:
    fields = data.get(section) if isinstance(data, dict) else None
    found = fields.get(field) if isinstance(fields, dict) else None
    return found if isinstance(found, str) else None

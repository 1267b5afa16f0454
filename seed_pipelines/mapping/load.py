"""Mapping bytes to a SchemaMapping, or to every problem that they have, each with its line and column."""

from pydantic import ValidationError

from seed_pipelines.errors import MappingRejected
from seed_pipelines.manifest.problems import Fault, Path, Problem, dotted
from seed_pipelines.manifest.strict_yaml import Document, read_document
from seed_pipelines.mapping.model import SchemaMapping
from seed_pipelines.mapping.rules import broken_rules


def parse_mapping(content: bytes, *, source: str) -> SchemaMapping:
    """The mapping that the bytes say; raises MappingRejected with every problem."""
    document = read_document(content, source=source)
    if document.problems:
        raise MappingRejected(document.problems)
    try:
        mapping = SchemaMapping.model_validate(document.data)
    except ValidationError as refused:
        raise MappingRejected(tuple(_problems(document, refused))) from None
    faults = broken_rules(mapping)
    if faults:
        raise MappingRejected(tuple(document.located(fault) for fault in faults))
    return mapping


def _problems(document: Document, refused: ValidationError) -> tuple[Problem, ...]:
    found = []
    for error in refused.errors(include_url=False, include_input=False, include_context=False):
        path = _path_in(document, error["loc"])
        if error["type"] == "missing":
            path = (*path, error["loc"][-1])
        why = error["msg"].removeprefix("Value error, ")
        where = dotted(path) if path else "the mapping"
        message = f"{where}: {why[:1].lower()}{why[1:]}. See docs/reference/mapping.md."
        found.append(document.located(Fault(path=path, rule=error["type"].replace("_", "-"), message=message)))
    return tuple(sorted(dict.fromkeys(found), key=lambda problem: (problem.line, problem.column)))


def _path_in(document: Document, loc: Path) -> Path:
    """The place in the file: without what pydantic adds, such as the member of a union."""
    path: Path = ()
    for part in loc:
        if (*path, part) in document.values:
            path = (*path, part)
    return path

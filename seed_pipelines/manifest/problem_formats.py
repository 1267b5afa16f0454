"""Problems as people and as CI systems read them: text, JSON, GitHub annotations, SARIF 2.1.0."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from seed_pipelines.manifest.problems import Problem, on_one_line

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(problems: Iterable[Problem]) -> str:
    """One line for each problem: `file:line:column: message [rule]`."""
    return "\n".join(str(problem) for problem in problems)


def as_json(problems: Iterable[Problem]) -> str:
    """An object with every field of every problem."""
    return json.dumps({"problems": [asdict(problem) for problem in problems]}, indent=2)


def as_github(problems: Iterable[Problem]) -> str:
    """Workflow commands that GitHub Actions shows beside the lines of a change."""
    return "\n".join(_github_line(problem) for problem in problems)


def as_sarif(problems: Iterable[Problem]) -> str:
    """A SARIF 2.1.0 log, for code-scanning services."""
    found = list(problems)
    rules = sorted({problem.rule for problem in found})
    run = {
        "tool": {"driver": {"name": "seed-data manifest check", "rules": [{"id": rule} for rule in rules]}},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(problem, rules) for problem in found],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


FORMATS: Mapping[str, Callable[[Iterable[Problem]], str]] = MappingProxyType(
    {"text": as_text, "json": as_json, "github": as_github, "sarif": as_sarif}
)


def _github_line(problem: Problem) -> str:
    properties = {
        "file": on_one_line(problem.source),
        "line": problem.line,
        "col": problem.column,
        "title": f"manifest: {problem.rule}",
    }
    listed = ",".join(f"{name}={_github_property(str(value))}" for name, value in properties.items())
    return f"::error {listed}::{_github_text(problem.message)}"


def _github_text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_text(text).replace(":", "%3A").replace(",", "%2C")


def _sarif_result(problem: Problem, rules: list[str]) -> dict[str, Any]:
    return {
        "ruleId": problem.rule,
        "ruleIndex": rules.index(problem.rule),
        "level": "error",
        "message": {"text": problem.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(problem.source, errors="surrogateescape")},
                    "region": {"startLine": problem.line, "startColumn": problem.column},
                },
                "logicalLocations": [{"fullyQualifiedName": problem.pointer}],
            }
        ],
    }

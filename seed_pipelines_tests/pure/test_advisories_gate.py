"""The audit of the locks says what it knows, and says so where it knows nothing."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    place = Path(__file__).parents[2] / "infra/gates/advisories.py"
    spec = importlib.util.spec_from_file_location("advisories", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(*dependencies: dict[str, object]) -> bytes:
    return json.dumps({"dependencies": dependencies, "fixes": []}).encode()


def test_a_vulnerable_version_is_named(gate: ModuleType) -> None:
    answer = gate.answer_of(
        printed(
            {"name": "good", "version": "1.0", "vulns": []},
            {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-2026-0001"}]},
        )
    )
    assert answer.known == 2
    assert answer.vulnerable == ("bad 2.0: CVE-2026-0001",)


@pytest.mark.parametrize("output", [b"", b"Traceback", printed({"name": "one", "skip_reason": "not found"})])
def test_a_source_that_knew_nothing_has_not_answered(gate: ModuleType, output: bytes) -> None:
    assert gate.answer_of(output) is None


@pytest.mark.parametrize(("required", "code"), [("required", 1), ("", 0)])
def test_without_a_source_only_a_required_audit_fails(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, required: str, code: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADVISORIES", required)
    assert gate.main([str(tmp_path / "no.lock")]) == code

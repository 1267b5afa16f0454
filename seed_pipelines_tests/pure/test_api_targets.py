"""The targets of the API under load: each that stands in the file is held."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADS = ("validate_warm", "validate_cold", "get_run")
GOOD = {"rate": 1e9, "p50": 0.0, "p95": 0.0, "p99": 0.0, "failed": 0}
BAD = {"requests_per_second": {"rate": 0.0}, "p95_ms": {"p95": 1e9}, "p99_ms": {"p99": 1e9}}


@pytest.fixture
def verdict(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import api_verdict

    return api_verdict


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("target", BAD)
def test_every_load_has_every_target_and_misses_it_alone(verdict, load, target):
    targets = verdict.TARGETS[load]
    (missed,) = verdict.missed_of(load, GOOD | BAD[target], targets)
    assert missed.startswith(f"{load}: {target} ")
    assert missed.endswith(f"target {targets[target]}")


def test_a_load_that_is_fast_enough_misses_nothing_unless_a_request_failed(verdict):
    assert verdict.missed_of("get_run", GOOD, verdict.TARGETS["get_run"]) == []
    assert verdict.missed_of("get_run", GOOD | {"failed": 2}, verdict.TARGETS["get_run"]) == [
        "get_run: 2 requests failed"
    ]


def test_a_target_that_nothing_measures_is_no_target(verdict):
    with pytest.raises(KeyError):
        verdict.missed_of("get_run", GOOD, {"p999_ms": 1})

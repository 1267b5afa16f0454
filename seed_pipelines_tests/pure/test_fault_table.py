"""docs/discussion/faults.md names tests that exist and codes that errors have."""

import re
from pathlib import Path

import pytest

from seed_pipelines.errors import error_class_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/discussion/faults.md").read_text()
TESTS = ROOT / "seed_pipelines_tests"


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(?:(\w+/\w+\.py)::)?(test_\w+)`", PAGE)
    assert len(named) >= 10
    for file, test in named:
        text = (TESTS / (file or "whole/test_faults_outside.py")).read_text()
        assert f"def {test}(" in text, test


@pytest.mark.parametrize(
    "code", sorted(set(re.findall(r"`((?:vault|report|telemetry|mask|store|earlier)[-_][\w-]+)`", PAGE)))
)
def test_every_code_that_the_page_names_is_an_errors(code):
    assert error_class_of(code) is not None


@pytest.mark.parametrize(
    ("code", "retryable"), re.findall(r"^\|[^|]+\| `([\w-]+)` \| (yes|no) \|", PAGE, flags=re.MULTILINE)
)
def test_what_is_tried_again_is_what_the_page_says(code, retryable):
    assert error_class_of(code).retryable is (retryable == "yes")

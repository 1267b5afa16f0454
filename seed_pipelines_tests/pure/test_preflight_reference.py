"""The reference page of the preflight has every check, in its own words, and marks what a batch repeats."""

import re
from pathlib import Path

import pytest
from broken_schemas import SCHEMA_BREAKAGES

from seed_pipelines.cli import preflight_parts
from seed_pipelines.load.migrated_functions import migrated_functions
from seed_pipelines.sql import query

PAGE = (Path(__file__).parents[2] / "docs/reference/preflight.md").read_text()
ROWS = {found[1]: found[0] for found in re.findall(r"^(\| `([a-z-]+)`.*)$", PAGE, re.MULTILINE)}


@pytest.mark.parametrize("check", preflight_parts.CHECKS, ids=lambda check: check.name)
def test_every_check_is_documented_in_its_own_words(check):
    assert ROWS[check.name].endswith(f" | {check.promise} | {check.why} | {check.remedy} |")


def test_no_other_check_is_documented():
    assert list(ROWS) == sorted(ROWS, key=[check.name for check in _in_page_order()].index)


def test_the_page_marks_the_checks_that_a_batch_repeats():
    repeated = set(re.findall(r"'([a-z-]+): ", query("preflight_again")))
    assert {name for name, row in ROWS.items() if "•" in row} == repeated


def test_a_later_migration_defines_a_function_anew():
    first, again = (
        f"CREATE OR REPLACE FUNCTION seed_control.f(a text) RETURNS text\n    LANGUAGE sql AS $$ {body} $$;"
        for body in ("SELECT a", "SELECT 'b'")
    )
    one, other = migrated_functions([first]), migrated_functions([first, again])
    assert [function.name for function in other] == ["f"]
    assert one != other
    assert other == migrated_functions([again])


def _in_page_order():
    inside = [check for check in preflight_parts.CHECKS if check.query or check.name in ("migrations", "canary")]
    return [check for check in preflight_parts.CHECKS if check not in inside] + inside


def test_there_are_more_than_seventy_ways_to_break_a_schema_for_the_preflight_to_notice():
    assert len({breakage.statements for breakage in SCHEMA_BREAKAGES}) > 70

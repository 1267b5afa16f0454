"""A migration that would keep the application waiting is refused before it is merged."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SQUAWK = Path(sys.executable).with_name("squawk")


def linted(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(SQUAWK), "--config", ".squawk.toml", "--reporter", "gcc", "--stdin-filepath", "0099_new.sql"]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE app.loans ALTER COLUMN principal_cents TYPE numeric;", "changing-column-type"),
        ("ALTER TABLE app.loans ADD COLUMN note text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE app.loans ALTER COLUMN note SET NOT NULL;", "adding-not-nullable-field"),
        ("ALTER TABLE app.loans RENAME COLUMN note TO remark;", "renaming-column"),
        ("ALTER TABLE app.loans RENAME TO credits;", "renaming-table"),
        ("ALTER TABLE app.loans DROP COLUMN note;", "ban-drop-column"),
        ("DROP TABLE app.loans;", "ban-drop-table"),
        ("ALTER TABLE app.loans ADD CONSTRAINT positive CHECK (principal_cents > 0);", "constraint-missing-not-valid"),
        (
            "ALTER TABLE app.loans ADD FOREIGN KEY (customer_id) REFERENCES app.customers (id);",
            "adding-foreign-key-constraint",
        ),
        ("CREATE INDEX loans_note ON app.loans (note);", "require-concurrent-index-creation"),
        ("ALTER TABLE app.loans ADD COLUMN drawn double precision DEFAULT random();", "adding-field-with-default"),
    ],
)
def test_blocking_ddl_is_refused(statement: str, rule: str) -> None:
    ended = linted(statement)
    assert ended.returncode == 1
    assert rule in ended.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE seed_control.note (id bigint PRIMARY KEY, body text NOT NULL);",
        "ALTER TABLE app.loans ADD COLUMN note text;",
        "ALTER TABLE app.loans ADD CONSTRAINT positive CHECK (principal_cents > 0) NOT VALID;",
        # A contracting one says that it means it.
        "-- squawk-ignore ban-drop-column\nALTER TABLE app.loans DROP COLUMN note;",
    ],
)
def test_a_migration_that_expands_or_means_to_contract_passes(statement: str) -> None:
    ended = linted(statement)
    assert (ended.returncode, ended.stdout) == (0, "")

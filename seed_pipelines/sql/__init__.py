"""SQL by name: every statement of the package lies in `queries/*.sql`, every migration in `migrations/*.sql`.

A query begins with a line `-- name --`, then at least one comment line that says what it does, then one statement.
"""

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

_HEADER = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)


def query(name: str) -> LiteralString:
    """The statement called `name`; KeyError where there is none."""
    return _queries()[name]


def migrations() -> tuple[tuple[str, str], ...]:
    """(file name, text) of every migration, in the order in which they apply."""
    folder = files(__name__) / "migrations"
    found = sorted((entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(found)


def bootstrap() -> str:
    """The statements that an administrator runs once: roles and extension."""
    return (files(__name__) / "bootstrap.sql").read_text()


@cache
def _queries() -> dict[str, LiteralString]:
    found: dict[str, LiteralString] = {}
    for entry in (files(__name__) / "queries").iterdir():
        if entry.name.endswith(".sql"):
            _, *parts = _HEADER.split(entry.read_text())
            # Read from the package itself, never built up: that is what LiteralString stands for.
            statements = cast(list[LiteralString], parts)
            found.update(zip(statements[::2], statements[1::2], strict=True))
    return found

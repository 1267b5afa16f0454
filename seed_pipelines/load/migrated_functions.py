"""The functions of `seed_control` as the shipped migrations define them: no others may lend the loader their rights.

A function is known by its name and by its body, word for word; the last migration that defines it counts. Only bodies
between `$$` are read: the migrations have no others, and a test compares them with a migrated database.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_DEFINITION = re.compile(
    r"^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) seed_control\.(?P<name>\w+)\(.*?\bAS \$\$(?P<body>.*?)\$\$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedFunction:
    """One function, by what the catalogue would say of it."""

    name: str
    body_sha256: str


def migrated_functions(texts: Iterable[str]) -> tuple[MigratedFunction, ...]:
    """Every function that these migrations, applied in order, leave behind."""
    bodies = {
        found["name"]: hashlib.sha256(found["body"].encode()).hexdigest()
        for text in texts
        for found in _DEFINITION.finditer(text)
    }
    return tuple(MigratedFunction(name=name, body_sha256=digest) for name, digest in bodies.items())

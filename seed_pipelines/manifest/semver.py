"""Versions as Semantic Versioning 2.0.0 orders them. Build metadata (`+…`) is refused: it would not be ordered."""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Self

from seed_pipelines.errors import VersionNotSemVer

_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_IDENTIFIER = r"(?:0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?", re.ASCII)
MAX_CHARACTERS = 64


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class SemVer:
    """MAJOR.MINOR.PATCH, or MAJOR.MINOR.PATCH-prerelease, which comes before it."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises VersionNotSemVer."""
        found = cls.find(text)
        if found is None:
            raise VersionNotSemVer(text)
        return found

    @classmethod
    def find(cls, text: str) -> Self | None:
        """The version that a text is, or None."""
        match = _SEMVER.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
        if match is None:
            return None
        major, minor, patch, prerelease = match.groups()
        return cls(
            major=int(major),
            minor=int(minor),
            patch=int(patch),
            prerelease=tuple(prerelease.split(".")) if prerelease else (),
        )

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, SemVer):
            return NotImplemented
        return self._rank() < other._rank()

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{'.'.join(self.prerelease)}" if self.prerelease else core

    def _rank(self) -> tuple[object, ...]:
        # A number comes before a word, and any prerelease before the release itself.
        words = tuple((0, int(word), "") if word.isdigit() else (1, 0, word) for word in self.prerelease)
        return (self.major, self.minor, self.patch, not self.prerelease, words)

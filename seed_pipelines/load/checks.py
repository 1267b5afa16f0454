"""A check of the preflight, and what came of it: values only, nothing is asked here."""

from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN_FINDINGS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that has to hold before a row is written.

    Attributes:
        name: stable; it is stored with the seed run and stands in its report.
        promise: what holds where the check passes.
        why: what would happen where it did not.
        remedy: what to do then.
        query: the statement that lists what speaks against the promise; None where code finds it out.
    """

    name: str
    promise: str
    why: str
    remedy: str
    query: str | None = None

    def result(self, findings: Iterable[str]) -> "CheckResult":
        """Passed where nothing speaks against it."""
        found = tuple(findings)
        if not found:
            return CheckResult(check=self.name, ok=True, detail=self.promise)
        more = len(found) - _SHOWN_FINDINGS
        shown = [*found[:_SHOWN_FINDINGS], *([f"and {more} more"] if more > 0 else [])]
        return CheckResult(check=self.name, ok=False, detail=", ".join(shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found; `detail` is the promise that holds, or what speaks against it."""

    check: str
    ok: bool
    detail: str

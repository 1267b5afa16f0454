"""Hold the locked versions against the public advisories: `python infra/gates/advisories.py LOCK…`.

Exits with 1 where a version has a known vulnerability. Where no advisory source can be reached nothing is known, and
that is said: it passes, unless ADVISORIES=required is set, as the pipelines with a way out do.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

_SOURCES = ("pypi", "osv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one source said: how many versions it knew, and the ids of what it has against them."""

    known: int
    vulnerable: tuple[str, ...]


def main(locks: list[str]) -> int:
    answer = next(filter(None, (_asked(source, locks) for source in _SOURCES)), None)
    if answer is None:
        sys.stdout.write("advisories: no source could be reached, so nothing was audited\n")
        return int(os.environ.get("ADVISORIES") == "required")
    for vulnerability in answer.vulnerable:
        sys.stdout.write(f"advisories: {vulnerability}\n")
    sys.stdout.write(f"advisories: {answer.known} versions audited, {len(answer.vulnerable)} known vulnerabilities\n")
    return int(bool(answer.vulnerable))


def _asked(source: str, locks: list[str]) -> Answer | None:
    requirements = [argument for lock in locks for argument in ("--requirement", lock)]
    options = ["--vulnerability-service", source, "--disable-pip", "--format", "json", "--timeout", "10"]
    command = [sys.executable, "-m", "pip_audit", *options, *requirements]
    return answer_of(subprocess.run(command, capture_output=True, check=False).stdout)


def answer_of(printed: bytes) -> Answer | None:
    """What the audit's JSON says; None where it is none, or where the source knew no version at all."""
    try:
        found = json.loads(printed)["dependencies"]
    except ValueError:
        return None
    audited = [dependency for dependency in found if "skip_reason" not in dependency]
    if not audited:
        return None
    vulnerable = (f"{one['name']} {one['version']}: {hole['id']}" for one in audited for hole in one["vulns"])
    return Answer(known=len(audited), vulnerable=tuple(vulnerable))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

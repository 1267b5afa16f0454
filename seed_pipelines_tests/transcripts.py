"""Pages that are typed in: the console blocks of a page run in order in one shell, and say what the page says they do.

A line `$ command` runs; `# exit code 3` after it is what it has to end with, else 0. The lines below are what it says,
in order: `…` stands for anything, and an id or a hash is learned where it is first seen, in place of the page's. A
comment `<!-- rehearsal: name -->` is something that happens outside of the page: readers do not see it.
"""

import os
import re
import subprocess
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAMED = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{64}\b")
REHEARSAL = re.compile(r"<!-- rehearsal: (.+?) -->")
EXIT_CODE = re.compile(r"# exit code (\d+)$")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Step:
    """One command, or one thing that happens."""

    command: str = ""
    rehearsal: str = ""
    says: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        found = EXIT_CODE.search(self.command)
        return int(found.group(1)) if found else 0


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return [(language, textwrap.dedent(content)) for language, content in FENCE.findall(text)]


def steps_of(text: str) -> list[Step]:
    """What a page does, in its order."""
    parts = re.finditer(rf"{FENCE.pattern}|{REHEARSAL.pattern}", text, re.DOTALL | re.MULTILINE)
    return [step for part in parts for step in _steps_of(part)]


def _steps_of(part: re.Match[str]) -> Iterator[Step]:
    language, content, rehearsal = part.groups()
    if rehearsal:
        yield Step(rehearsal=rehearsal)
    elif language == "console":
        yield from _commands_of(textwrap.dedent(content))


def _commands_of(content: str) -> Iterator[Step]:
    step = None
    for line in content.splitlines():
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(command=line.removeprefix("$ "))
        elif step is not None and not step.says and step.command.endswith("\\"):
            step.command += f"\n{line}"
        elif step is not None and line.strip():
            step.says.append(line)
    if step is not None:
        yield step


@dataclass(slots=True, kw_only=True)
class Shell:
    """One shell, command by command: exported variables last, ids are those that were seen."""

    folder: Path
    environment: Mapping[str, str]
    names: dict[str, str] = field(default_factory=dict)

    def play(self, text: str, happens: Mapping[str, Callable[[], None]]) -> None:
        for step in steps_of(text):
            if step.rehearsal:
                happens[step.rehearsal]()
            else:
                self._type(step)

    def export(self, **variables: str) -> None:
        with (self.folder / ".exported").open("a") as file:
            file.writelines(f"declare -x {name}={value!r}\n" for name, value in variables.items())

    def run(self, command: str, *, exit_code: int = 0) -> str:
        """What a command says, on both of its ways out."""
        script = f"touch .exported; . ./.exported\n{command}\ncode=$?; export -p > .exported; exit $code"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == exit_code, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def _type(self, step: Step) -> None:
        command = NAMED.sub(lambda found: self.names.get(found.group(), found.group()), step.command)
        self._compare(step, self.run(command, exit_code=step.exit_code))

    def _compare(self, step: Step, output: str) -> None:
        said = iter([" ".join(line.split()) for line in output.splitlines()])
        for wanted in step.says:
            pattern, unknown = self._pattern(" ".join(wanted.split()))
            found = next((match for line in said if (match := re.fullmatch(pattern, line))), None)
            assert found, f"{step.command} did not say {wanted!r} but:\n{output}"
            self.names |= dict(zip(unknown, found.groups(), strict=True))

    def _pattern(self, wanted: str) -> tuple[str, list[str]]:
        pattern, unknown, at = "", [], 0
        for found in NAMED.finditer(wanted):
            pattern += _anything(wanted[at : found.start()])
            name, at = found.group(), found.end()
            if name in self.names:
                pattern += re.escape(self.names[name])
            else:
                pattern += rf"([0-9a-f-]{{{len(name)}}})"
                unknown.append(name)
        return pattern + _anything(wanted[at:]), unknown


def _anything(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split("…"))

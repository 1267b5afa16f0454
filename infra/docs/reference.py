"""Writes docs/reference/errors.md and docs/reference/commands.md from the code: `python infra/docs/reference.py`.

A test compares the files with what this makes, so neither can fall behind.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import typer

from seed_pipelines.cli.main import app
from seed_pipelines.errors import SeedError

REFERENCE = Path("docs/reference")

_ERRORS = """# Errors

Every error has a stable code: the problem type in reports, the label in Dagster, the first word in the terminal.
Exit codes: 2 bad input, 3 refused by a precondition (nothing was written), 4 failed, 5 stopped (what is committed
stays).
A retryable error is tried again by the manifest's `backoff`; no other layer retries.

| code | exit code | retryable | what it says |
|---|---:|---|---|
"""

_COMMANDS = """# Commands

`seed-data --help` says the same; each command has `--help` with examples.
"""


def errors_page() -> str:
    """Every error of the tree, by code."""
    found = sorted(_leaves(SeedError), key=lambda error: error.code)
    return _ERRORS + "".join(
        f"| `{error.code}` | {error.exit_code} | {_yes(error.retryable)} | {_first_line(error.__doc__)} |\n"
        for error in found
    )


def commands_page() -> str:
    """Every command with its arguments and options."""
    return _COMMANDS + "".join(_described(path, command) for path, command in _commands(typer.main.get_command(app)))


def _leaves(root: type[SeedError]) -> Iterator[type[SeedError]]:
    for child in root.__subclasses__():
        if not child.__subclasses__():
            yield child
        yield from _leaves(child)


def _commands(group: click.Command, path: str = "seed-data") -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(getattr(group, "commands", {}).items()):
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _described(path: str, command: click.Command) -> str:
    lines = [f"\n## {path}\n", f"{(command.help or '').strip()}\n"]
    parameters = [parameter for parameter in command.params if parameter.name != "help"]
    if parameters:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_shown(parameter)}` | {getattr(parameter, 'help', None) or ''} |" for parameter in parameters]
    return "\n".join(lines) + "\n"


def _shown(parameter: click.Parameter) -> str:
    if parameter.param_type_name == "argument":
        return (parameter.name or "").upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n", maxsplit=1)[0]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def pages() -> dict[Path, str]:
    return {REFERENCE / "errors.md": errors_page(), REFERENCE / "commands.md": commands_page()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        sys.stdout.write(f"{path}\n")

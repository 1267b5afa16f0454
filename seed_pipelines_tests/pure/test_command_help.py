"""Help that teaches, and completion for three shells, without loading what they do not need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from seed_pipelines.cli.main import app

ROOT = Path(__file__).parents[2]
SEED_DATA = str(Path(sys.executable).with_name("seed-data"))
HEAVY = (
    "boto3",
    "dagster",
    "fastapi",
    "httpx",
    "hvac",
    "numpy",
    "opentelemetry",
    "psycopg",
    "pyarrow",
    "pydantic",
    "yaml",
)


def commands(group, path="seed-data"):
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_shows_an_example_of_itself(path):
    text = " ".join(COMMANDS[path].help.split())
    assert any(f"{word} " in text for word in ("Example:", "Examples:"))
    assert path in text.split("Example", 1)[1]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_is_explained(path):
    assert [parameter.name for parameter in COMMANDS[path].params if not getattr(parameter, "help", None)] == []


def test_help_of_everything_loads_nothing_heavy():
    program = (
        "import sys\nfrom seed_pipelines.cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


def asked(**environment):
    """What the command answers to a shell that has these variables."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEED_")} | environment
    done = subprocess.run([SEED_DATA], cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


def completed(shell, line, **environment):
    """What the shell would propose for the last word of a line."""
    if shell == "bash":
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    else:
        words = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    return asked(_SEED_DATA_COMPLETE=f"complete_{shell}", **words, **environment)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_manifests_are_completed_in_every_shell(shell):
    found = "\n".join(completed(shell, "seed-data run dev/a"))
    assert "dev/acme.yaml" in found
    assert "globex" not in found


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("seed-data wat", ["watch"]),
        ("seed-data manifest se", ["seal"]),
        ("seed-data plan manifests/dev/ac", ["manifests/dev/acme.yaml"]),
        # No database runs in that home.
        ("seed-data watch 0", []),
    ],
)
def test_commands_paths_and_ids_are_completed(line, proposed, tmp_path):
    assert [each for each in completed("bash", line, SEED_HOME=str(tmp_path)) if each] == proposed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell_can_be_shown(shell):
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [SEED_DATA, "--show-completion", shell], env=environment, capture_output=True, text=True, check=True
    )
    assert f"complete_{shell}" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


def test_completion_is_installed_where_the_shell_looks(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    subprocess.run([SEED_DATA, "--install-completion", "bash"], env=environment, capture_output=True, check=True)
    line = (tmp_path / ".bashrc").read_text()
    script = tmp_path / ".bash_completions/seed-data.sh"
    assert str(script) in line
    assert "complete_bash" in script.read_text()

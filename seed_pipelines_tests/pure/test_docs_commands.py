"""Whatever the documents tell people to type exists, and so does whatever it may say, ask for or read."""

import itertools
import re
import shlex
from pathlib import Path

import pytest
import typer
from transcripts import blocks_of

from seed_pipelines.cli.main import app
from seed_pipelines.errors import SeedError, error_class_of
from seed_pipelines.manifest.schema import schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "infra").rglob("*.md")]
SHELLS = ("", "bash", "console", "sh")
# What ends a command in a shell, and what people write after one.
END_OF_COMMAND = re.compile(r"\s(?:[|&>#]|2>)|[;)`]")
COMMAND = typer.main.get_command(app)


def typed_in(page):
    """Every `seed-data …` of a page: in blocks, and in the text between backticks."""
    text = page.read_text()
    for language, content in blocks_of(text):
        if language in SHELLS:
            for line in content.replace("\\\n", " ").splitlines():
                yield from re.findall(r"(?:^|[\s($\"])(seed-data [a-z-].*)", line)
    without_blocks = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`(seed-data [a-z][^`]*)`", without_blocks)


def problem_of(line):
    """What the command line would refuse, None where nothing."""
    words = shlex.split(END_OF_COMMAND.split(line)[0].rstrip("\"'"), comments=True)[1:]
    command = COMMAND
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands"):
        return f"no such command: {line}" if words and not words[0].startswith("-") and words[0] != "…" else None
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = {word.split("=")[0] for word in words if word.startswith("--")} - known - {"--help"}
    return f"no such option: {sorted(unknown)} in {line}" if unknown else None


COMMAND_LINES = [(page, line) for page in PAGES for line in dict.fromkeys(typed_in(page))]


def test_the_documents_are_full_of_commands():
    assert len(COMMAND_LINES) > 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_that_a_page_names_exists(page):
    assert [problem for line in typed_in(page) if (problem := problem_of(line))] == []


@pytest.mark.parametrize(
    "line", ["seed-data runn dev/acme.yaml", "seed-data run --ignore-the-window", "seed-data db go"]
)
def test_a_command_that_does_not_exist_would_be_found(line):
    assert problem_of(line)


@pytest.mark.parametrize("path", ["plan", "run", "status", "report verify", "db url", "manifest check"])
def test_the_readme_shows_a_command_that_matters(path):
    assert f"seed-data {path}" in (ROOT / "README.md").read_text()


def test_every_verb_of_make_that_the_documents_name_exists():
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {verb for page in PAGES for verb in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert named <= verbs


def test_every_setting_is_documented():
    code = "".join(file.read_text() for file in (ROOT / "seed_pipelines").rglob("*.py"))
    settings = set(re.findall(r"\"(SEED_[A-Z_]+[A-Z])\"", code))
    kinds = ("reference", "how-to", "discussion")
    described = "".join(page.read_text() for kind in kinds for page in (DOCS / kind).glob("*.md"))
    assert {name for name in settings if name not in described} == set()


def test_every_setting_that_the_documents_name_is_read():
    code = "".join(
        file.read_text()
        for folder, ends in (("seed_pipelines", "*.py"), ("helm", "*"), ("infra", "*"))
        for file in (ROOT / folder).rglob(ends)
        if file.is_file() and file.suffix not in (".md", ".pyc", ".png", ".tgz")
    )
    named = {name for page in PAGES for name in re.findall(r"\bSEED_[A-Z][A-Z_]+[A-Z]\b", page.read_text())}
    assert {name for name in named if name not in code} == set()


def test_every_field_of_a_manifest_is_documented():
    page = (DOCS / "reference/manifest.md").read_text()
    assert {name for name in fields_of(schema()) if name not in page} == set()


def fields_of(part):
    """The names of all properties, however deep."""
    if isinstance(part, list):
        yield from itertools.chain.from_iterable(fields_of(each) for each in part)
    if isinstance(part, dict):
        yield from part.get("properties", {})
        yield from itertools.chain.from_iterable(fields_of(each) for each in part.values())


def test_every_error_code_that_a_runbook_names_is_one():
    text = "".join(page.read_text() for page in (DOCS / "runbooks").glob("*.md"))
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text)) | set(re.findall(r"^ *([a-z]+(?:-[a-z]+)+): ", text, re.M))
    assert len(named) > 20
    assert {code for code in named if error_class_of(code) is None} == set()


def test_every_alert_that_a_runbook_names_is_one():
    text = "".join(page.read_text() for page in (DOCS / "runbooks").glob("*.md"))
    rules = (ROOT / "helm/seed-pipelines/templates/monitoring.yaml").read_text()
    alerts = set(re.findall(r"`(Seed[A-Z]\w+)`", text))
    assert alerts
    assert {alert for alert in alerts if f"alert: {alert}\n" not in rules} == set()


def test_every_error_is_documented():
    page = (DOCS / "reference/errors.md").read_text()
    assert {error.code for error in leaves(SeedError) if f"| `{error.code}` |" not in page} == set()


def leaves(root):
    for child in root.__subclasses__():
        yield from [child] if not child.__subclasses__() else leaves(child)

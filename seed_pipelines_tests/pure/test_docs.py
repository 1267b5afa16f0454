"""The documents say what the code does: pages that are made from it are compared with it."""

import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seed_pipelines
from seed_pipelines import sql

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "infra/docs/reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    return reference.pages()


@pytest.mark.parametrize("name", ["errors.md", "commands.md"])
def test_a_reference_page_is_what_the_code_makes_of_it(pages, name):
    page = Path("docs/reference") / name
    assert (ROOT / page).read_text() == pages[page], "run: python infra/docs/reference.py"


def test_the_readme_shows_the_shipped_manifest_whole():
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1)
    assert shown == (ROOT / "manifests/dev/acme.yaml").read_text()


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", ["README.md", "docs/promises.md"])
def test_every_guarantee_names_a_test_that_exists(page):
    rows = re.findall(r"\| `([\w/]+\.py)::(\w+)` \|", (ROOT / page).read_text())
    assert len(rows) >= 10
    for file, test in rows:
        text = (ROOT / "seed_pipelines_tests" / file).read_text()
        assert f"def {test}(" in text, f"{file}::{test}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")], ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_query_is_named_once_and_explained():
    names = []
    for file in (Path(sql.__file__).parent / "queries").glob("*.sql"):
        parts = re.split(r"^-- ([a-z_]+) --$", file.read_text(), flags=re.MULTILINE)
        names += parts[1::2]
        for name, statement in zip(parts[1::2], parts[2::2], strict=True):
            assert statement.lstrip("\n").startswith("-- "), f"{name} has no comment"
            assert statement.count(";\n") == 1 or "DO $$" in statement, f"{name} is not one statement"
    assert len(names) == len(set(names))


def test_every_query_is_used():
    code = "".join(file.read_text() for file in Path(seed_pipelines.__file__).parent.rglob("*.py"))
    for file in (Path(sql.__file__).parent / "queries").glob("*.sql"):
        for name in re.findall(r"^-- ([a-z_]+) --$", file.read_text(), flags=re.MULTILINE):
            assert f'"{name}"' in code, name


def test_importing_any_module_but_the_doors_own_touches_no_environment():
    """Only definitions.py builds something when it is imported: Dagster loads it so."""
    modules = [
        module.name
        for module in pkgutil.walk_packages(seed_pipelines.__path__, "seed_pipelines.")
        if module.name != "seed_pipelines.definitions"
    ]
    program = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", program], env={}, cwd="/", check=True)

"""The documents as a site: every page has its place, every anchor is there, nothing is fetched from elsewhere, and the
pages in Portuguese have the commands of those in English."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from transcripts import blocks_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TRANSLATED = ["quickstart.md", *(f"runbooks/{page.name}" for page in sorted((DOCS / "runbooks").glob("*.md")))]
FETCHED = re.compile(r'<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]+)"')
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built as `make docs` does: a page outside the navigation, a dead link or a missing anchor is an error."""
    folder = tmp_path_factory.mktemp("site")
    mkdocs = Path(sys.executable).with_name("mkdocs")
    command = [str(mkdocs), "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_has_a_page_for_each_document(site):
    missing = [page for page in DOCS.rglob("*.md") if not (site / page.relative_to(DOCS)).with_suffix(".html").exists()]
    assert missing == []


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    assert {(page.name, found) for page in pages for found in FETCHED.findall(page.read_text())} == set()


def test_the_navigation_names_every_page_once():
    named = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    assert yaml.safe_load((ROOT / "mkdocs.yml").read_text())["strict"]


@pytest.mark.parametrize("page", [ROOT / "README.md", *(ROOT / "infra").rglob("*.md")], ids=lambda page: str(page))
def test_every_anchor_outside_of_the_site_leads_to_a_heading(page):
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text()):
        text = (page.parent / target).read_text() if target else page.read_text()
        assert anchor in {slug(heading) for heading in HEADING.findall(text)}, f"{target}#{anchor}"


def slug(heading):
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


@pytest.mark.parametrize("page", TRANSLATED)
def test_a_page_in_portuguese_has_the_blocks_of_the_one_in_english(page):
    english, portuguese = DOCS / page, DOCS / "pt-br" / page.replace("runbooks/index.md", "index.md")
    assert blocks_of(portuguese.read_text()) == blocks_of(english.read_text())


@pytest.mark.parametrize("page", TRANSLATED)
def test_a_page_in_portuguese_has_the_sections_and_codes_of_the_one_in_english(page):
    english, portuguese = DOCS / page, DOCS / "pt-br" / page.replace("runbooks/index.md", "index.md")
    first, second = english.read_text(), portuguese.read_text()
    assert len(HEADING.findall(second)) == len(HEADING.findall(first))
    words = re.compile(r"`([^`\n]+)`")
    assert sorted(set(words.findall(second))) == sorted(set(words.findall(first)))

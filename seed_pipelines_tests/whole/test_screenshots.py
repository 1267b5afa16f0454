"""What the pictures in the documents are of is what the UI of a real `seed-data dev` shows."""

import importlib.util
import os
import re
from pathlib import Path

import pytest
from dev_server import running_dev_server

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/use-the-dagster-ui.md"


@pytest.fixture(scope="module")
def screenshots():
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "infra/docs/screenshots.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_ui_shows_the_assets_and_links_the_report(screenshots, postgres_server, open_directory):
    program = screenshots.chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: it is Debian's package of that name", pytrace=False)
        pytest.skip("chromium is missing")
    home = open_directory / "laptop/home"
    home.parent.mkdir()
    screenshots.write_manifests(home.parent / "manifests")
    with (
        running_dev_server(home, home.parent / "manifests") as server,
        screenshots.camera(server, None, program=program) as camera,
    ):
        screenshots.asset_graph(camera)
        screenshots.report_link(camera)


def test_every_picture_of_the_ui_is_shown_small_and_described(screenshots):
    taken = {picture.name for picture in screenshots.IMAGES.glob("dagster-*.png")}
    shown = dict(re.findall(r"!\[([^\]]*)\]\(\.\./images/(dagster-[a-z-]+\.png)\)", PAGE.read_text(encoding="utf-8")))
    assert set(shown.values()) == taken
    assert len(taken) == 5
    assert all(len(described) > 20 for described in shown)
    for name in taken:
        assert (screenshots.IMAGES / name).stat().st_size <= screenshots.LARGEST_BYTES

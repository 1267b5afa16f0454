"""Pictures of Dagster's UI for the documents, by a headless Chromium at a real `seed-data dev`, which has to show what
they are about: assets, partitions, a backfill under way, a check that failed, the link to a report.

`make screenshots` writes them to docs/images; a page that lacks what it has to show ends it, and no picture is taken.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from dagster_client import wait_for
from dev_server import DevServer, running_dev_server
from playwright.sync_api import Page, expect, sync_playwright
from sealed_manifests import write_manifest
from small_manifests import SMALL, carga

from seed_pipelines.local_database import DATABASE
from seed_pipelines.outside.embedded import EmbeddedPostgres

IMAGES = Path(__file__).parents[2] / "docs/images"
LARGEST_BYTES = 200 * 1024
_GROUP = "locations/__repository__@seed_pipelines/asset-groups"
# Chromium of a container runs as root, without a graphics card, and asks nobody for updates.
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PATIENCE_MS = 30_000
# Three shards of a few seconds each: long enough to be seen at work.
_UNDER_WAY = {"rate_limit": {"limit": 1, "window_seconds": 2, "burst": 1}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A page of a browser, and where pictures go; without a folder it only looks."""

    page: Page
    server: DevServer
    folder: Path | None

    def take(self, name: str, path: str, *, shows: tuple[str, ...]) -> None:
        """Open a page of the UI, see that every text is visible, and take its picture."""
        self.page.goto(f"{self.server.client.url}/{path}")
        for text in shows:
            expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible(timeout=_PATIENCE_MS)
        expect(self.page.get_by_text("Loading runs")).to_be_hidden(timeout=_PATIENCE_MS)
        if self.folder is not None:
            self.page.screenshot(path=self.folder / f"dagster-{name}.png", animations="disabled")


def chromium() -> str | None:
    """The browser's program, or None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def camera(server: DevServer, folder: Path | None, *, program: str) -> Iterator[Camera]:
    """A browser of its own, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, timezone_id="UTC", locale="en-US")
            yield Camera(page=page, server=server, folder=folder)
        finally:
            browser.close()


def write_manifests(folder: Path) -> None:
    """A baseline that runs at once, and a carga of three shards that takes its time."""
    write_manifest(folder, **SMALL)
    write_manifest(folder, **(carga(shards=3) | _UNDER_WAY))


def asset_graph(camera: Camera) -> None:
    camera.take("asset-graph", f"{_GROUP}/dev__acme/lineage", shows=("customers", "installments", "dataset"))


def report_link(camera: Camera) -> None:
    """A seed run, the sensor that writes its report, and the dataset's own page that links it."""
    server = camera.server
    run = server.client.launch("seed__dev__acme", shard="0000")
    server.client.wait(run, until=("SUCCESS",))
    written = "SELECT uri FROM seed_control.report_outbox WHERE written_at IS NOT NULL"
    uri = wait_for(lambda: server.value(written), seconds=60, what="the report")
    camera.take("report-link", "assets/dev/acme/dataset?view=events", shows=("report", Path(uri).name[:12]))


def partitions_and_backfill(camera: Camera) -> None:
    client = camera.server.client
    backfill = client.backfill(client.partitions("seed__dev__globex"), job="seed__dev__globex")
    at_work = {"statuses": ["STARTED"], "dagster__backfill": backfill}
    wait_for(lambda: client.runs(**at_work), seconds=60, what="a shard to be at work")
    camera.take("backfill", f"runs/b/{backfill}?tab=runs", shows=(backfill, "In progress", "Started"))
    client.wait_backfill(backfill, runs=3)
    page = "assets/dev/globex/loans?view=partitions&partition=0001"
    camera.take("partitions", page, shows=("0000", "0001", "0002", "content_hash"))


def failed_check(camera: Camera) -> None:
    """Another hash than before: the one before is changed behind the product's back."""
    server = camera.server
    with psycopg.connect(EmbeddedPostgres(server.home).address().dsn(DATABASE), autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("UPDATE seed_control.seed_run SET dataset_hash = repeat('0', 64) WHERE tenant = 'acme'")
    run = server.client.launch("seed__dev__acme", shard="0000")
    server.client.wait(run, until=("SUCCESS",))
    camera.take("failed-check", "assets/dev/acme/dataset?view=checks", shows=("hash_as_before", "Failed"))


#: In this order: a report needs a seed run, and a check something before it.
VIEWS: tuple[Callable[[Camera], None], ...] = (asset_graph, report_link, partitions_and_backfill, failed_check)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help=f"write the pictures to {IMAGES.name}")
    options = parser.parse_args()
    program = chromium()
    if program is None:
        sys.exit("no chromium: it is Debian's package of that name")
    with tempfile.TemporaryDirectory(prefix="seed-screenshots-") as folder:
        # The server of a root user runs as somebody else, who has to get in.
        Path(folder).chmod(0o755)
        root = Path(folder) / "laptop"
        root.mkdir()
        write_manifests(root / "manifests")
        with (
            running_dev_server(root / "home", root / "manifests") as server,
            camera(server, IMAGES if options.write_docs else None, program=program) as ours,
        ):
            for view in VIEWS:
                view(ours)
                print(view.__name__)  # noqa: T201 (a script says how far it is)


if __name__ == "__main__":
    main()

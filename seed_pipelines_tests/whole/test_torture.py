"""The torture of `make torture`, at a count that CI can afford."""

import re
import secrets
from pathlib import Path

import pytest
from torture.page import HEAD, page
from torture.rounds import Options, Torture
from torture.server import TorturedServer
from torture.verdict import PROMISES


@pytest.fixture
def server(open_directory):
    tortured = TorturedServer(open_directory / "home")
    tortured.start()
    yield tortured
    tortured.remove()


@pytest.mark.slow
def test_whoever_is_killed_at_whatever_moment_nothing_is_lost_doubled_overspent_or_half_seen(server, open_directory):
    options = Options(kills=8, crashes=2, customers=60, seed=secrets.randbelow(2**32))
    torture = Torture(server, open_directory, options, say=print)
    torture.run()
    assert (torture.told.kills, torture.told.crashes) == (8, 2)
    assert all(torture.verdict.held[promise] for promise in PROMISES)
    text = page(options, torture, version="15.0")
    assert all(f"| {promise} |" in text for promise in PROMISES)


def test_the_page_in_the_documents_is_of_the_full_count_and_of_every_promise():
    written = (Path(__file__).parents[2] / "docs/torture.md").read_text()
    assert HEAD in written
    full = Options()
    assert f"| workers killed by SIGKILL | {full.kills} |" in written
    assert f"| immediate shutdowns of PostgreSQL | {full.crashes} |" in written
    held = dict(re.findall(r"^\| (.+?) \| (\d[\d,]*) \| 0 \|$", written, flags=re.MULTILINE))
    assert set(PROMISES) <= set(held)

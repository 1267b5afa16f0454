"""Many tenants for few slots: the simulation of docs/discussion/scale.md, at a count that CI can afford."""

import re
from pathlib import Path

import pytest
from simulation.page import Options, table
from simulation.start import launcher_of, verdict_on

PAGE = Path(__file__).parents[2] / "docs/discussion/scale.md"
SMALL = Options(tenants=60, environments=2, window_hours=1, speed=500.0)


@pytest.fixture
def launcher(seeded, tmp_path):
    return launcher_of(SMALL, url=seeded.loader_url, home=tmp_path)


@pytest.mark.slow
def test_many_tenants_share_few_slots_in_order_inside_their_windows_and_to_the_last(seeded, launcher):
    launcher.run()
    verdict = verdict_on(launcher, SMALL, dsn=seeded.server.dsn(seeded.name))
    assert verdict.broken == []
    assert verdict.runs == SMALL.tenants
    assert verdict.most_at_once == 2
    assert verdict.nights >= 2
    assert verdict.waits > SMALL.tenants / 2
    # The handover of a slot is of real time, and this machine may be busy.
    assert verdict.packing_of_full_nights > 0.4
    assert seeded.value("SELECT count(*) FROM seed_control.env_slot WHERE holder IS NOT NULL") == 0
    assert "| most seed runs at once in an environment | 2 of 2 |" in table(SMALL, verdict)


def test_the_page_in_the_documents_is_of_the_full_count():
    text, full = PAGE.read_text(encoding="utf-8"), Options()
    (came,) = re.findall(r"<!-- simulated -->\n\n(.*?)\n\n<!-- /simulated -->", text, flags=re.DOTALL)
    figures = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", came, flags=re.MULTILINE))
    assert figures["tenants, in so many environments"] == f"{full.tenants:,} in {full.environments}"
    assert figures["tenants whose runs were at work"] == f"{full.tenants:,}"
    assert figures["most seed runs at once in an environment"] == "2 of 2"
    assert figures["most of one tenant at once"] == "1"
    assert figures["stretches of work outside of a window"] == "0"
    assert figures["later ones that began before one who waited, at most"] in ("0", "1")

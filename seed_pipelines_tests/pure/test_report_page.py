"""The page about a report: whole in itself, true to the report, and harmless whatever the report says."""

import re
from html.parser import HTMLParser

import pytest
from report_factory import make_evidence, make_signer

from seed_pipelines.cli.report_page import page_of
from seed_pipelines.evidence.facts import BudgetUsage, Outcome
from seed_pipelines.evidence.report import sealed_envelope
from seed_pipelines.evidence.verify import payload_of

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"


def page(**changes):
    payload = payload_of(sealed_envelope(make_evidence(**changes), signer=make_signer()))
    return page_of(payload, location="report.json")


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.names, self.attributes, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_element_is_closed_and_nothing_is_loaded_or_run():
    found = Elements(page())
    assert found.open == []
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(found.names)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href", "action")]
    assert "url(" not in page()
    assert "default-src 'none'" in page()


def test_rows_are_drawn_in_one_scale():
    evidence = {"planned_rows": {"customers": 1000, "loans": 500}, "actual_rows": {"customers": 500, "loans": 500}}
    drawn = page(outcome=Outcome.ABORTED, dataset_hash=None, **evidence)
    assert re.findall(r'class="plan"[^>]* width="(\d+)"', drawn)[:2] == ["460", "230"]
    assert re.findall(r'class="done"[^>]* width="(\d+)"', drawn)[:2] == ["230", "230"]
    assert "500 of 1,000" in drawn


def test_every_batch_is_in_one_bucket_of_the_latency_plot():
    drawn = page(batches=7)
    counts = re.findall(r">([\d,]+ to [\d,]+ ms|[\d,]+ ms and more)</text>.*?>(\d+)</text>", drawn)
    assert len(counts) == 12
    assert dict(counts)["50 to 100 ms"] == "8"
    assert sum(int(count) for _, count in counts) == 8


@pytest.mark.parametrize(
    ("micro", "said"),
    [(0, "R$ 0.00"), (2_500, "R$ 0.00"), (1_990_000, "R$ 1.99"), (4_321_000_000, "R$ 4,321.00")],
)
def test_money_is_said_in_reais_and_whole_centavos(micro, said):
    usage = BudgetUsage(cap_micro_brl=5_000_000_000, planned_micro_brl=micro, spent_micro_brl=micro)
    assert f"{said} of R$ 5,000.00" in page(budget_usage=usage)


def test_what_the_report_says_is_escaped():
    drawn = page_of(
        {
            "run_id": HOSTILE,
            "outcome": HOSTILE,
            "manifest_path": HOSTILE,
            "planned_rows": {HOSTILE: 1},
            "flags": {HOSTILE: HOSTILE},
            "errors": [{"title": HOSTILE, "detail": HOSTILE}],
            "preflight": [{"check": HOSTILE, "ok": True, "detail": HOSTILE}],
        },
        location=HOSTILE,
    )
    assert HOSTILE not in drawn
    assert not {"script", "img"} & set(Elements(drawn).names)


@pytest.mark.parametrize("payload", [{}, {"batches": "no list", "planned_rows": [], "budget_usage": None}])
def test_a_payload_without_its_parts_is_a_page_that_knows_nothing(payload):
    assert "nothing is known" in page_of(payload, location="report.json")


def test_the_page_says_that_it_verified_nothing():
    assert "This page verified nothing" in page()
    assert "seed-data report verify report.json" in page()

"""The derivation of docs/discussion/scale.md: its tables are what its figures give, and it bends where it has to."""

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from simulation.page import Options
from simulation.verdict import SLOTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def derive():
    spec = importlib.util.spec_from_file_location("derive", ROOT / "infra/scale/derive.py")
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks for the module that it is defined in.
    sys.modules["derive"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["derive"]


@pytest.fixture
def hours(derive):
    def hours(*, pods, databases, shards=1, **assumed):
        wanted = derive.Installation(pods=pods, databases=databases, shards=shards)
        return derive.hours_by_limit(derive.measured(), replace(derive.Assumed(), **assumed), wanted)

    return hours


def test_the_page_shows_what_the_figures_give(derive):
    page = derive.PAGE.read_text(encoding="utf-8")
    text = derive.tables(derive.measured(), derive.Assumed())
    assert derive.with_tables(page, text) == page, "run: python infra/scale/derive.py --write-docs"
    assert text in page


def test_one_pod_and_one_database_take_every_row_of_every_tenant_one_after_the_other(derive, hours):
    found, given = derive.measured(), derive.Assumed()
    rows = 1_000 * 1_000_000 * found.rows_per_customer
    work = rows / found.rows_per_worker_second + rows / found.rows_per_database_second
    starts = 1_000 * (given.pod_start_seconds + found.worker_start_seconds)
    assert hours(pods=1, databases=1)["pods"] == pytest.approx((work + starts) / 3600)


@pytest.mark.parametrize(
    ("installation", "assumed", "limit"),
    [
        ({"pods": 1, "databases": 1}, {}, "pods"),
        ({"pods": 2, "databases": 1}, {}, "pods and slots"),
        ({"pods": 500, "databases": 1}, {}, "slots"),
        ({"pods": 8, "databases": 1, "shards": 4}, {"log_mib_per_second": 20.0}, "database log"),
        ({"pods": 8, "databases": 1, "shards": 4}, {"database_cores": 1}, "database cores"),
        ({"pods": 800, "databases": 100, "shards": 4}, {}, "launches"),
    ],
)
def test_what_there_is_least_of_comes_first(derive, hours, installation, assumed, limit):
    assert derive.first_limit(hours(**installation, **assumed)) == limit


def test_more_pods_than_slots_help_nobody(hours):
    few, many = hours(pods=2, databases=1), hours(pods=200, databases=1)
    assert max(many.values()) == pytest.approx(max(few.values()))


def test_the_slots_and_the_length_of_a_run_are_those_of_the_simulation_and_of_the_product(derive):
    making = (ROOT / "seed_pipelines/sql/queries/lease.sql").read_text()
    made = re.search(r"INSERT INTO seed_control\.env_slot \(environment, slot\)\nVALUES (.*)", making)[1]
    assert made.count("%(environment)s") == derive.SLOTS == SLOTS
    mean = derive.shard_seconds(derive.measured(), derive.Assumed(), 1)
    assert Options().mean_seconds == pytest.approx(mean, abs=1)


def test_what_a_worker_pays_once_is_not_counted_for_its_rows(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.chdir(ROOT)
    scale = importlib.import_module("scale")
    small, large = (
        scale.Cost(
            rows=rows,
            worker_seconds=3 + rows / 500_000,
            database_seconds=1 + rows / 250_000,
            table_bytes=10_000 + 200 * rows,
            log_bytes=100 * rows,
            publication_share=0.2,
        )
        for rows in (1_000_000, 5_000_000)
    )
    assert scale.figures_of(small, large, customers=100_000) == {
        "rows_per_customer": 50.0,
        "rows_per_worker_second": 500_000.0,
        "rows_per_database_second": 250_000.0,
        "publication_share": 0.2,
        "worker_start_seconds": 3.0,
        "table_bytes_per_row": 200,
        "log_bytes_per_row": 100,
    }

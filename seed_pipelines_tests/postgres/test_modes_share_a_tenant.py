"""Datasets of all four modes of one tenant, side by side: whatever is unique in the tenant stays so."""

import pytest
from factories import make_plan
from test_seed_run import run_all


@pytest.mark.parametrize("publisher", ["attach", "insert"])
def test_every_mode_is_published_beside_the_others(seeded, open_session, publisher):
    rows = 0
    for number, mode in enumerate(("baseline", "carga", "dr", "canary")):
        plan = make_plan(customers=60, mode=mode, publisher=publisher, version=f"1.{number}.0")
        run_all(open_session(), plan, key=mode)
        rows += plan.rows["customers"]
    assert seeded.value("SELECT count(*) FROM app.customers") == rows
    assert seeded.value("SELECT count(*) FROM seed_control.dataset") == 4

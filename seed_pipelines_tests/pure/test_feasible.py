"""What no generator could make is refused with the plan, and what is let in can be made."""

from datetime import UTC, date, datetime

import pytest
from factories import make_manifest, make_plan

from seed_pipelines.errors import ReferenceTooEarly, UniquesExhausted
from seed_pipelines.generate.feasible import OLDEST_RELEASE_DAYS, assert_feasible
from seed_pipelines.generate.rows import generate
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

TODAY = date(2026, 11, 2)


@pytest.mark.parametrize("entity", ["users", "consultants", "customers", "suppliers", "bank_accounts"])
def test_more_rows_than_there_are_documents_or_accounts_are_refused(entity):
    with pytest.raises(UniquesExhausted, match=rf"volumetry\.{entity}\.cap"):
        assert_feasible({entity: 10**9}, as_of=TODAY)


def test_loans_as_of_a_day_for_whose_oldest_no_rate_is_known_are_refused_with_the_day_to_take():
    with pytest.raises(ReferenceTooEarly, match=r"Set metadata\.reference_datetime to (\S+) or later") as refusal:
        assert_feasible({"loans": 1}, as_of=date(2016, 6, 1))
    assert_feasible({"loans": 1}, as_of=refusal.value.earliest)
    assert_feasible({"customers": 1}, as_of=date(2016, 6, 1))


def test_no_loan_is_older_than_the_refusal_reckons_with():
    plan = make_plan(customers=2_000, loans=2_000, installments=160_000, mode="carga")
    released = generate(plan, "loans", first_row=0, rows=plan.rows["loans"]).column("released_on").to_pylist()
    oldest = (plan.manifest.metadata.reference_datetime.date() - min(released)).days
    assert OLDEST_RELEASE_DAYS / 2 < oldest <= OLDEST_RELEASE_DAYS


def test_an_installation_refuses_such_a_manifest_before_anything_is_opened(tmp_path):
    manifest = make_manifest(customers=10)
    early = manifest.metadata.model_copy(update={"reference_datetime": datetime(2016, 6, 1, tzinfo=UTC)})
    settings = from_environment({"SEED_HOME": str(tmp_path)})
    with pytest.raises(ReferenceTooEarly):
        Installation.of(settings).plan(manifest.model_copy(update={"metadata": early}))

"""Generated rows against the official calculation."""

import pyarrow as pa
import pytest
from factories import make_plan

from seed_pipelines.generate.oracle import Oracle, OracleSample, compare_with_oracle
from seed_pipelines.generate.rows import generate

PLAN = make_plan(customers=60, mode="carga")
LOANS = generate(PLAN, "loans", first_row=10, rows=50)
FIRST, COUNT = 101, 500
INSTALLMENTS = generate(PLAN, "installments", first_row=FIRST, rows=COUNT)


def _compare(entity, rows, first_row, sample=1_000):
    return compare_with_oracle(PLAN, entity, first_row=first_row, rows=rows, oracle=Oracle(loans_per_batch=sample))


def _with(batch, column, row, add):
    values = batch[column].cast(pa.int32() if pa.types.is_date(batch[column].type) else batch[column].type)
    changed = values.to_numpy().copy()
    changed[row] += add
    position = batch.schema.get_field_index(column)
    return batch.set_column(position, batch.schema.field(position), pa.array(changed).cast(batch[column].type))


def test_generated_loans_agree():
    assert _compare("loans", LOANS, 10) == OracleSample(loans=50)


def test_generated_installments_agree_those_of_loans_cut_by_the_batch_too():
    loan, _ = PLAN.fanouts["installments"].parents_of(FIRST, COUNT)
    assert _compare("installments", INSTALLMENTS, FIRST) == OracleSample(loans=int(loan[-1] - loan[0]) + 1)


@pytest.mark.parametrize("sample", [1, 2, 24])
def test_a_sample_compares_so_many_loans(sample):
    assert _compare("loans", LOANS, 10, sample) == OracleSample(loans=sample)
    assert _compare("installments", INSTALLMENTS, FIRST, sample) == OracleSample(loans=sample)


@pytest.mark.parametrize(
    "column", ["principal_cents", "net_amount_cents", "iof_cents", "cet_annual_bp", "monthly_rate_ppm"]
)
def test_a_cent_or_a_basis_point_too_much_in_a_loan_is_found(column):
    add = 5_000 if column == "monthly_rate_ppm" else 1_000 if column == "principal_cents" else 1
    assert _compare("loans", _with(LOANS, column, 7, add), 10).differing == (7,)


@pytest.mark.parametrize(
    "column", ["due_on", "payment_cents", "interest_cents", "amortization_cents", "balance_cents", "number"]
)
@pytest.mark.parametrize("row", [0, 250, COUNT - 1])
def test_a_cent_or_a_day_too_much_in_an_installment_is_found(column, row):
    loan, _ = PLAN.fanouts["installments"].parents_of(FIRST, COUNT)
    found = _compare("installments", _with(INSTALLMENTS, column, row, 1), FIRST)
    assert found.differing == (int(loan[row] - loan[0]),)


def test_samples_add_up():
    total = OracleSample(loans=2) + OracleSample(loans=3, differing=(1,))
    assert total == OracleSample(loans=5, differing=(1,))


@pytest.mark.parametrize("entity", ["tenants", "customers"])
def test_rows_without_money_have_nothing_to_compare(entity):
    rows = generate(PLAN, entity, first_row=0, rows=1)
    assert _compare(entity, rows, 0) == OracleSample(loans=0)

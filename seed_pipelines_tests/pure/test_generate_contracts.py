"""Contracts: one a loan, with the loan's own charges."""

import pyarrow as pa
import pytest
from factories import make_plan

from seed_pipelines.generate.oracle import Oracle, compare_with_oracle
from seed_pipelines.generate.rows import generate

PLAN = make_plan(customers=400, mode="carga")


def _rows(entity, plan=PLAN):
    return generate(plan, entity, first_row=0, rows=plan.rows[entity])


CONTRACTS, LOANS, INSTALLMENTS = map(_rows, ("contracts", "loans", "installments"))


def test_a_contract_belongs_to_one_loan_and_says_what_the_loan_says():
    assert CONTRACTS["loan_id"] == LOANS["id"]
    for column in ("status", "iof_cents", "cet_annual_bp", "first_due_on"):
        assert CONTRACTS[column] == LOANS[column]
    assert CONTRACTS["signed_on"] == LOANS["approved_on"]


def test_the_total_to_pay_and_the_last_due_date_are_those_of_the_installments():
    table = pa.Table.from_batches([INSTALLMENTS]).group_by("loan_id", use_threads=False)
    grouped = table.aggregate([("payment_cents", "sum"), ("due_on", "max")])
    assert grouped["loan_id"].combine_chunks() == CONTRACTS["loan_id"]
    assert grouped["payment_cents_sum"].combine_chunks() == CONTRACTS["total_payable_cents"]
    assert grouped["due_on_max"].combine_chunks() == CONTRACTS["last_due_on"]


def test_the_monthly_cet_over_twelve_months_is_the_yearly_one():
    annual, monthly = (CONTRACTS[f"cet_{period}_bp"].to_numpy() / 10_000 for period in ("annual", "monthly"))
    # Half a basis point of rounding either way, grown over the year.
    assert (abs((1 + monthly) ** 12 - 1 - annual) < 12 * (1 + monthly) ** 11 * 0.5e-4 + 0.5e-4).all()


def test_the_charges_for_being_late_are_the_most_that_the_law_allows():
    assert CONTRACTS["late_fee_bp"].unique().to_pylist() == [200]
    assert CONTRACTS["late_interest_monthly_bp"].unique().to_pylist() == [100]


def test_contract_numbers_are_sixteen_digits_and_unique_across_modes():
    numbers = CONTRACTS["contract_number"].to_pylist()
    numbers += _rows("contracts", make_plan(customers=400, mode="dr"))["contract_number"].to_pylist()
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 16 and number.isdigit() for number in numbers)


def test_the_official_calculation_agrees_with_every_contract():
    rows, oracle = CONTRACTS.slice(0, 60), Oracle(loans_per_batch=60)
    checked = compare_with_oracle(PLAN, "contracts", first_row=0, rows=rows, oracle=oracle)
    assert checked.loans == 60
    assert checked.differing == ()


@pytest.mark.parametrize(
    "column", ["iof_cents", "cet_annual_bp", "cet_monthly_bp", "total_payable_cents", "last_due_on", "first_due_on"]
)
def test_a_contract_that_is_off_by_one_is_named(column):
    place, rows = CONTRACTS.schema.get_field_index(column), CONTRACTS.slice(100, 20)
    values = rows[column].cast(pa.int32()) if pa.types.is_date32(rows[column].type) else rows[column]
    changed = [value + (row == 7) for row, value in enumerate(values.to_pylist())]
    moved = pa.array(changed, values.type).cast(rows[column].type)
    broken = pa.RecordBatch.from_arrays(
        [moved if index == place else rows[index] for index in range(rows.num_columns)], schema=rows.schema
    )
    checked = compare_with_oracle(PLAN, "contracts", first_row=100, rows=broken, oracle=Oracle(loans_per_batch=20))
    assert checked.differing == (7,)

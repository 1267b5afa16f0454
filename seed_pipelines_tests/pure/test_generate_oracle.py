"""Generated rows against the official calculation."""

from decimal import Decimal

import pyarrow as pa
import pytest
from factories import make_plan

from seed_pipelines.generate.oracle import Oracle, OracleSample, compare_with_oracle
from seed_pipelines.generate.rows import generate
from seed_pipelines.lending.check import calculate

PLAN = make_plan(customers=60, mode="carga")
LOANS = generate(PLAN, "loans", first_row=10, rows=50)
FIRST, COUNT = 101, 500
INSTALLMENTS = generate(PLAN, "installments", first_row=FIRST, rows=COUNT)
TRANSACTIONS = generate(PLAN, "financial_transactions", first_row=FIRST, rows=COUNT)


def _compare(entity, rows, first_row, sample=1_000):
    return compare_with_oracle(PLAN, entity, first_row=first_row, rows=rows, oracle=Oracle(loans_per_batch=sample))


def _with(batch, column, row, add):
    values = batch[column].cast(pa.int32() if pa.types.is_date(batch[column].type) else batch[column].type)
    changed = values.to_numpy().copy()
    changed[row] += add
    position = batch.schema.get_field_index(column)
    return batch.set_column(position, batch.schema.field(position), pa.array(changed).cast(batch[column].type))


def test_another_batch_has_other_loans_compared():
    plan = make_plan(customers=60, mode="carga", batch_rows=20)
    asked = []

    def official(questions):
        asked.append([question.terms.principal for question in questions])
        return calculate(questions)

    for first_row in (0, 20, 40):
        rows = generate(plan, "loans", first_row=first_row, rows=20)
        oracle = Oracle(official=official, loans_per_batch=5)
        found = compare_with_oracle(plan, "loans", first_row=first_row, rows=rows, oracle=oracle)
        assert found == OracleSample(loans=5)
        principals = [Decimal(cents).scaleb(-2) for cents in rows["principal_cents"].to_pylist()]
        asked[-1] = [principals.index(principal) for principal in asked[-1]]
    assert asked[0] != asked[1] != asked[2] != asked[0]


def test_generated_loans_agree():
    assert _compare("loans", LOANS, 10) == OracleSample(loans=50)


def test_generated_installments_agree_those_of_loans_cut_by_the_batch_too():
    loan, _ = PLAN.fanouts["installments"].parents_of(FIRST, COUNT)
    assert _compare("installments", INSTALLMENTS, FIRST) == OracleSample(loans=int(loan[-1] - loan[0]) + 1)


def test_generated_transactions_agree():
    loan, _ = PLAN.relations["financial_transactions"].parents_of(FIRST, COUNT)
    assert _compare("financial_transactions", TRANSACTIONS, FIRST) == OracleSample(loans=int(loan[-1] - loan[0]) + 1)


def _first_late():
    return next(row for row, cents in enumerate(INSTALLMENTS["late_charges_cents"].to_pylist()) if cents)


@pytest.mark.parametrize("is_late", [True, False])
def test_a_cent_too_much_for_being_late_is_found(is_late):
    row = _first_late() if is_late else 0
    loan, _ = PLAN.fanouts["installments"].parents_of(FIRST, COUNT)
    found = _compare("installments", _with(INSTALLMENTS, "late_charges_cents", row, 1), FIRST)
    assert found.differing == (int(loan[row] - loan[0]),)


@pytest.mark.parametrize("kind", ["disbursement", "payment", "refund"])
def test_a_cent_too_much_in_a_transaction_is_found(kind):
    loan, _ = PLAN.relations["financial_transactions"].parents_of(FIRST, COUNT)
    row = TRANSACTIONS["kind"].to_pylist().index(kind)
    found = _compare("financial_transactions", _with(TRANSACTIONS, "amount_cents", row, 1), FIRST)
    assert found.differing == (int(loan[row] - loan[0]),)


@pytest.mark.parametrize("sample", [1, 2, 24])
def test_a_sample_compares_so_many_loans(sample):
    assert _compare("loans", LOANS, 10, sample) == OracleSample(loans=sample)
    assert _compare("installments", INSTALLMENTS, FIRST, sample) == OracleSample(loans=sample)
    assert _compare("financial_transactions", TRANSACTIONS, FIRST, sample) == OracleSample(loans=sample)


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


def test_a_withheld_iof_that_is_said_to_be_financed_is_found():
    withheld = [row for row, said in enumerate(LOANS["iof_mode"].to_pylist()) if said == "withheld"]
    assert 0 < len(withheld) < LOANS.num_rows
    position = LOANS.schema.get_field_index("iof_mode")
    claimed = LOANS.set_column(position, LOANS.schema.field(position), pa.array(["financed"] * LOANS.num_rows))
    assert _compare("loans", claimed, 10).differing == tuple(withheld)


@pytest.mark.parametrize("entity", ["tenants", "customers"])
def test_rows_without_money_have_nothing_to_compare(entity):
    rows = generate(PLAN, entity, first_row=0, rows=1)
    assert _compare(entity, rows, 0) == OracleSample(loans=0)

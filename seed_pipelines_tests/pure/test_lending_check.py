"""A single wrong cent, date or basis point is found, and the loan is named by its index."""

from dataclasses import replace

import numpy as np
import pytest
from lending_cases import batch, contract

from seed_pipelines.errors import Failed, OracleDisagrees
from seed_pipelines.lending.cet import cet_of
from seed_pipelines.lending.charges import iof_cents
from seed_pipelines.lending.check import Charges, Costs, Question, calculate, disagreements, sampled
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.engine import schedules


@pytest.fixture
def loans():
    return batch(*(contract(f"{1000 + number}.00", count=3 + number) for number in range(5)))


def charges_of(terms, made):
    borrower = np.full(len(terms), Borrower.PF)
    iof = iof_cents(terms, made, borrower)
    net = terms.principal_cents - iof
    return Charges(borrower=borrower, iof_cents=iof, net_cents=net, cet_annual_bp=cet_of(terms, made, net).annual_bp)


@pytest.mark.parametrize(
    "column",
    ["number", "due_on", "payment_cents", "interest_cents", "amortization_cents", "balance_cents"],
)
def test_one_wrong_cell_of_a_schedule_names_its_loan(loans, column):
    made = schedules(loans)
    assert disagreements(loans, made, sample=10) == ()
    getattr(made, column)[made.rows_of(3).start + 1] += 1
    assert disagreements(loans, made, sample=10) == (3,)


@pytest.mark.parametrize("column", ["iof_cents", "cet_annual_bp"])
def test_one_wrong_charge_names_its_loan(loans, column):
    made = schedules(loans)
    charges = charges_of(loans, made)
    assert disagreements(loans, made, sample=10, charges=charges) == ()
    getattr(charges, column)[2] += 1
    assert disagreements(loans, made, sample=10, charges=charges) == (2,)


@pytest.mark.parametrize(
    ("loans", "sample", "expected"),
    [
        (0, 5, []),
        (3, 5, [0, 1, 2]),
        (5, 5, [0, 1, 2, 3, 4]),
        (100, 4, [0, 33, 66, 99]),
        (100, 1, [0]),
        (100, 0, []),
    ],
)
def test_a_sample_is_evenly_spaced_and_never_by_chance(loans, sample, expected):
    assert list(sampled(loans, sample)) == expected


@pytest.mark.parametrize(("loans", "sample"), [(100, 4), (65_536, 24), (25, 24), (60, 1)])
def test_each_turn_compares_as_many_loans_evenly_spaced_and_the_same_ones_again(loans, sample):
    for turn in range(1, 20):
        chosen = list(sampled(loans, sample, turn=turn))
        assert chosen == list(sampled(loans, sample, turn=turn))
        assert len(set(chosen)) == sample
        assert chosen == sorted(chosen)
        assert 0 <= chosen[0] <= chosen[-1] < loans
        assert sample == 1 or (chosen[0], chosen[-1]) == (0, loans - 1)


def test_turns_together_compare_other_loans_each_time():
    turns, loans, sample = 100, 65_536, 24
    seen = {loan for turn in range(turns) for loan in sampled(loans, sample, turn=turn)}
    # The first and the last are compared every time, and the gap after the first stays unseen.
    assert len(seen) == turns * (sample - 2) + 2


def test_the_refusal_names_at_most_ten_loans():
    refusal = OracleDisagrees("installments", indexes=tuple(range(12)))
    assert isinstance(refusal, Failed)
    assert "12 loans differ" in str(refusal)
    assert "loans 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more of the batch" in str(refusal)


def test_without_a_wanted_cet_the_rest_of_the_answer_is_the_same(loans):
    asked = [Costs(borrower=Borrower.PF, net_cents=90_000, wants_cet=wants) for wants in (True, False)]
    whole, shorter = calculate([Question(terms=loans.contract(0), costs=costs) for costs in asked])
    assert whole.rows == shorter.rows
    assert whole.charges.iof_cents == shorter.charges.iof_cents
    assert (shorter.charges.cet_annual_bp, shorter.charges.cet_monthly_bp) == (None, None)


def test_an_answer_without_cet_agrees_with_no_claim_of_one(loans):
    def without_cet(questions):
        return calculate([replace(each, costs=replace(each.costs, wants_cet=False)) for each in questions])

    made = schedules(loans)
    assert disagreements(loans, made, sample=5, charges=charges_of(loans, made), official=without_cet) == (
        0,
        1,
        2,
        3,
        4,
    )

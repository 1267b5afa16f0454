"""The engine equals the official calculation, to the cent and to the hundredth of a percent."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending_cases import PUBLISHED_CONTRACTS, batch, batches, contract, same

from seed_pipelines.errors import IofRateUnknown, LoanImpossible
from seed_pipelines.lending.cet import cet_of
from seed_pipelines.lending.charges import gross_up, iof_cents
from seed_pipelines.lending.check import Charges, disagreements
from seed_pipelines.lending.conventions import Borrower, FirstDue, System
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.ladder import LOANS_PER_LADDER
from seed_pipelines.lending.loan_terms import LoanTerms, cents
from seed_pipelines.lending.official import official_price_payment, official_schedule
from seed_pipelines.lending.official_charges import official_gross_up
from seed_pipelines.lending.price import price_payments
from seed_pipelines.lending.rounding import divide_half_even, millionths_half_even

PF = np.array([Borrower.PF])


@pytest.mark.parametrize("name", PUBLISHED_CONTRACTS)
def test_every_published_schedule_is_reproduced_row_by_row(name):
    terms, rows = PUBLISHED_CONTRACTS[name]
    made = schedules(batch(terms))
    for column in ("payment", "interest", "amortization", "balance"):
        expected = [cents(Decimal(row[column])) for row in rows]
        assert getattr(made, f"{column}_cents").tolist() == expected
    assert made.due_on.astype(str).tolist() == [row["due"] for row in rows]
    assert made.number.tolist() == [row["n"] for row in rows]


@given(terms=batches(), seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_the_engine_and_the_official_calculation_always_agree(terms, seed):
    made = schedules(terms)
    borrower = (np.arange(len(terms)) + seed) % len(Borrower)
    iof = iof_cents(terms, made, borrower)
    net = np.maximum(terms.principal_cents - iof, 1)
    charges = Charges(borrower=borrower, iof_cents=iof, net_cents=net, cet_annual_bp=cet_of(terms, made, net).annual_bp)
    assert disagreements(terms, made, sample=len(terms), charges=charges) == ()


@given(terms=batches())
@settings(max_examples=100, deadline=None)
def test_amortizations_add_up_to_the_principal_and_the_balance_ends_at_zero(terms):
    made = schedules(terms)
    sums = np.add.reduceat(made.amortization_cents, made.offsets[:-1])
    assert np.array_equal(sums, terms.principal_cents)
    assert not made.balance_cents[made.offsets[1:] - 1].any()
    assert np.array_equal(made.payment_cents, made.interest_cents + made.amortization_cents)


@given(
    principal=st.integers(1, 10**11),
    rate=st.integers(0, 10**6),
    count=st.integers(1, 420),
)
def test_the_price_payment_is_exact_for_any_rate_and_term(principal, rate, count):
    made = price_payments(np.array([principal]), monthly_rate_ppm=np.array([rate]), count=np.array([count]))
    official = official_price_payment(Decimal(principal).scaleb(-2), monthly_rate=Decimal(rate).scaleb(-6), count=count)
    assert made[0] == cents(official)


@pytest.mark.parametrize(
    ("principal", "rate", "payment"),
    # In floats the last four come out on the wrong side of the half.
    [
        (2_525, 20_000, 1_300),
        (2_050, 50_000, 1_102),
        (2_575, 60_000, 1_404),
        (1_350, 250_000, 938),
        (4_950, 250_000, 3_438),
    ],
)
def test_a_payment_of_exactly_half_a_cent_goes_to_the_even_cent(principal, rate, payment):
    made = price_payments(np.array([principal]), monthly_rate_ppm=np.array([rate]), count=np.array([2]))
    assert made.tolist() == [payment]


@pytest.mark.parametrize(
    ("principal", "rate", "first_due_on", "payment"),
    [
        # Two months of interest, 1.02^2: 39.015 exactly.
        ("37.50", "0.02", date(2026, 4, 1), "39.02"),
        # One month and a half, 1.21^1.5 = 1.331: 665.5 cents exactly.
        ("5.00", "0.21", date(2026, 3, 17), "6.66"),
    ],
)
def test_interest_of_exactly_half_a_cent_over_days_goes_to_the_even_cent(principal, rate, first_due_on, payment):
    terms = contract(principal, rate, 1, released_on=date(2026, 1, 31), first_due_on=first_due_on)
    assert schedules(batch(terms)).payment_cents.tolist() == [cents(Decimal(payment))]
    assert official_schedule(terms)[0].payment == Decimal(payment)


@pytest.mark.parametrize(("principal", "rate", "payment"), [("246.00", "0.05", 13_892), ("487.50", "0.08", 29_524)])
def test_a_payment_over_days_of_exactly_half_a_cent_goes_to_the_even_cent(principal, rate, payment):
    # Due after 60 and 90 days: 246 * 1.05^3 / 2.05 is 138.915 exactly. Floats get the second case wrong.
    terms = contract(principal, rate, 2, released_on=date(2026, 1, 31), first_due_on=date(2026, 4, 1))
    assert cents(official_schedule(terms)[0].payment) == payment
    assert schedules(batch(terms)).payment_cents[0] == payment


def test_the_same_loan_has_the_same_rows_alone_and_among_many_of_other_terms():
    many = [contract(f"{1000 + number}.{number % 100:02}", count=1 + number % 7) for number in range(100)]
    together = schedules(batch(*(many * (1 + LOANS_PER_LADDER // 100))))
    for loan in (0, 50, LOANS_PER_LADDER - 1, LOANS_PER_LADDER):
        alone = schedules(batch(many[loan % 100]))
        assert np.array_equal(together.payment_cents[together.rows_of(loan)], alone.payment_cents)
        assert np.array_equal(together.due_on[together.rows_of(loan)], alone.due_on)


def test_no_loans_make_no_rows():
    terms = batch(contract()).of(np.array([], dtype=np.int64))
    nothing = np.array([], dtype=np.int64)
    made = schedules(terms)
    assert len(made) == 0
    assert iof_cents(terms, made, nothing).tolist() == []
    assert cet_of(terms, made, nothing).annual_bp.tolist() == []
    assert gross_up(terms, nothing).tolist() == []


def test_the_price_and_sac_systems_mix_in_one_batch():
    price, sac = contract(), contract(system=System.SAC)
    made = schedules(batch(price, sac, price))
    assert np.array_equal(made.payment_cents[made.rows_of(0)], made.payment_cents[made.rows_of(2)])
    assert made.payment_cents[made.rows_of(1)][[0, -1]].tolist() == [103_333, 85_004]


@pytest.mark.parametrize("convention", FirstDue)
@pytest.mark.parametrize("first_due_on", [date(2026, 1, 20), date(2026, 3, 1), date(2026, 12, 31)])
@pytest.mark.parametrize("system", System)
def test_unusual_first_due_dates_follow_the_official_calculation(convention, first_due_on, system):
    terms = contract(count=18, first_due_on=first_due_on, first_due=convention, system=system)
    loans = batch(terms, contract(first_due=convention))
    assert disagreements(loans, schedules(loans), sample=2) == ()


@pytest.mark.parametrize(
    ("asked", "count", "principal"),
    [("10000.00", 12, 1_020_967), ("10150.00", 12, 1_036_282), ("10000.00", 24, 1_028_715)],
)
def test_a_financed_loan_covers_what_was_asked_and_its_own_iof(asked, count, principal):
    assert gross_up(batch(contract(asked, count=count)), PF).tolist() == [principal]


@given(terms=batches(), kind=st.sampled_from(Borrower))
@settings(max_examples=30, deadline=None)
def test_the_grossed_up_principal_is_the_official_one(terms, kind):
    made = gross_up(terms, np.full(len(terms), kind))
    official = [official_gross_up(terms.contract(loan), kind)[0] for loan in range(len(terms))]
    assert made.tolist() == [cents(principal) for principal in official]


def test_a_simples_loan_that_its_iof_lifts_over_the_ceiling_is_taxed_as_a_companys():
    asked = contract("29900.00")
    official, iof = official_gross_up(asked, Borrower.SIMPLES)
    assert official > 30_000
    assert official - iof == asked.principal
    assert gross_up(batch(asked), np.array([Borrower.SIMPLES])).tolist() == [cents(official)]


@pytest.mark.parametrize(
    ("principal", "net", "cet"),
    [
        ("10000.00", 1_000_000, 2695),
        ("10000.00", 979_463, 3214),
        ("10000.00", 964_463, 3616),
        ("10209.67", 1_000_000, 3214),
        ("10362.82", 1_000_000, 3602),
        ("10000.00", 1_134_715, 0),
    ],
)
def test_cet_is_the_published_one(principal, net, cet):
    terms = batch(contract(principal))
    assert cet_of(terms, schedules(terms), np.array([net])).annual_bp.tolist() == [cet]


@pytest.mark.parametrize("net", [1_200_000, 100_000, 70_000])
def test_cet_holds_for_negative_and_absurd_costs(net):
    terms = batch(contract())
    made = schedules(terms)
    charges = Charges(
        borrower=PF,
        iof_cents=iof_cents(terms, made, PF),
        net_cents=np.array([net]),
        cet_annual_bp=cet_of(terms, made, np.array([net])).annual_bp,
    )
    assert disagreements(terms, made, sample=1, charges=charges) == ()


def test_a_cet_on_the_boundary_between_two_hundredths_goes_to_the_even_one():
    # One payment after 365 days: 10,000.00 for 11,000.50 is 10.005 % exactly.
    terms = batch(contract("10000.00", "0", 1, first_due_on=date(2027, 1, 15)))
    made = schedules(terms)
    made.payment_cents[0] = 1_100_050
    assert cet_of(terms, made, np.array([1_000_000])).annual_bp.tolist() == [1000]
    made.payment_cents[0] = 1_100_150
    assert cet_of(terms, made, np.array([1_000_000])).annual_bp.tolist() == [1002]


@pytest.mark.parametrize("net", [[0], [-1]])
def test_cet_is_refused_when_nothing_is_released(net):
    terms = batch(contract())
    with pytest.raises(LoanImpossible, match="loan 0 of the batch: its net_cents"):
        cet_of(terms, schedules(terms), np.array(net))


def test_a_cet_that_its_column_cannot_hold_is_refused():
    terms = batch(contract())
    with pytest.raises(LoanImpossible, match="its CET is outside"):
        cet_of(terms, schedules(terms), np.array([1]))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"principal": "0.00"}, "principal_cents"),
        ({"principal": "1000000000.01"}, "principal_cents"),
        ({"rate": "1.000001"}, "monthly_rate_ppm"),
        ({"count": 0}, "count"),
        ({"count": 421}, "count"),
        ({"first_due_on": date(2026, 1, 15)}, "days from release"),
        ({"first_due_on": date(2027, 1, 17)}, "days from release"),
        ({"rate": "0.5", "count": 40}, r"\(1 \+ monthly rate\) \^ count"),
        (
            {"principal": "1000000000.00", "rate": "1", "count": 2, "first_due_on": date(2026, 12, 1)},
            "debt in cents at the first due date",
        ),
    ],
)
def test_terms_outside_the_exact_range_are_refused_by_index(change, field):
    with pytest.raises(LoanImpossible, match=f"loan 1 of the batch: its {field}"):
        batch(contract(), contract(**change))


def test_loans_are_taken_that_only_the_largest_of_all_together_would_outgrow():
    fast, long = contract("0.01", "1", 3), contract("1000000000.00", "0", 420)
    assert len(batch(fast, long)) == 2


def test_a_release_before_the_rate_table_is_refused():
    terms = batch(contract(released_on=date(2014, 12, 31)))
    with pytest.raises(IofRateUnknown, match="released on 2014-12-31"):
        iof_cents(terms, schedules(terms), PF)


@given(numerator=st.integers(-(2**61), 2**61), divisor=st.integers(1, 2**40))
def test_division_rounds_half_to_even(numerator, divisor):
    # Python rounds a fraction half to even, exactly.
    assert divide_half_even(np.array([numerator]), divisor)[0] == round(Fraction(numerator, divisor))


@given(numerator=st.integers(-(2**61), 2**61) | st.integers(-(2**40), 2**40).map(lambda n: n * 500_000))
def test_both_divisions_agree(numerator):
    column = np.array([numerator])
    assert millionths_half_even(column)[0] == divide_half_even(column, 1_000_000)[0]


def test_columns_may_come_in_narrow_integers():
    wide = batch(contract("90000.00"), contract(count=6))
    narrow = LoanTerms(
        principal_cents=wide.principal_cents.astype(np.int32),
        monthly_rate_ppm=wide.monthly_rate_ppm.astype(np.int32),
        count=wide.count.astype(np.int16),
        system=wide.system.astype(np.int8),
        released_on=wide.released_on,
        first_due_on=wide.first_due_on,
    )
    assert same(schedules(wide), schedules(narrow))

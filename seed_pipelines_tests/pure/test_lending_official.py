"""The official calculation gives the published figures, exactly."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending_cases import PUBLISHED, PUBLISHED_CONTRACTS, contract, contracts, published_rows

from seed_pipelines.errors import IofRateUnknown
from seed_pipelines.lending.conventions import Borrower, FirstDue, System
from seed_pipelines.lending.iof_rates import IofRate, iof_rate
from seed_pipelines.lending.official import (
    months_after,
    official_due_dates,
    official_price_payment,
    official_schedule,
)
from seed_pipelines.lending.official_charges import (
    annual_of_monthly,
    monthly_of_annual,
    official_cet,
    official_gross_up,
    official_iof,
    official_periodic_cet,
    percent_a_year,
    raw_iof,
)

RELEASED_ON = date(2026, 1, 15)


def rate(daily_e8, additional_e8=380_000, starts_on=date(2010, 1, 1)):
    return IofRate(
        borrower=Borrower.PF,
        starts_on=starts_on,
        daily_e8=daily_e8,
        additional_e8=additional_e8,
        source="test",
    )


def decimals(text):
    return [Decimal(value) for value in text.split()]


@pytest.mark.parametrize("name", PUBLISHED_CONTRACTS)
def test_every_published_schedule_is_reproduced_row_by_row(name):
    terms, rows = PUBLISHED_CONTRACTS[name]
    assert official_schedule(terms) == published_rows(rows)


@pytest.mark.parametrize(
    ("principal", "monthly_rate", "count", "payment"),
    [
        ("10000", "0.02", 12, "945.60"),
        ("10000", "0.02", 24, "528.71"),
        ("1000", "0.035", 3, "356.93"),
        ("5000", "0.0599", 6, "1016.49"),
        ("10000", "0.08", 12, "1326.95"),
        ("1200", "0", 12, "100.00"),
    ],
)
def test_the_price_payment_is_the_published_one(principal, monthly_rate, count, payment):
    made = official_price_payment(Decimal(principal), monthly_rate=Decimal(monthly_rate), count=count)
    assert made == Decimal(payment)


def test_a_payment_of_exactly_half_a_cent_goes_to_the_even_cent():
    # 25.25 at 2 % in 2 payments is 13.005 exactly; 34 digits alone make it 13.0050000…1 and round it up.
    assert official_price_payment(Decimal("25.25"), monthly_rate=Decimal("0.02"), count=2) == Decimal("13.00")


def test_the_three_payments_of_a_small_loan_are_the_published_ones():
    rows = official_schedule(contract("1000.00", "0.035", 3))
    assert [row.payment for row in rows] == decimals("356.93 356.93 356.94")
    assert [row.interest for row in rows] == decimals("35.00 23.73 12.07")
    assert [row.amortization for row in rows] == decimals("321.93 333.20 344.87")


@pytest.mark.parametrize(
    ("convention", "payments", "interest"),
    [
        (
            FirstDue.ACTUAL_DAYS_30,
            "1804.77 1804.77 1804.77 1804.77 1804.77 1804.79",
            "301.50 175.66 137.35 107.51 70.06 36.56",
        ),
        (
            FirstDue.CAPITALISED,
            "1803.02 1803.02 1803.02 1803.02 1803.02 1803.02",
            # 99.50 for the 15 extra days and 201.99 for the month.
            "301.49 169.97 137.31 103.99 70.01 35.35",
        ),
    ],
)
def test_a_first_due_date_after_45_days_follows_the_named_convention(convention, payments, interest):
    rows = official_schedule(contract(count=6, first_due_on=date(2026, 3, 1), first_due=convention))
    assert [row.payment for row in rows] == decimals(payments)
    assert [row.interest for row in rows] == decimals(interest)
    assert sum(row.amortization for row in rows) == Decimal("10000.00")


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 2, date(2026, 3, 31)),
        (date(2028, 1, 30), 1, date(2028, 2, 29)),
        (date(2028, 1, 30), 2, date(2028, 3, 30)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
    ],
)
def test_months_are_counted_from_the_anchor_day(anchor, months, expected):
    assert months_after(anchor, months) == expected


def test_the_anchor_of_an_unusual_first_due_date_is_that_date():
    terms = contract(count=3, released_on=date(2026, 1, 10), first_due_on=date(2026, 1, 31))
    assert official_due_dates(terms) == (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31))


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("principal", ["0.01", "0.10", "1.50", "3.00"])
def test_a_tiny_loan_in_many_payments_is_never_overpaid(system, principal):
    rows = official_schedule(contract(principal, "0", 420, system=system))
    assert sum(row.amortization for row in rows) == Decimal(principal)
    assert all(row.amortization >= 0 and row.balance >= 0 for row in rows)
    assert rows[-1].balance == 0


@pytest.mark.parametrize(
    ("count", "daily_e8", "raw", "total"),
    [
        (12, 8_200, "205.36521850", "205.37"),
        (12, 4_100, "121.68260925", "121.68"),
        (12, 2_740, "93.92447545", "93.92"),
        (12, 1_370, "65.96223772", "65.96"),
        (24, 8_200, "279.13443488", "279.13"),
        (24, 4_100, "158.56721744", "158.57"),
    ],
)
def test_iof_is_summed_raw_and_rounded_once(count, daily_e8, raw, total):
    rows = official_schedule(contract(count=count))
    unrounded = raw_iof(rows, released_on=RELEASED_ON, rate=rate(daily_e8))
    assert abs(unrounded - Decimal(raw)) <= Decimal("0.5e-8")
    assert official_iof(rows, released_on=RELEASED_ON, rate=rate(daily_e8)) == Decimal(total)


@pytest.mark.parametrize(
    ("count", "daily_e8", "by_installment", "by_component"),
    [
        (12, 8_200, "205.38", "205.38"),
        (12, 4_100, "121.69", "121.69"),
        (12, 2_740, "93.93", "93.91"),
        (12, 1_370, "65.97", "65.97"),
        (24, 8_200, "279.14", "279.11"),
        (24, 4_100, "158.58", "158.56"),
    ],
)
def test_rounding_iof_earlier_would_give_other_published_cents(count, daily_e8, by_installment, by_component):
    rows = official_schedule(contract(count=count))
    ways = {
        by_installment: [rate(daily_e8)],
        by_component: [rate(daily_e8, 0), rate(0)],
    }
    for expected, parts in ways.items():
        each = (official_iof([row], released_on=RELEASED_ON, rate=part) for row in rows for part in parts)
        assert sum(each) == Decimal(expected)


def test_iof_of_each_installment_is_the_published_one():
    rows = official_schedule(contract())
    for row, published in zip(rows, PUBLISHED["iof_pf_price_12"], strict=True):
        assert (row.due_on - RELEASED_ON).days == published["days"]
        both = Decimal(published["daily"]) + Decimal(published["additional"])
        assert raw_iof([row], released_on=RELEASED_ON, rate=rate(8_200)) == both


def test_iof_of_the_month_end_loan_is_the_published_one():
    rows = official_schedule(PUBLISHED_CONTRACTS["month-end"][0])
    published = PUBLISHED["price_5000_5.99pct_6_monthend"]
    assert raw_iof(rows, released_on=date(2026, 1, 31), rate=rate(8_200)) == Decimal(published["iof_raw"])


def bullet(principal, days, released_on=RELEASED_ON):
    return contract(principal, "0.01", 1, released_on=released_on, first_due_on=released_on + timedelta(days=days))


@pytest.mark.parametrize(
    ("principal", "days", "rates", "iof"),
    [
        ("10000.00", 31, rate(8_200), "63.42"),
        ("100000.00", 365, rate(8_200), "3373.00"),
        ("100000.00", 730, rate(8_200), "3373.00"),
        ("100000.00", 180, rate(8_200), "1856.00"),
        ("20000.00", 90, rate(4_100, 0), "73.80"),
    ],
)
def test_iof_withheld_from_a_single_payment_is_the_published_one(principal, days, rates, iof):
    rows = official_schedule(bullet(principal, days))
    assert official_iof(rows, released_on=RELEASED_ON, rate=rates) == Decimal(iof)


@pytest.mark.parametrize(
    ("net", "days", "rates", "principal", "iof"),
    [
        ("100000.00", 365, rate(8_200), "103490.74", "3490.74"),
        ("100000.00", 730, rate(8_200), "103490.74", "3490.74"),
        ("100000.00", 180, rate(8_200), "101891.10", "1891.10"),
        ("20000.00", 90, rate(4_100, 0), "20074.07", "74.07"),
    ],
)
def test_iof_financed_in_a_single_payment_is_the_published_one(net, days, rates, principal, iof):
    made = official_gross_up(bullet(net, days), Borrower.PF, table=(rates,))
    assert made == (Decimal(principal), Decimal(iof))


@pytest.mark.parametrize(
    ("asked", "count", "principal", "iof", "payment", "last"),
    [
        ("10000.00", 12, "10209.67", "209.67", "965.42", "965.44"),
        ("10150.00", 12, "10362.82", "212.82", "979.90", "979.95"),
        ("10000.00", 24, "10287.15", "287.15", "543.89", "543.98"),
    ],
)
def test_a_financed_loan_covers_what_was_asked_and_its_own_iof(asked, count, principal, iof, payment, last):
    terms = contract(asked, count=count)
    assert official_gross_up(terms, Borrower.PF) == (Decimal(principal), Decimal(iof))
    rows = official_schedule(contract(principal, count=count))
    assert (rows[0].payment, rows[-1].payment) == (Decimal(payment), Decimal(last))


@pytest.mark.parametrize(
    ("name", "asked"), [("financed_net10000_tac0_12x", "10000.00"), ("financed_net10000_tac150_12x", "10150.00")]
)
def test_a_published_financed_loan_has_its_iof_payment_and_cet(name, asked):
    published = {key: value for key, value in PUBLISHED[name].items() if key != "schedule"}
    principal, iof = official_gross_up(contract(asked), Borrower.PF)
    rows = official_schedule(contract(str(principal)))
    cet = official_cet(Decimal(10000), released_on=RELEASED_ON, payments=dated(rows))
    made = {"principal": principal, "iof": iof, "pmt": rows[0].payment, "cet": cet.quantize(Decimal("1e-12"))}
    assert {key: str(value) for key, value in made.items()} == published


def test_the_published_month_end_loan_has_its_iof_and_cet():
    terms, published = PUBLISHED_CONTRACTS["month-end"][0], PUBLISHED["price_5000_5.99pct_6_monthend"]
    rows = official_schedule(terms)
    iof = official_iof(rows, released_on=terms.released_on, rate=rate(8_200))
    assert (str(iof), str(terms.principal - iof)) == (published["iof"], published["fc0"])
    cet = official_cet(terms.principal - iof, released_on=terms.released_on, payments=dated(rows))
    assert str(cet.quantize(Decimal("1e-12"))) == published["cet"]


@pytest.mark.parametrize(
    ("borrower", "released_on", "principal_cents", "expected"),
    [
        (Borrower.PF, date(2025, 5, 30), 100, (8_200, 380_000)),
        (Borrower.PJ, date(2025, 5, 22), 100, (4_100, 380_000)),
        (Borrower.PJ, date(2025, 5, 23), 100, (8_200, 950_000)),
        (Borrower.PJ, date(2025, 6, 11), 100, (8_200, 380_000)),
        (Borrower.PJ, date(2025, 6, 27), 100, (4_100, 380_000)),
        (Borrower.PJ, date(2025, 7, 16), 100, (8_200, 380_000)),
        (Borrower.SIMPLES, date(2025, 1, 2), 3_000_000, (1_370, 380_000)),
        (Borrower.SIMPLES, date(2026, 1, 2), 3_000_000, (2_740, 380_000)),
        (Borrower.SIMPLES, date(2026, 1, 2), 3_000_001, (8_200, 380_000)),
        (Borrower.PF, date(2020, 6, 1), 100, (0, 0)),
        (Borrower.PF, date(2020, 11, 27), 100, (8_200, 380_000)),
        (Borrower.PJ, date(2020, 12, 31), 100, (0, 0)),
        (Borrower.PJ, date(2021, 10, 1), 100, (5_590, 380_000)),
        (Borrower.PF, date(2021, 12, 31), 100, (11_180, 380_000)),
    ],
)
def test_the_rate_in_force_on_the_day_of_release_counts(borrower, released_on, principal_cents, expected):
    row = iof_rate(borrower, released_on=released_on, principal_cents=principal_cents)
    assert (row.daily_e8, row.additional_e8) == expected


def test_a_release_before_the_rate_table_is_refused():
    with pytest.raises(IofRateUnknown, match="starts on 2015-01-22"):
        iof_rate(Borrower.PF, released_on=date(2015, 1, 21), principal_cents=100)


def dated(rows):
    return [(row.due_on, row.payment) for row in rows]


@pytest.mark.parametrize(
    ("terms", "net", "percent", "rounded"),
    [
        (contract(), "10000.00", "26.952599", "26.95"),
        (contract(), "9794.63", "32.141262", "32.14"),
        (contract(), "9644.63", "36.160071", "36.16"),
        (contract("10209.67"), "10000.00", "32.1407890533", "32.14"),
        (contract("10362.82"), "10000.00", "36.0156382711", "36.02"),
        (contract("10287.15", count=24), "10000.00", None, "30.71"),
        (PUBLISHED_CONTRACTS["month-end"][0], "4936.03", "113.7158161832", "113.72"),
    ],
)
def test_cet_follows_real_dates(terms, net, percent, rounded):
    made = official_cet(Decimal(net), released_on=terms.released_on, payments=dated(official_schedule(terms)))
    assert percent_a_year(made) == Decimal(rounded)
    if percent is not None:
        assert abs(made * 100 - Decimal(percent)) < Decimal("1e-6")


def test_one_payment_after_365_days_makes_the_cet_plain():
    payments = [(RELEASED_ON + timedelta(days=365), Decimal(11000))]
    made = official_cet(Decimal(10000), released_on=RELEASED_ON, payments=payments)
    assert abs(made - Decimal("0.1")) < Decimal("1e-28")


@pytest.mark.parametrize(
    ("released_on", "percent"),
    [
        (date(2026, 1, 10), "44.5450212609"),
        (date(2024, 1, 15), "44.0752318892"),
        (date(2025, 1, 15), "44.55"),
        (date(2026, 7, 1), "43.3853805792"),
    ],
)
def test_the_central_banks_example_by_real_dates(released_on, percent):
    payments = [(months_after(released_on, number), Decimal("205.73")) for number in range(1, 6)]
    made = official_cet(Decimal(940), released_on=released_on, payments=payments)
    assert (made * 100).quantize(Decimal(percent)) == Decimal(percent)


def test_the_central_banks_example_by_equal_months_is_the_published_one():
    monthly_rate = Decimal("1.12") ** (Decimal(1) / 12) - 1
    payment = official_price_payment(Decimal(1000), monthly_rate=monthly_rate, count=5)
    monthly = official_periodic_cet(Decimal(940), payments=[payment] * 5)
    assert monthly_rate.quantize(Decimal("1e-17")) == Decimal("0.00948879293458297")
    assert payment == Decimal("205.73")
    assert abs(monthly - Decimal("0.030813013590")) < Decimal("1e-12")
    assert percent_a_year(annual_of_monthly(monthly)) == Decimal("43.93")


def test_a_percentage_is_rounded_half_to_even():
    assert percent_a_year(Decimal("0.43925")) == Decimal("43.92")
    assert percent_a_year(Decimal("0.43935")) == Decimal("43.94")


def test_dates_make_the_cet_another_than_twelve_equal_months_would():
    assert percent_a_year(annual_of_monthly(Decimal("0.02"))) == Decimal("26.82")


@pytest.mark.parametrize(("annual", "monthly"), [("0.3214078905", "2.35"), ("0.3601563827", "2.60")])
def test_the_monthly_cet_of_the_financed_loans_is_the_published_one(annual, monthly):
    assert percent_a_year(monthly_of_annual(Decimal(annual))) == Decimal(monthly)


@given(terms=contracts(convention=FirstDue.ACTUAL_DAYS_30), withheld=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_cet_solves_its_equation_for_any_loan(terms, withheld):
    net = max(terms.principal * (100 - withheld) / 100, Decimal("0.01"))
    payments = dated(official_schedule(terms))
    made = official_cet(net, released_on=terms.released_on, payments=payments)
    value = sum(paid / (1 + made) ** (Decimal((due_on - terms.released_on).days) / 365) for due_on, paid in payments)
    assert abs(value - net) <= net * Decimal("1e-18")


@pytest.mark.parametrize("net", ["0.01", "5000.00", "11347.15", "20000.00"])
def test_cet_solves_its_equation_from_absurd_to_negative(net):
    payments = dated(official_schedule(contract()))
    made = official_cet(Decimal(net), released_on=RELEASED_ON, payments=payments)
    value = sum(amount / (1 + made) ** (Decimal((due_on - RELEASED_ON).days) / 365) for due_on, amount in payments)
    assert abs(value - Decimal(net)) < Decimal("1e-18")

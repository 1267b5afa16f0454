"""The engine's rows held against the official calculation.

All loans of a small batch are compared, and evenly spaced ones of a large batch: the same loans every time. The
caller fails the batch with `OracleDisagrees` when any index comes back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.iof_rates import iof_rate
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, cents, day, reais
from seed_pipelines.lending.official import Installment, official_schedule
from seed_pipelines.lending.official_charges import monthly_of_annual, official_cet, official_iof, percent_a_year
from seed_pipelines.lending.rounding import Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """What is claimed of each loan besides its schedule."""

    borrower: Int64s
    iof_cents: Int64s
    net_cents: Int64s
    cet_annual_bp: Int64s
    cet_monthly_bp: Int64s | None = None


def disagreements(terms: LoanTerms, made: Schedules, *, sample: int, charges: Charges | None = None) -> tuple[int, ...]:
    """The loans, of those compared, in which any cent, date or basis point differs."""
    return tuple(loan for loan in sampled(len(terms), sample) if not _agrees(terms, made, loan, charges))


def sampled(loans: int, sample: int) -> Iterator[int]:
    """All indexes, or `sample` of them evenly spaced, the first and the last among them."""
    if loans <= sample:
        yield from range(loans)
    elif sample == 1:
        yield 0
    else:
        for position in range(sample):
            yield position * (loans - 1) // (sample - 1)


def _agrees(terms: LoanTerms, made: Schedules, loan: int, charges: Charges | None) -> bool:
    official = official_schedule(terms.contract(loan))
    if _claimed_rows(made, loan) != [_expected_row(row) for row in official]:
        return False
    return charges is None or _charges_agree(terms, official, loan, charges)


def _claimed_rows(made: Schedules, loan: int) -> list[tuple[int, ...]]:
    rows = made.rows_of(loan)
    columns = (
        made.number[rows],
        made.due_on[rows].astype("int64"),
        made.payment_cents[rows],
        made.interest_cents[rows],
        made.amortization_cents[rows],
        made.balance_cents[rows],
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


_EPOCH = date(1970, 1, 1).toordinal()


def _expected_row(row: Installment) -> tuple[int, ...]:
    amounts = (row.payment, row.interest, row.amortization, row.balance)
    return (row.number, row.due_on.toordinal() - _EPOCH, *map(cents, amounts))


def _charges_agree(terms: LoanTerms, official: tuple[Installment, ...], loan: int, charges: Charges) -> bool:
    released_on = day(terms.released_on[loan])
    rate = iof_rate(
        Borrower(int(charges.borrower[loan])),
        released_on=released_on,
        principal_cents=int(terms.principal_cents[loan]),
    )
    iof = official_iof(official, released_on=released_on, rate=rate)
    payments: list[tuple[date, Decimal]] = [(row.due_on, row.payment) for row in official]
    cet = official_cet(reais(charges.net_cents[loan]), released_on=released_on, payments=payments)
    official_charges = (cents(iof), cents(percent_a_year(cet)))
    if official_charges != (int(charges.iof_cents[loan]), int(charges.cet_annual_bp[loan])):
        return False
    monthly = charges.cet_monthly_bp
    return monthly is None or cents(percent_a_year(monthly_of_annual(cet))) == int(monthly[loan])

"""IOF on credit: the dated table of rates, as data.

The rate of a loan is the row of its borrower in force on the day of release. A release before the first row is
refused: no rate is guessed. Decreto 6.306/2007, article 7, paragraphs 1 (365-day cap) and 15 (additional).
"""

from dataclasses import dataclass
from datetime import date

from seed_pipelines.errors import IofRateUnknown
from seed_pipelines.lending.conventions import Borrower

# Decreto 6.306/2007, art. 7, par. 1: the daily rate is charged for at most this many days.
DAYS_CAP = 365

# Above this, a loan to a company in Simples is taxed as one to any company, as a whole.
SIMPLES_CEILING_CENTS = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IofRate:
    """Rates in hundred-millionths: 0.0082 % a day is 8,200, 0.38 % is 380,000."""

    borrower: Borrower
    starts_on: date
    daily_e8: int
    additional_e8: int
    source: str


def _rates(borrower: Borrower, *rows: tuple[date, int, int, str]) -> tuple[IofRate, ...]:
    return tuple(
        IofRate(borrower=borrower, starts_on=starts_on, daily_e8=daily, additional_e8=additional, source=source)
        for starts_on, daily, additional, source in rows
    )


_BASE = "Decreto 6.306/2007, art. 7"
_ZEROED = "art. 7, par. 20 (Decretos 10.305 and 10.551/2020): zero from 3 April to 26 November 2020"
_RESTORED = "art. 7, par. 20 (Decreto 10.551/2020): the base rate again"
_ZEROED_AGAIN = "art. 7, par. 20-A (Decreto 10.572/2020): zero from 15 to 31 December 2020"
_RAISED = "Decreto 10.797/2021: raised until year's end (as commonly reported, not checked against its text)"
_MAY_2025 = "Decretos 12.466 and 12.467 of May 2025"
_JUNE_2025 = "Decreto 12.499 of June 2025"
_SUSPENDED = "Decreto Legislativo 176/2025: back to the older rate; not charged afterwards for this window"
_COURT = "Supreme Court, ADC 96 and ADIs 7827, 7839: Decreto 12.499 restored"

IOF_RATES = (
    *_rates(
        Borrower.PF,
        (date(2015, 1, 22), 8_200, 380_000, "Decreto 8.392/2015"),
        (date(2020, 4, 3), 0, 0, _ZEROED),
        (date(2020, 11, 27), 8_200, 380_000, _RESTORED),
        (date(2020, 12, 15), 0, 0, _ZEROED_AGAIN),
        (date(2021, 1, 1), 8_200, 380_000, _BASE),
        (date(2021, 9, 20), 11_180, 380_000, _RAISED),
        (date(2022, 1, 1), 8_200, 380_000, _BASE),
    ),
    *_rates(
        Borrower.PJ,
        (date(2015, 1, 22), 4_100, 380_000, _BASE),
        (date(2020, 4, 3), 0, 0, _ZEROED),
        (date(2020, 11, 27), 4_100, 380_000, _RESTORED),
        (date(2020, 12, 15), 0, 0, _ZEROED_AGAIN),
        (date(2021, 1, 1), 4_100, 380_000, _BASE),
        (date(2021, 9, 20), 5_590, 380_000, _RAISED),
        (date(2022, 1, 1), 4_100, 380_000, _BASE),
        (date(2025, 5, 23), 8_200, 950_000, _MAY_2025),
        (date(2025, 6, 11), 8_200, 380_000, _JUNE_2025),
        (date(2025, 6, 27), 4_100, 380_000, _SUSPENDED),
        (date(2025, 7, 16), 8_200, 380_000, _COURT),
    ),
    *_rates(
        Borrower.SIMPLES,
        (date(2015, 1, 22), 1_370, 380_000, _BASE),
        (date(2020, 4, 3), 0, 0, _ZEROED),
        (date(2020, 11, 27), 1_370, 380_000, _RESTORED),
        (date(2020, 12, 15), 0, 0, _ZEROED_AGAIN),
        (date(2021, 1, 1), 1_370, 380_000, _BASE),
        (date(2025, 5, 23), 2_740, 950_000, _MAY_2025),
        (date(2025, 6, 11), 2_740, 380_000, _JUNE_2025),
        (date(2025, 6, 27), 1_370, 380_000, _SUSPENDED),
        (date(2025, 7, 16), 2_740, 380_000, _COURT),
    ),
)


def rates_of(borrower: Borrower, *, table: tuple[IofRate, ...] = IOF_RATES) -> tuple[IofRate, ...]:
    """The rows of one borrower, oldest first."""
    return tuple(sorted((row for row in table if row.borrower is borrower), key=lambda row: row.starts_on))


def iof_rate(
    borrower: Borrower,
    *,
    released_on: date,
    principal_cents: int,
    table: tuple[IofRate, ...] = IOF_RATES,
) -> IofRate:
    """The one row that taxes this loan."""
    if borrower is Borrower.SIMPLES and principal_cents > SIMPLES_CEILING_CENTS:
        borrower = Borrower.PJ
    rows = rates_of(borrower, table=table)
    in_force = [row for row in rows if row.starts_on <= released_on]
    if not in_force:
        raise IofRateUnknown(borrower.name, released_on=released_on, earliest=rows[0].starts_on)
    return in_force[-1]

"""IOF of many loans, withheld or financed, in whole cents.

The sum over instalments is exact in int64 and rounded once, half to even. Rates come from the dated table.
"""

import numpy as np

from seed_pipelines.errors import IofRateUnknown
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.engine import schedules
from seed_pipelines.lending.iof_rates import DAYS_CAP, SIMPLES_CEILING_CENTS, rates_of
from seed_pipelines.lending.loan_terms import LoanTerms, Schedules, day
from seed_pipelines.lending.official_charges import E8, GROSS_UP_STEPS
from seed_pipelines.lending.rounding import Int64s, divide_half_even


def iof_cents(terms: LoanTerms, made: Schedules, borrower: Int64s) -> Int64s:
    """IOF of each loan; `borrower` holds `Borrower` numbers."""
    if not len(terms):
        return np.empty(0, dtype=np.int64)
    daily, additional = _rates(terms, borrower)
    days = (made.due_on - np.repeat(terms.released_on, terms.count)).astype(np.int64)
    weighted = np.add.reduceat(made.amortization_cents * np.minimum(days, DAYS_CAP), made.offsets[:-1])
    return divide_half_even(weighted * daily + terms.principal_cents * additional, E8)


def gross_up(asked: LoanTerms, borrower: Int64s) -> Int64s:
    """The principals that cover `asked.principal_cents` after their own IOF is paid out of them.

    Where the rounding of cents leaves no exact answer, the larger principal: the client never gets a cent less.
    """
    principal = asked.principal_cents.copy()
    left = np.arange(len(asked), dtype=np.int64)
    previous = principal.copy()
    for _ in range(GROSS_UP_STEPS):
        tried = asked.of(left, principal_cents=principal[left])
        needed = asked.principal_cents[left] + iof_cents(tried, schedules(tried), borrower[left])
        # Two cents that answer each other would do so until the last step.
        oscillates = needed == previous[left]
        principal[left[oscillates]] = np.maximum(principal[left], needed)[oscillates]
        moves = (needed != principal[left]) & ~oscillates
        left, needed = left[moves], needed[moves]
        if not len(left):
            return principal
        previous[left] = principal[left]
        principal[left] = needed
    principal[left] = np.maximum(principal[left], previous[left])
    return principal


def _rates(terms: LoanTerms, borrower: Int64s) -> tuple[Int64s, Int64s]:
    """The daily and the additional rate of each loan, in hundred-millionths."""
    above = (borrower == Borrower.SIMPLES) & (terms.principal_cents > SIMPLES_CEILING_CENTS)
    taxed_as = np.where(above, int(Borrower.PJ), borrower)
    daily, additional = np.zeros(len(terms), dtype=np.int64), np.zeros(len(terms), dtype=np.int64)
    for kind in Borrower:
        loans = np.flatnonzero(taxed_as == kind)
        rows = rates_of(kind)
        starts = np.array([row.starts_on for row in rows], dtype="datetime64[D]")
        row = np.searchsorted(starts, terms.released_on[loans], side="right") - 1
        if (row < 0).any():
            earliest = day(terms.released_on[loans].min())
            raise IofRateUnknown(kind.name, released_on=earliest, earliest=rows[0].starts_on)
        daily[loans] = np.array([rate.daily_e8 for rate in rows])[row]
        additional[loans] = np.array([rate.additional_e8 for rate in rows])[row]
    return daily, additional

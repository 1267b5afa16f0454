"""The named choices of a loan: amortization system, first period, borrower.

The whole-number enums are what the engine's columns hold; the named ones appear in manifests and documents.
"""

from enum import IntEnum, StrEnum


class System(IntEnum):
    """How the principal is repaid."""

    # Equal payments.
    PRICE = 0
    # Equal amortizations.
    SAC = 1


class FirstDue(StrEnum):
    """What a first due date other than one month after release does to the interest."""

    # Every period earns (1 + rate)^(actual days / 30) - 1.
    ACTUAL_DAYS_30 = "actual days / 30"
    # The days beyond 30 are added to the principal once; from there on every period is one month.
    CAPITALISED = "capitalise the extra days"


class Borrower(IntEnum):
    """Who borrows, as far as IOF tells borrowers apart."""

    # Natural person.
    PF = 0
    # Company.
    PJ = 1
    # Company in Simples Nacional, or MEI.
    SIMPLES = 2

"""What a plan asks for and no generator could make: known before a row is made, so that nothing is written of it."""

from collections.abc import Mapping
from datetime import date, timedelta

from seed_pipelines.errors import ReferenceTooEarly, UniquesExhausted
from seed_pipelines.generate.bank_accounts import ACCOUNTS_PER_MODE
from seed_pipelines.generate.identifiers import PLACES_PER_MODE
from seed_pipelines.generate.people import TENURE_DAYS
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.iof_rates import IOF_RATES

# No loan is older than its customer is one.
OLDEST_RELEASE_DAYS = max(TENURE_DAYS.values)

# Every row of these has a document, an account or an address that no other row of the tenant has.
_MOST_ROWS: Mapping[str, int] = {
    "users": PLACES_PER_MODE,
    "consultants": PLACES_PER_MODE,
    "customers": PLACES_PER_MODE,
    "suppliers": PLACES_PER_MODE,
    "bank_accounts": ACCOUNTS_PER_MODE,
}


def assert_feasible(rows: Mapping[str, int], *, as_of: date) -> None:
    """Raises UniquesExhausted, or ReferenceTooEarly where a loan may be older than the rates of its IOF."""
    for entity, most in _MOST_ROWS.items():
        if rows.get(entity, 0) > most:
            raise UniquesExhausted(entity, rows=rows[entity], most=most)
    if rows.get("loans"):
        least = timedelta(days=OLDEST_RELEASE_DAYS)
        known_from = max(_known_from(borrower) for borrower in Borrower)
        if as_of - least < known_from:
            raise ReferenceTooEarly(as_of, known_from=known_from, earliest=known_from + least)


def _known_from(borrower: Borrower) -> date:
    return min(rate.starts_on for rate in IOF_RATES if rate.borrower is borrower)

"""The product mix: one deck of a hundred terms, and for each what a person and what a company would borrow.

The shares, rates and terms follow the averages that Banco Central publishes (press data of 07-11/2025: personal credit
6.23 % a month, private payroll loans 3.75-3.9 %, INSS and public payroll loans about 1.8 %, vehicles 1.9-2.1 %; for
companies working capital 1.66 %, receivables 1.48 %). A plan spreads installments over loans by the deck's terms, so
the deck gives their proportions; the manifest's caps give the exact number.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One kind of loan. Rates in millionths a month; amounts in cents, both ends included."""

    name: str
    amortization_system: str
    monthly_rate_ppm: tuple[int, int]
    principal_cents: tuple[int, int]


PERSONAL = Product(
    name="personal_credit",
    amortization_system="price",
    monthly_rate_ppm=(45_000, 79_000),
    principal_cents=(50_000, 1_500_000),
)
PAYROLL_PRIVATE = Product(
    name="payroll_private",
    amortization_system="price",
    monthly_rate_ppm=(26_000, 42_000),
    principal_cents=(100_000, 3_000_000),
)
PAYROLL_PUBLIC = Product(
    name="payroll_public",
    amortization_system="price",
    monthly_rate_ppm=(15_500, 18_000),
    principal_cents=(100_000, 6_000_000),
)
VEHICLE = Product(
    name="vehicle_financing",
    amortization_system="price",
    monthly_rate_ppm=(17_000, 23_000),
    principal_cents=(1_500_000, 9_000_000),
)
HOME_IMPROVEMENT = Product(
    name="home_improvement",
    amortization_system="sac",
    monthly_rate_ppm=(14_000, 24_000),
    principal_cents=(500_000, 5_000_000),
)

RECEIVABLES = Product(
    name="receivables",
    amortization_system="price",
    monthly_rate_ppm=(12_500, 17_100),
    principal_cents=(100_000, 50_000_000),
)
WORKING_CAPITAL = Product(
    name="working_capital",
    amortization_system="price",
    monthly_rate_ppm=(14_000, 19_200),
    principal_cents=(200_000, 100_000_000),
)

# (product of a person, term in months, cards out of a hundred)
_MIX = (
    (PERSONAL, 3, 6),
    (PERSONAL, 6, 12),
    (PERSONAL, 10, 8),
    (PERSONAL, 12, 10),
    (PAYROLL_PRIVATE, 12, 8),
    (PAYROLL_PRIVATE, 18, 8),
    (PAYROLL_PRIVATE, 24, 8),
    (PAYROLL_PUBLIC, 24, 8),
    (PAYROLL_PUBLIC, 36, 8),
    (PAYROLL_PUBLIC, 48, 6),
    (VEHICLE, 24, 4),
    (VEHICLE, 36, 4),
    (VEHICLE, 48, 4),
    (HOME_IMPROVEMENT, 12, 3),
    (HOME_IMPROVEMENT, 24, 3),
)

# Receivables are sold for less than a year.
_LONGEST_RECEIVABLES = 11

PERSON_DECK = tuple(product for product, _, cards in _MIX for _ in range(cards))
TERM_DECK = tuple(term for _, term, cards in _MIX for _ in range(cards))

COMPANY_DECK = tuple(RECEIVABLES if term <= _LONGEST_RECEIVABLES else WORKING_CAPITAL for term in TERM_DECK)

# A person's card is a place in TERM_DECK; a company's stands so many places further on.
PRODUCT_DECK = PERSON_DECK + COMPANY_DECK
COMPANY_CARDS = len(TERM_DECK)

# Twenty customers in a hundred have no loan; a few have many.
LOANS_PER_CUSTOMER_DECK = (0,) * 20 + (1,) * 30 + (2,) * 22 + (3,) * 14 + (4,) * 8 + (6,) * 4 + (9,) * 2

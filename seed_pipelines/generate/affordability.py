"""What a customer can pay for: the income that the loans need at least, and what each of them may take of it.

All loans of a person together take at most 30 % of the income in any month, those of a company 10 % of the revenue,
and together they are never more than 12 months of income, or 3 of revenue. That holds of every customer, because
nobody's income is below what the smallest loans on offer would take. Nothing here draws anything.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from seed_pipelines.generate.companies import is_company
from seed_pipelines.generate.planned import draws_of
from seed_pipelines.lending.conventions import System
from seed_pipelines.lending.price import price_payments
from seed_pipelines.lending.products import (
    COMPANY_CARDS,
    COMPANY_DECK,
    HOME_IMPROVEMENT,
    PAYROLL_PRIVATE,
    PAYROLL_PUBLIC,
    PERSON_DECK,
    PERSONAL,
    PRODUCT_DECK,
    TERM_DECK,
    VEHICLE,
    Product,
)
from seed_pipelines.lending.rounding import MILLION, Booleans, Int64s
from seed_pipelines.plan import Plan, RowRange

# Of the income or revenue, in hundredths; and how many months of it may be owed.
INCOME_SHARE, REVENUE_SHARE = 30, 10
INCOME_MONTHS, REVENUE_MONTHS = 12, 3

# The longest term that a plan can have (catalog.py).
MOST_COUNT = 120
_A_YEAR, _TWO_YEARS = 12, 24
OFFERS = tuple(dict.fromkeys(PRODUCT_DECK))


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """All loans of some customers; `owner` counts from the first of them.

    `need` is the first payment of the smallest loan that the card offers, `wish` that of the smallest one of its next
    product, in cents.
    """

    loans: RowRange
    owner: Int64s
    card: Int64s
    count: Int64s
    need: Int64s
    wish: Int64s
    is_company: Booleans

    @property
    def needed(self) -> Int64s:
        """Of each customer: what the smallest loans would take a month."""
        return self.sums(self.need)

    @property
    def least_income_cents(self) -> Int64s:
        """Of each customer, in whole reais."""
        least: Int64s = -(-self.needed // _shares(self.is_company)) * 100
        return least

    @property
    def weight(self) -> Int64s:
        """One long loan takes most of what is left, and is large; the short ones beside it are small."""
        squared: Int64s = self.count * self.count
        return squared

    def budgets(self, income_cents: Int64s) -> Int64s:
        """What the first payment of each loan may be: what all wish for if there is enough, else what they need, and a
        share of the rest by weight."""
        whole, wished = income_cents * _shares(self.is_company) // 100, self.sums(self.wish)
        is_enough = whole >= wished
        rest = whole - np.where(is_enough, wished, self.needed)
        base = np.where(is_enough[self.owner], self.wish, self.need)
        budgets: Int64s = base + rest[self.owner] * self.weight // self.sums(self.weight)[self.owner]
        return budgets

    def sums(self, values: Int64s) -> Int64s:
        """Of the loans of each customer; exact, since no sum is near 2^53."""
        return np.bincount(self.owner, weights=values, minlength=len(self.is_company)).astype(np.int64)


def burden_of(plan: Plan, customers: RowRange) -> Burden:
    relation, company = plan.relations.get("loans"), is_company(plan, customers)
    first, stop = (0, 0) if relation is None else map(relation.first_child, (customers.first, customers.stop))
    loans = RowRange(first=first, rows=stop - first)
    if relation is None or not loans.rows:
        none = np.zeros(0, dtype=np.int64)
        return Burden(loans=loans, owner=none, card=none, count=none, need=none, wish=none, is_company=company)
    owner = np.repeat(np.arange(customers.rows), relation.counts_of(customers.first, customers.rows))
    card, count = cards_and_counts(plan, loans)
    cheapest, following = (ladders()[rung][card + COMPANY_CARDS * company[owner]] for rung in (0, 1))
    need = least_payments()[cheapest, count]
    wish = np.maximum(need, least_payments()[following, count])
    return Burden(loans=loans, owner=owner, card=card, count=count, need=need, wish=wish, is_company=company)


def cards_and_counts(plan: Plan, loans: RowRange) -> tuple[Int64s, Int64s]:
    """The card of each loan and its term; a plan without installments takes the deck's own terms."""
    fanout = plan.fanouts.get("installments")
    if fanout is not None:
        return fanout.cards_of(loans.first, loans.rows), fanout.counts_of(loans.first, loans.rows)
    card = draws_of(plan, "loans", loans).scaled("product", len(TERM_DECK))
    return card, np.array(TERM_DECK, dtype=np.int64)[card]


def chosen_products(card: Int64s, is_company: Booleans, *, count: Int64s, budget: Int64s) -> Int64s:
    """Of each card's products the dearest whose least amount the budget pays for, as a position in PRODUCT_DECK."""
    place, payments, (offer, *dearer) = card + COMPANY_CARDS * is_company, least_payments(), ladders()
    offer = offer[place]
    for rung in dearer:
        other = rung[place]
        offer = np.where(payments[other, count] <= budget, other, offer)
    chosen: Int64s = np.array([PRODUCT_DECK.index(product) for product in OFFERS], dtype=np.int64)[offer]
    return chosen


def most_principal_cents(budget: Int64s, is_company: Booleans) -> Int64s:
    """The months of income that a budget stands for."""
    return budget * np.where(is_company, REVENUE_MONTHS * 100 // REVENUE_SHARE, INCOME_MONTHS * 100 // INCOME_SHARE)


@cache
def least_payments() -> Int64s:
    """The first payment of the least amount at the dearest rate, by product and term."""
    return np.stack([_payments_of(product) for product in OFFERS])


def _payments_of(product: Product) -> Int64s:
    """By term from 0, which no loan has; never less than what keeps the least amount within the months of income."""
    count = np.arange(1, MOST_COUNT + 1, dtype=np.int64)
    least, rate = np.full_like(count, product.principal_cents[0]), product.monthly_rate_ppm[1]
    if System[product.amortization_system.upper()] == System.PRICE:
        payment = price_payments(least, monthly_rate_ppm=np.full_like(count, rate), count=count)
    else:
        payment = least // count + least * rate // MILLION + 1
    months = REVENUE_MONTHS * 100 // REVENUE_SHARE if product in COMPANY_DECK else INCOME_MONTHS * 100 // INCOME_SHARE
    # One cent more: the first payment of what a budget pays for may round up.
    return np.concatenate(([0], np.maximum(payment + 1, -(-least // months))))


@cache
def ladders() -> Int64s:
    """By rung, from the cheapest product on, and card: a position in OFFERS."""
    offered = [_ladder_of(card) for card in range(COMPANY_CARDS)] + [(product,) for product in COMPANY_DECK]
    longest = max(map(len, offered))
    padded = [ladder + ladder[-1:] * (longest - len(ladder)) for ladder in offered]
    return np.array([[OFFERS.index(product) for product in ladder] for ladder in padded], dtype=np.int64).T


def _ladder_of(card: int) -> tuple[Product, ...]:
    """Few budgets pay for a vehicle or a renovation, so those that do take them on more cards than the mix has."""
    product, term = PERSON_DECK[card], TERM_DECK[card]
    if product == PERSONAL:
        return (PERSONAL, PERSONAL, PAYROLL_PRIVATE) if term >= _A_YEAR else (PERSONAL,)
    if product in (VEHICLE, HOME_IMPROVEMENT):
        payroll = PAYROLL_PUBLIC if term >= _TWO_YEARS else PAYROLL_PRIVATE
        return (PERSONAL, payroll, HOME_IMPROVEMENT, *((VEHICLE,) if product == VEHICLE else ()))
    if term == _A_YEAR:
        return (PERSONAL, product)
    return (PERSONAL, product, VEHICLE if term >= _TWO_YEARS else HOME_IMPROVEMENT)


def _shares(is_company: Booleans) -> Int64s:
    return np.where(is_company, REVENUE_SHARE, INCOME_SHARE)

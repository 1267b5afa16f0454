"""What a plan's customers are meant to earn, and what products of loans that pays for.

The shares follow from the tables of ages, incomes and products, and from which loans the plan gives to whom. No income
is drawn: a product's share is the chance that the income is high enough for it, loan by loan.
"""

from typing import Any

import numpy as np

from seed_pipelines.generate.affordability import INCOME_SHARE, OFFERS, Burden, burden_of, ladders, least_payments
from seed_pipelines.generate.people import (
    AGE_DAYS,
    DAYS_A_YEAR,
    INCOME_AGES,
    INCOME_PERCENTS,
    INCOME_REAIS,
    REVENUE_REAIS,
)
from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.lending.rounding import Int64s
from seed_pipelines.plan import Plan, RowRange

Shares = np.ndarray[Any, np.dtype[np.float64]]

# The loans of so many customers show what those of all are.
_CUSTOMERS = 20_000


def burden_sample(plan: Plan) -> Burden:
    return burden_of(plan, RowRange(first=0, rows=min(plan.rows["customers"], _CUSTOMERS)))


def income_shares(burden: Burden, quantiles: Quantiles) -> Shares:
    """Of people, or of companies for their quantiles, between the inner values of the table."""
    is_revenue = quantiles is REVENUE_REAIS
    least = np.sort(burden.least_income_cents[burden.is_company == is_revenue] / 100)
    edges = np.array(quantiles.values[1:-1])
    # Nobody's income is raised where there is nobody.
    may_be_below = np.searchsorted(least, edges) / len(least) if len(least) else np.ones(len(edges))
    below = _below(quantiles, edges) if is_revenue else _income_below(edges)
    return np.diff(below * may_be_below, prepend=0.0, append=1.0)


def ages_earning(reais: int) -> Shares:
    """Of the people who earn so much or more, how many are in each band of INCOME_AGES."""
    above = [
        share * (1 - _below(INCOME_REAIS, reais * 100 / percent))
        for share, percent in zip(_age_shares(), INCOME_PERCENTS, strict=True)
    ]
    shares: Shares = np.array(above) / sum(above)
    return shares


def product_shares(burden: Burden) -> dict[str, float]:
    """Of people's loans: of each the dearest product of its card that its share of the income pays for."""
    loans = np.flatnonzero(~burden.is_company[burden.owner])
    offers = ladders()[:, burden.card[loans]]
    chances = np.stack([_chance_of(burden, loans, least_payments()[rung, burden.count[loans]]) for rung in offers])
    dearer = np.maximum.accumulate(chances[::-1])[::-1]
    dearer = np.vstack([dearer[1:], np.zeros((1, len(loans)))])
    chosen = np.bincount(offers.ravel(), weights=np.maximum(chances - dearer, 0).ravel(), minlength=len(OFFERS))
    return {OFFERS[offer].name: float(chosen[offer] / chosen.sum()) for offer in np.flatnonzero(chosen)}


def _chance_of(burden: Burden, loans: Int64s, payment: Int64s) -> Shares:
    """That each loan's budget is the payment or more, in both ways in which an income is shared out."""
    owner, weight = burden.owner[loans], burden.weight[loans]
    parts = burden.sums(burden.weight)[owner] / weight
    least, enough = (sums[owner] for sums in (burden.needed, burden.sums(burden.wish)))
    if_little = least + (payment - burden.need[loans]) * parts
    if_enough = np.maximum(enough + (payment - burden.wish[loans]) * parts, enough)
    earned, wished, wanted = (
        np.where(whole <= least, 1.0, 1 - _income_below(whole / INCOME_SHARE))
        for whole in (if_little, enough, if_enough)
    )
    chance: Shares = wanted + np.maximum(earned - wished, 0)
    return chance


def _income_below(reais: Shares | Int64s) -> Shares:
    ages = zip(_age_shares(), INCOME_PERCENTS, strict=True)
    below: Shares = sum(share * _below(INCOME_REAIS, reais * 100 / percent) for share, percent in ages)
    return below


def _age_shares() -> Shares:
    """Of people in each band of INCOME_AGES."""
    edges = np.array(INCOME_AGES[1:]) * DAYS_A_YEAR
    return np.diff(_below(AGE_DAYS, edges), prepend=0.0, append=1.0)


def _below(quantiles: Quantiles, values: Shares | Int64s | float) -> Shares:
    return np.asarray(np.interp(values, quantiles.values, quantiles.shares)) / quantiles.shares[-1]

"""What a dataset is meant to look like: the shares that docs/reference/distributions.md states, out of the tables that
the generators draw from, and how each is asked for.

Nothing here looks at a row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from seed_pipelines.fanout import Fanout
from seed_pipelines.generate.affordability import INCOME_SHARE, REVENUE_SHARE, Burden
from seed_pipelines.generate.banks import BANKS
from seed_pipelines.generate.companies import COMPANY_SHARE
from seed_pipelines.generate.credit import PAYMENT_DAYS, PAYMENT_SHARES
from seed_pipelines.generate.loan_book import DAYS_LATE, DELINQUENT, RATE_STEP_PPM
from seed_pipelines.generate.people import (
    AGE_DAYS,
    COMPANY_AGE_DAYS,
    DAYS_A_YEAR,
    INCOME_AGES,
    INCOME_REAIS,
    REVENUE_REAIS,
    SIMPLES_CEILING_CENTS,
    SIMPLES_SHARE,
)
from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.generate.staff import ROLE_SHARES, ROLES
from seed_pipelines.generate.transactions import METHODS, PAYMENT_METHOD_SHARES
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.arrears import BUCKETS, STAGE_STARTS, Stage, stage_of
from seed_pipelines.lending.products import (
    COMPANY_DECK,
    LOANS_PER_CUSTOMER_DECK,
    PERSON_DECK,
    TERM_DECK,
    Product,
)
from seed_pipelines.plan import Plan
from seed_pipelines.profile.incomes import Shares, ages_earning, burden_sample, income_shares, product_shares

_PERSON, _COMPANY = "PF", "PJ"
_HAPPY = ""

_TERMS = ((1, "up to 6 months"), (7, "7 to 12"), (13, "13 to 24"), (25, "25 to 36"), (37, "37 to 48"), (49, "over 48"))
_PERSON_RATES_PPM = (18_000, 23_000, 30_000, 45_000, 60_000)
_COMPANY_RATES_PPM = (13_500, 14_500, 15_500, 16_500, 17_500)
_AMOUNTS_REAIS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
_MOST_LOANS_SHOWN = 6
# From here on a loan is in default, by what Banco Central publishes.
OVER_DAYS = 90
# One whole deck shows what all of them are.
_DECK = 100
_GOOD_INCOME_REAIS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One distribution: the query that measures it and, for each key that it may give, a label and a share.

    `entities` have to be planned for it. A query that `is_slow` reads the largest tables.
    """

    name: str
    title: str
    query: str
    entities: tuple[str, ...]
    shares: Mapping[str, tuple[str, float | None]]
    values: Mapping[str, Any] = field(default_factory=dict)
    is_slow: bool = False


def expectations(planned_rows: Mapping[str, int], plan: Plan | None = None) -> Iterator[Expectation]:
    """Everything that can be said of a plan with so many rows of each entity.

    What hangs on who has which loans is expected only where the plan itself is known.
    """
    burden = burden_sample(plan) if plan and plan.rows.get("customers") else None
    for expected in (*_of_customers(burden), *_of_loans(planned_rows, burden), *_of_the_rest(planned_rows)):
        if all(planned_rows.get(entity) for entity in expected.entities):
            yield expected


def state_shares(planned: Mapping[str, int], percents: Mapping[str, Decimal], rows: int) -> dict[str, float]:
    """What is expected of each state: the planned rows if no others are nearer to the manifest's percentages.

    A plan whose rows are not the nearest is told by the percentages themselves.
    """
    happy = {_HAPPY: 100 - sum(percents.values(), Decimal())}
    counts = {_HAPPY: rows - sum(planned.values()), **planned}
    above = [counts.get(state, 0) - Fraction(percent) * rows / 100 for state, percent in {**happy, **percents}.items()]
    if max(above) - min(above) > 1:
        return {state: float(percent) / 100 for state, percent in percents.items()}
    return {state: count / rows for state, count in planned.items()}


def _of_customers(burden: Burden | None) -> Iterator[Expectation]:
    shares = {_PERSON: ("people", 1 - COMPANY_SHARE / 100), _COMPANY: ("companies", COMPANY_SHARE / 100)}
    yield _about("customers", "kind", "Customers", "profile_kinds", shares)
    yield _about("customers", "state", "Customers by state", "profile_states", _states())
    people = {"kind": _PERSON}
    yield _by_quantiles("age", "Age of people, in years", "profile_ages", AGE_DAYS, values=people, per=DAYS_A_YEAR)
    yield _incomes("income", "Income of people, R$ a month", INCOME_REAIS, burden, values=people)
    yield _ages_earning()
    companies = {"kind": _COMPANY}
    yield _by_quantiles(
        "company_age",
        "Age of companies, in years",
        "profile_ages",
        COMPANY_AGE_DAYS,
        values=companies,
        per=DAYS_A_YEAR,
    )
    yield _incomes("revenue", "Revenue of companies, R$ a month", REVENUE_REAIS, burden, values=companies)
    simples = SIMPLES_SHARE / 100 * _share_below(REVENUE_REAIS, SIMPLES_CEILING_CENTS // 100)
    regimes = {"simples": ("Simples", simples), "regular": ("regular", 1 - simples)}
    yield _about("customers", "tax_regime", "Tax regime of companies", "profile_regimes", regimes)


def _of_loans(planned_rows: Mapping[str, int], burden: Burden | None) -> Iterator[Expectation]:
    # A plan may have no loan of a person.
    of_people = None if burden is None else product_shares(burden) or None
    of_companies = {product.name: COMPANY_DECK.count(product) / _DECK for product in COMPANY_DECK}
    yield _products("product", "people", PERSON_DECK, of_people)
    yield _products("company_product", "companies", COMPANY_DECK, of_companies)
    yield _rates("rate", "people", PERSON_DECK, of_people, bounds=_PERSON_RATES_PPM)
    yield _rates("company_rate", "companies", COMPANY_DECK, of_companies, bounds=_COMPANY_RATES_PPM)
    yield _terms(planned_rows)
    bounds = [reais * 100 for reais in _AMOUNTS_REAIS]
    yield _about(
        "loans",
        "amount",
        "Principal, R$",
        "profile_amounts",
        {str(key): (label, None) for key, label in enumerate(_labels([f"{reais:,}" for reais in _AMOUNTS_REAIS]))},
        values={"bounds": bounds},
    )
    yield _within_products()
    yield _days_late()


def _of_the_rest(planned_rows: Mapping[str, int]) -> Iterator[Expectation]:
    yield _loans_each(planned_rows)
    yield _burdens()
    roles = {role: (role, share / 100) for role, share in zip(ROLES, np.diff(ROLE_SHARES, prepend=0), strict=True)}
    yield _about("users", "role", "Users by role", "profile_roles", roles)
    banks = {bank.code: (bank.code, bank.share / 100) for bank in BANKS}
    yield _about("bank_accounts", "bank", "Accounts by bank", "profile_banks", banks)
    methods = zip(METHODS, np.diff(PAYMENT_METHOD_SHARES, prepend=0), strict=False)
    paid_by = {method: (method, share / 100) for method, share in methods}
    yield _about("financial_transactions", "method", "Payments by method", "profile_methods", paid_by, is_slow=True)
    each = np.diff(PAYMENT_SHARES, prepend=0) / 100
    days = {str(sign): (label, float(each[np.sign(PAYMENT_DAYS) == sign].sum())) for sign, label in _PUNCTUALITY}
    yield _about("installments", "punctuality", "Day of payment", "profile_punctuality", days, is_slow=True)


_PUNCTUALITY = ((-1, "early"), (0, "on the due date"), (1, "late"))


def _about(
    entity: str,
    name: str,
    title: str,
    query: str,
    shares: Mapping[str, tuple[str, float | None]],
    **rest: Any,
) -> Expectation:
    return Expectation(name=name, title=title, query=query, entities=(entity,), shares=shares, **rest)


def _states() -> dict[str, tuple[str, float | None]]:
    people: dict[str, int] = {}
    for city in vocabulary().cities:
        people[city.uf] = people.get(city.uf, 0) + city.weight
    total = sum(people.values())
    by_size = sorted(people, key=lambda uf: -people[uf])
    return {uf: (uf, people[uf] / total) for uf in by_size}


def _by_quantiles(
    name: str, title: str, query: str, quantiles: Quantiles, *, values: Mapping[str, Any], per: float = 1
) -> Expectation:
    """A distribution that is drawn from a table, in the table's own bands."""
    edges = quantiles.values[1:-1]
    shares = [(upper - lower) / quantiles.shares[-1] for lower, upper in pairwise(quantiles.shares)]
    keyed = _keyed(_labels([f"{round(edge / per):,}" for edge in edges]), shares)
    return _about("customers", name, title, query, keyed, values={**values, "bounds": list(edges)})


def _incomes(
    name: str, title: str, quantiles: Quantiles, burden: Burden | None, *, values: Mapping[str, Any]
) -> Expectation:
    """In the table's own bands, some raised to what the loans need."""
    edges = quantiles.values[1:-1]
    shares = None if burden is None else income_shares(burden, quantiles)
    keyed = _keyed(_labels([f"{edge:,}" for edge in edges]), shares)
    return _about("customers", name, title, "profile_incomes", keyed, values={**values, "bounds": list(edges)})


def _ages_earning() -> Expectation:
    """That incomes rise with the age and fall again."""
    keyed = _keyed(_labels([str(age) for age in INCOME_AGES[1:]]), ages_earning(_GOOD_INCOME_REAIS))
    return _about(
        "customers",
        "age_of_good_income",
        f"Age of people with R$ {_GOOD_INCOME_REAIS:,} a month or more",
        "profile_ages_earning",
        keyed,
        values={
            "bounds": [round(age * DAYS_A_YEAR) for age in INCOME_AGES[1:]],
            "least_cents": _GOOD_INCOME_REAIS * 100,
        },
    )


def _products(name: str, who: str, deck: Sequence[Product], mix: Mapping[str, float] | None) -> Expectation:
    products = list(dict.fromkeys(product.name for product in deck))
    shares = {key: (key.replace("_", " "), None if mix is None else mix.get(key, 0.0)) for key in products}
    return _about(
        "loans", name, f"Loans of {who} by product", "profile_products", shares, values={"products": products}
    )


def _keyed(labels: Sequence[str], shares: Iterable[float] | None) -> dict[str, tuple[str, float | None]]:
    """Bands from 0 on; nothing is expected of any without shares."""
    expected = [None] * len(labels) if shares is None else map(float, shares)
    return {str(key): (label, share) for key, (label, share) in enumerate(zip(labels, expected, strict=True))}


def _labels(edges: Sequence[str]) -> list[str]:
    """Of the bands below, between and above some edges."""
    return [f"below {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges)), f"from {edges[-1]}"]


def _share_below(quantiles: Quantiles, value: int) -> float:
    return float(np.interp(value, quantiles.values, quantiles.shares)) / quantiles.shares[-1]


def _rates(
    name: str, who: str, deck: Sequence[Product], mix: Mapping[str, float] | None, *, bounds: Sequence[int]
) -> Expectation:
    """Even steps within each product's range."""
    products = {product.name: product for product in deck}
    shares = None if mix is None else np.dot([*mix.values()], [_rate_bands(products[each], bounds) for each in mix])
    labels = _labels([f"{edge / 10_000:.2f}" for edge in bounds])
    return _about(
        "loans",
        name,
        f"Monthly rate of {who}, %",
        "profile_rates",
        _keyed(labels, shares),
        values={"bounds": list(bounds), "products": list(products)},
    )


def _rate_bands(product: Product, bounds: Sequence[int]) -> Shares:
    low, high = product.monthly_rate_ppm
    steps = np.arange(low, high + 1, RATE_STEP_PPM)
    return np.bincount(np.searchsorted(bounds, steps, side="right"), minlength=len(bounds) + 1) / len(steps)


def _terms(planned_rows: Mapping[str, int]) -> Expectation:
    """The deck of terms as it fits the planned numbers."""
    terms = np.array(TERM_DECK)
    if planned_rows.get("installments"):
        terms = _fitted(planned_rows, "installments", "loans", deck=TERM_DECK, least=1)
    firsts = [first for first, _ in _TERMS]
    counts = np.bincount(np.searchsorted(firsts, terms, side="right") - 1, minlength=len(_TERMS)) / len(terms)
    keyed = {str(key): (label, float(counts[key])) for key, (_, label) in enumerate(_TERMS)}
    return _about("loans", "term", "Term of loans", "profile_terms", keyed, values={"bounds": firsts[1:]})


def _loans_each(planned_rows: Mapping[str, int]) -> Expectation:
    shares: dict[str, tuple[str, float | None]] = {}
    if planned_rows.get("loans") and planned_rows.get("customers"):
        each = _fitted(planned_rows, "loans", "customers", deck=LOANS_PER_CUSTOMER_DECK, least=0)
        counts = np.bincount(np.minimum(each, _MOST_LOANS_SHOWN), minlength=_MOST_LOANS_SHOWN + 1) / len(each)
        labels = [*map(str, range(_MOST_LOANS_SHOWN)), f"{_MOST_LOANS_SHOWN} or more"]
        shares = {str(key): (label, float(counts[key])) for key, label in enumerate(labels)}
    return Expectation(
        name="loans_each",
        title="Loans of a customer",
        query="profile_loans_each",
        entities=("customers", "loans"),
        shares=shares,
        values={"most": _MOST_LOANS_SHOWN},
        is_slow=True,
    )


def _fitted(
    planned_rows: Mapping[str, int], entity: str, parent: str, *, deck: tuple[int, ...], least: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many children the parents of one deck have; which parent has how many does not matter here."""
    rows, parents = planned_rows[entity], planned_rows[parent]
    fanout = Fanout(
        entity=entity, parent=parent, parents=parents, children=rows, deck=deck, least=least, most=rows, key=0
    )
    return fanout.counts_of(0, min(parents, _DECK))


def _within_products() -> Expectation:
    products = {product.name: product.principal_cents for product in (*PERSON_DECK, *COMPANY_DECK)}
    return _about(
        "loans",
        "amount_within",
        "Principal within the product's bounds",
        "profile_amounts_within",
        {"within": ("within", 1.0), "outside": ("outside", 0.0)},
        values={
            "products": list(products),
            "least": [least for least, _ in products.values()],
            "most": [most for _, most in products.values()],
        },
    )


def _burdens() -> Expectation:
    return Expectation(
        name="burden",
        title="Customers by what their loans take of the income",
        query="profile_burdens",
        entities=("customers", "loans", "installments"),
        shares={"within": (f"within {INCOME_SHARE} or {REVENUE_SHARE} %", 1.0), "beyond": ("beyond", 0.0)},
        values={"income_share": INCOME_SHARE, "revenue_share": REVENUE_SHARE},
        is_slow=True,
    )


def over_90_share() -> float:
    """Of delinquent loans."""
    quantiles = DAYS_LATE[DELINQUENT]
    return 1 - _share_below(quantiles, OVER_DAYS + 1)


def stage_shares() -> Mapping[Stage, float]:
    """Of delinquent loans; each band of the table lies within one stage."""
    quantiles = DAYS_LATE[DELINQUENT]
    stages = stage_of(np.array(quantiles.values[:-1]))
    bands = np.diff(quantiles.shares) / quantiles.shares[-1]
    return {stage: float(bands[stages == stage].sum()) for stage in Stage}


def stage_labels() -> Mapping[Stage, str]:
    second, third = STAGE_STARTS.tolist()
    return {
        Stage.PERFORMING: f"stage 1, up to {second - 1} days",
        Stage.SIGNIFICANT_INCREASE: f"stage 2, {second} to {third - 1}",
        Stage.PROBLEM: f"stage 3, over {third - 1}",
    }


def _days_late() -> Expectation:
    """The table's bands are those of the buckets, from the second on."""
    quantiles = DAYS_LATE[DELINQUENT]
    shares = [(upper - lower) / quantiles.shares[-1] for lower, upper in pairwise(quantiles.shares)]
    keyed = {
        str(key): (f"{label} days", shares[key - 1] if 1 <= key <= len(shares) else 0.0)
        for key, label in enumerate(BUCKETS)
    }
    return Expectation(
        name="days_late",
        title="Delinquent loans by days late",
        query="profile_days_late",
        entities=("loans", "installments"),
        shares=keyed,
        values={"bounds": [*quantiles.values[:-1], 361]},
    )

"""Customers: people spread over Brazil as its people are, and companies; each document and e-mail once.

Documents and e-mails come from the customer's place among all that the tenant can ever have, so they are unique
across modes and stay with the row when the manifest's version changes. Mail goes to reserved domains only. Every
customer is older than the oldest loan that one with that tenure may have (`loan_book`), and none has less income than
its loans need at least (`affordability`).
"""

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.generate.affordability import burden_of
from seed_pipelines.generate.arrow import batch_of, dates, interleaved, numbers, timestamps, words
from seed_pipelines.generate.companies import (
    LTDA,
    NO_FORM,
    PUBLIC_LIMITED,
    company_documents,
    drawn_activities,
    is_company,
    with_legal_form,
)
from seed_pipelines.generate.identifiers import cpf_rows, texts
from seed_pipelines.generate.naming import (
    Surnames,
    drawn_cities,
    drawn_given_names,
    full_names,
    mail_addresses,
    mobile_phones,
)
from seed_pipelines.generate.planned import (
    draws_of,
    keys_of,
    places_of,
    reference_day,
    states_of,
    working_time,
)
from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.rounding import Dates, Int64s
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_ENTITY = "customers"
_STATUSES = (*catalog.STATES[_ENTITY], "active")

_ADULT_DAYS = 6_580
_LEAST_TENURE_DAYS = 460

# A company has to exist for some days before it becomes a customer.
_FOUNDING_DAYS = 15

# From a year and a quarter, so that a loan can be written off, to eight years.
TENURE_DAYS = Quantiles(shares=(0, 25, 50, 75, 100), values=(_LEAST_TENURE_DAYS, 800, 1_250, 1_900, 2_920))

# Days of age by hundreds of thousands of people: adults when they registered, then 20, 30, … and not quite 80 years.
AGE_DAYS = Quantiles(
    shares=(0, 58, 370, 690, 987, 1_230, 1_413, 1_517),
    values=(_ADULT_DAYS + _LEAST_TENURE_DAYS, 7_305, 10_958, 14_610, 18_263, 21_915, 25_568, 29_200),
)
COMPANY_AGE_DAYS = Quantiles(
    shares=(0, 20, 45, 70, 88, 100), values=(_FOUNDING_DAYS + _LEAST_TENURE_DAYS, 1_095, 2_555, 4_380, 7_300, 16_425)
)

# Reais a month by hundredths of a percent of the people with an income.
INCOME_REAIS = Quantiles(
    shares=(0, 500, 1_000, 2_500, 5_000, 7_500, 9_000, 9_500, 9_900, 9_990, 10_000),
    values=(900, 1_320, 1_518, 1_750, 2_500, 4_200, 7_900, 12_000, 27_000, 55_000, 90_000),
)

# How much of that people have from some ages on, in hundredths.
INCOME_AGES = (0, 25, 35, 45, 60)
INCOME_PERCENTS = (60, 90, 110, 120, 105)
DAYS_A_YEAR = 365.25

# The same for the revenue of companies. R$ 30,000 a month is the ceiling of a microenterprise, R$ 400,000 that of a
# small company, and of Simples Nacional.
REVENUE_REAIS = Quantiles(
    shares=(0, 3_000, 5_000, 7_000, 9_000, 9_700, 9_950, 10_000),
    values=(5_000, 12_000, 20_000, 30_000, 120_000, 400_000, 2_000_000, 6_000_000),
)
SIMPLES_CEILING_CENTS = 40_000_000
SIMPLES_SHARE = 85
_PUBLIC_LIMITED_SHARE = 30

_INCOME_AGE_DAYS = np.array([round(years * DAYS_A_YEAR) for years in INCOME_AGES[1:]], dtype=np.int64)
_KINDS = ("PF", "PJ")
_REGIMES = {Borrower.SIMPLES: "simples", Borrower.PJ: "regular"}


def customers(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    city, cities = customer_cities(plan, rows), vocabulary().cities
    income = income_cents(plan, rows)
    borrower = borrowers_earning(income, plan, rows)
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "kind": words((borrower != Borrower.PF).astype(np.int64), _KINDS),
            "tax_regime": _tax_regimes(borrower),
            "document_number": customer_documents(plan, rows),
            "name": _names(plan, rows, borrower),
            "email": customer_emails(plan, rows),
            "phone": customer_phones(plan, rows),
            "born_on": dates(_born_on(plan, rows)),
            "uf": words(city, tuple(city.uf for city in cities)),
            "city": words(city, tuple(city.name for city in cities)),
            "monthly_income_cents": numbers(income),
            "consultant_id": _consultants(plan, rows),
            "status": words(states_of(plan, _ENTITY, rows), _STATUSES),
            "created_at": timestamps(_created_at(plan, rows)),
        },
    )


def customer_cities(plan: Plan, rows: RowRange) -> Int64s:
    """Where each customer lives, as a position in the list of cities."""
    return drawn_cities(draws_of(plan, _ENTITY, rows))


def customer_documents(plan: Plan, rows: RowRange) -> pa.Array:
    """The CPF of a person, with the fiscal region of the city; the CNPJ of a company."""
    company = is_company(plan, rows)
    place, person = places_of(plan, _ENTITY, rows), ~company
    cpf_key, cnpj_key = (integer_of(plan.data_key.identity_seed, _ENTITY, name) for name in ("document_number", "cnpj"))
    regions = np.array([city.fiscal_region for city in vocabulary().cities], dtype=np.int64)
    region = regions[customer_cities(plan, rows)]
    cnpjs = company_documents(
        place[company],
        _born_on(plan, rows)[company],
        draws=draws_of(plan, _ENTITY, rows),
        chosen=company,
        key=cnpj_key,
    )
    return interleaved(company, texts(cpf_rows(place[person], fiscal_region=region[person], key=cpf_key)), cnpjs)


def customer_emails(plan: Plan, rows: RowRange) -> pa.Array:
    """Addresses that begin with the first words of the name."""
    lists = vocabulary()
    return mail_addresses(
        plan,
        _ENTITY,
        places_of(plan, _ENTITY, rows),
        first=_first_words(plan, rows),
        surname=Surnames.drawn(draws_of(plan, _ENTITY, rows)).first,
        table=(*lists.given.folded, *lists.activities.folded),
    )


def customer_phones(plan: Plan, rows: RowRange) -> pa.Array:
    """Mobile numbers of the customers' cities."""
    return mobile_phones(draws_of(plan, _ENTITY, rows), customer_cities(plan, rows))


def income_cents(plan: Plan, rows: RowRange) -> Int64s:
    """Monthly income of a person, or revenue of a company, in whole reais."""
    return income_of_at_least(burden_of(plan, rows).least_income_cents, plan, rows)


def income_of_at_least(least_cents: Int64s, plan: Plan, rows: RowRange) -> Int64s:
    """The same, where what each customer's loans need at least is known."""
    bits = draws_of(plan, _ENTITY, rows).bits("monthly_income_cents")
    age = np.searchsorted(_INCOME_AGE_DAYS, _age_days(plan, rows), side="right")
    income = INCOME_REAIS.of(bits) * np.array(INCOME_PERCENTS, dtype=np.int64)[age] // 100
    drawn = np.where(is_company(plan, rows), REVENUE_REAIS.of(bits), income) * 100
    raised: Int64s = np.maximum(drawn, least_cents)
    return raised


def borrowers(plan: Plan, rows: RowRange) -> Int64s:
    """What each customer is to IOF, as a `Borrower` number."""
    return borrowers_earning(income_cents(plan, rows), plan, rows)


def borrowers_earning(income_cents: Int64s, plan: Plan, rows: RowRange) -> Int64s:
    """The same, where the income or revenue of each is known."""
    company = is_company(plan, rows)
    in_simples = draws_of(plan, _ENTITY, rows).scaled("tax_regime", 100) < SIMPLES_SHARE
    in_simples &= income_cents <= SIMPLES_CEILING_CENTS
    return np.where(company, np.where(in_simples, Borrower.SIMPLES, Borrower.PJ), Borrower.PF).astype(np.int64)


def tenure_days(plan: Plan, rows: RowRange) -> Int64s:
    """How many days before the reference date each customer was registered: as an adult, or once founded."""
    youngest = np.where(is_company(plan, rows), _FOUNDING_DAYS, _ADULT_DAYS)
    drawn = TENURE_DAYS.of(draws_of(plan, _ENTITY, rows).bits("created_at"))
    return np.minimum(drawn, _age_days(plan, rows) - youngest)


def _first_words(plan: Plan, rows: RowRange) -> Int64s:
    """The given name of a person or the activity of a company, as a position in the list of both."""
    draws, lists = draws_of(plan, _ENTITY, rows), vocabulary()
    activities = len(lists.given.words) + drawn_activities(draws)
    return np.where(is_company(plan, rows), activities, drawn_given_names(draws))


def _names(plan: Plan, rows: RowRange, borrower: Int64s) -> pa.Array:
    draws, lists = draws_of(plan, _ENTITY, rows), vocabulary()
    table = (*lists.given.words, *lists.activities.words)
    names = full_names(_first_words(plan, rows), Surnames.drawn(draws), table=table)
    # Only a company outside Simples may be a public limited one.
    is_public = (borrower == Borrower.PJ) & (draws.scaled("legal_form", 100) < _PUBLIC_LIMITED_SHARE)
    form = np.where(is_public, PUBLIC_LIMITED, np.where(borrower == Borrower.PF, NO_FORM, LTDA))
    return with_legal_form(names, form)


def _age_days(plan: Plan, rows: RowRange) -> Int64s:
    bits = draws_of(plan, _ENTITY, rows).bits("born_on")
    return np.where(is_company(plan, rows), COMPANY_AGE_DAYS.of(bits), AGE_DAYS.of(bits))


def _born_on(plan: Plan, rows: RowRange) -> Dates:
    born_on: Dates = reference_day(plan) - _age_days(plan, rows)
    return born_on


def _created_at(plan: Plan, rows: RowRange) -> Int64s:
    """In the day that the tenure gives, at an hour of work."""
    days = reference_day(plan).astype(np.int64) - tenure_days(plan, rows)
    return working_time(days, draws_of(plan, _ENTITY, rows), "created_at_second")


def _tax_regimes(borrower: Int64s) -> pa.Array:
    table = tuple(_REGIMES.get(kind) for kind in Borrower)
    return pa.array(table, pa.string()).take(pa.array(borrower))


def _consultants(plan: Plan, rows: RowRange) -> pa.Array:
    """Who serves each customer; nobody where the plan has no consultants."""
    if "consultants" not in plan.rows:
        return pa.nulls(rows.rows, pa.int64())
    consultant = draws_of(plan, _ENTITY, rows).scaled("consultant_id", plan.rows["consultants"])
    return numbers(consultant + plan.first_id)

"""What the lending service is asked besides schedules: late charges, early settlement, financed IOF."""

import asyncio
import json
import re
from datetime import date
from pathlib import Path

import httpx
import pytest
from lending_cases import contract

from seed_pipelines.errors import LoanImpossible, QuotesDiffer
from seed_pipelines.lending import quotes
from seed_pipelines.lending.conventions import Borrower, FirstDue, System
from seed_pipelines.lending.quotes import Financing, LateInstallment, Settling
from seed_pipelines.lending_api import lending_app
from seed_pipelines.outside.quotes_contract import FINANCINGS_PATH, LATE_CHARGES_PATH, SETTLEMENTS_PATH

PAGE = (Path(__file__).parents[2] / "docs/how-to/ask-what-a-loan-costs.md").read_text()
LOAN = {
    "index": 7,
    "principal_cents": 1_000_000,
    "monthly_rate_ppm": 20_000,
    "installment_count": 12,
    "amortization_system": "price",
    "released_on": "2026-01-15",
    "first_due_on": "2026-02-15",
}
SETTLED = LOAN | {"settled_on": "2026-02-15"}
FINANCED = {key: value for key, value in LOAN.items() if key != "principal_cents"} | {
    "net_cents": 1_000_000,
    "borrower": "PF",
}
LATER = date(2026, 3, 1)
LATE = {"index": 7, "payment_cents": 94_560, "days_late": 31}


def ask(path, question):
    """The answer of the application itself, without a server."""

    async def asked():
        transport = httpx.ASGITransport(app=lending_app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://lending") as client:
            return await client.post(path, json=question)

    return asyncio.run(asked())


@pytest.mark.parametrize("path", [LATE_CHARGES_PATH, SETTLEMENTS_PATH, FINANCINGS_PATH])
def test_the_examples_of_the_documents_are_what_the_service_answers(path):
    section = PAGE.split(f"`POST {path}`")[1].split("\n## ")[0]
    asked, shown = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    assert ask(path, asked).json() == shown


@pytest.mark.parametrize(
    ("path", "asked", "answered"),
    [
        (
            LATE_CHARGES_PATH,
            {"installments": [LATE]},
            {"fine_cents": 1_891, "interest_cents": 977, "remuneratory_cents": 0, "total_cents": 97_428},
        ),
        (SETTLEMENTS_PATH, {"loans": [SETTLED]}, {"settlement_cents": 925_440, "installments_left": 11}),
        (
            SETTLEMENTS_PATH,
            {"loans": [SETTLED | {"settled_on": "2027-01-15"}]},
            {"settlement_cents": 0, "installments_left": 0},
        ),
    ],
)
def test_an_answer_repeats_the_index_of_its_question(path, asked, answered):
    (answers,) = ask(path, asked).json().values()
    assert answers == [{"index": 7, **answered}]


@pytest.mark.parametrize("borrower", Borrower)
@pytest.mark.parametrize("system", System)
def test_a_financed_principal_leaves_what_was_asked_after_its_iof(system, borrower):
    asked = contract("7500.00", "0.0235", 18, system=system)
    (financed,) = quotes.quote_financings([Financing(terms=asked, borrower=borrower)])
    assert financed.iof_cents > 0
    assert financed.principal_cents - financed.iof_cents == 750_000


def test_both_calculations_agree_about_loans_with_an_unusual_first_period():
    loans = [
        Settling(terms=contract(system=system, first_due=first_due, first_due_on=LATER), settled_on=day)
        for system in System
        for first_due in FirstDue
        for day in (contract().released_on, LATER)
    ]
    settled = quotes.quote_settlements(loans)
    assert {quote.installments_left for quote in settled} == {contract().count, contract().count - 1}


@pytest.mark.parametrize(
    ("path", "name", "item", "code"),
    [
        (LATE_CHARGES_PATH, "installments", LATE | {"days_late": -1}, "request-rejected"),
        (LATE_CHARGES_PATH, "installments", LATE | {"customer": "52998224725"}, "request-rejected"),
        (SETTLEMENTS_PATH, "loans", SETTLED | {"settled_on": "2026-01-14"}, "request-rejected"),
        (SETTLEMENTS_PATH, "loans", SETTLED | {"principal_cents": "100"}, "request-rejected"),
        (SETTLEMENTS_PATH, "loans", SETTLED | {"monthly_rate_ppm": 10**6, "installment_count": 420}, "loan-impossible"),
        (FINANCINGS_PATH, "loans", FINANCED | {"borrower": "52998224725"}, "request-rejected"),
        (FINANCINGS_PATH, "loans", FINANCED | {"net_cents": 100_000_000_000}, "loan-impossible"),
        (
            FINANCINGS_PATH,
            "loans",
            FINANCED | {"released_on": "2014-01-15", "first_due_on": "2014-02-15"},
            "iof-rate-unknown",
        ),
    ],
)
def test_what_it_cannot_answer_it_refuses_and_does_not_quote(path, name, item, code):
    answer = ask(path, {name: [item]})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["type"] == f"urn:seed-pipelines:problem:{code}"
    assert "52998224725" not in answer.text


def test_a_refusal_names_the_loan_by_its_place_in_the_question():
    fine, impossible = contract(), contract(rate="1", count=420)
    questions = [Financing(terms=terms, borrower=Borrower.PF) for terms in (fine, fine, impossible)]
    with pytest.raises(LoanImpossible) as refusal:
        quotes.quote_financings(questions)
    assert refusal.value.index == 2


@pytest.mark.parametrize(
    ("engine", "quote"),
    [
        ("late_charges", lambda: quotes.quote_late_charges([LateInstallment(payment_cents=94_560, days_late=17)])),
        (
            "settlement_cents",
            lambda: quotes.quote_settlements([Settling(terms=contract(), settled_on=contract().first_due_on)]),
        ),
        ("gross_up", lambda: quotes.quote_financings([Financing(terms=contract(), borrower=Borrower.PF)])),
    ],
)
def test_nothing_is_answered_where_the_engine_is_a_cent_away_from_the_official_calculation(engine, quote, monkeypatch):
    honest = getattr(quotes, engine)
    monkeypatch.setattr(quotes, engine, lambda amounts, *rest: _a_cent_more(honest(amounts, *rest)))
    with pytest.raises(QuotesDiffer, match=r"1 of those asked about \(0\)"):
        quote()


def test_the_service_says_that_it_is_its_own_fault(monkeypatch):
    monkeypatch.setattr(quotes, "settlement_cents", lambda *_: [0])
    answer = ask(SETTLEMENTS_PATH, {"loans": [SETTLED]})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "urn:seed-pipelines:problem:quotes-differ"


def _a_cent_more(made):
    if hasattr(made, "fine"):
        return type(made)(fine=made.fine + 1, interest=made.interest, total=made.total)
    return made + 1

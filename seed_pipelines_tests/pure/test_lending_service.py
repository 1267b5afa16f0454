"""The official calculation by URL: the same answers as in this process, and no batch is taken without them."""

import json
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from factories import make_plan
from fastapi import Request, Response
from lending_cases import contract

from seed_pipelines.errors import (
    LendingServiceNotReady,
    LendingServiceRefused,
    LendingServiceUnavailable,
    OracleDisagrees,
    SettingNotUsable,
)
from seed_pipelines.generate.oracle import OURS, Oracle
from seed_pipelines.lending.check import Costs, Question, calculate
from seed_pipelines.lending.conventions import Borrower, FirstDue, System
from seed_pipelines.lending_api import lending_app
from seed_pipelines.load.prepare import prepare
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.lending_contract import MOST_LOANS, PATH
from seed_pipelines.outside.lending_service import LendingService
from seed_pipelines.session import oracle_of
from seed_pipelines.settings import from_environment

ROOT = Path(__file__).parents[2]
PLAN = make_plan(customers=30, mode="carga")
KEYS = FieldKeys(b"k" * 32, environment="dev", tenant="acme")

QUESTIONS = [
    Question(terms=contract()),
    Question(terms=contract(system=System.SAC), costs=Costs(borrower=Borrower.SIMPLES, net_cents=990_000)),
    Question(terms=contract("5000.00", "0.0599", 6), costs=Costs(borrower=Borrower.PF, net_cents=493_603)),
    Question(terms=contract("0.01", "0", 420), costs=Costs(borrower=Borrower.PJ, net_cents=1)),
    Question(terms=contract(count=18, first_due=FirstDue.CAPITALISED)),
]


class Service:
    """The real service, in a thread; `behaviour` spoils its answers."""

    def __init__(self):
        self.behaviour, self.requests = "right", []
        app = lending_app()
        app.middleware("http")(self._spoil)
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    @contextmanager
    def running(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        try:
            yield self
        finally:
            self._server.should_exit = True
            self._thread.join()

    async def _spoil(self, request: Request, call_next):
        body = await request.body()
        self.requests.append(body)
        if isinstance(self.behaviour, int):
            return Response(status_code=self.behaviour)
        answer = await call_next(request)
        if self.behaviour == "slow":
            time.sleep(0.5)
        if self.behaviour in ("right", "slow"):
            return answer
        content = json.loads(b"".join([part async for part in answer.body_iterator]))
        return Response(json.dumps(SPOILED[self.behaviour](content)), media_type="application/json")


def one_cent_more(content):
    for schedule in content["schedules"]:
        if schedule["index"] == 3:
            schedule["installments"][0]["interest_cents"] += 1
    return content


SPOILED = {
    "one cent more": one_cent_more,
    "one loan fewer": lambda content: {"schedules": content["schedules"][1:]},
    "one loan twice": lambda content: {"schedules": [*content["schedules"][1:], content["schedules"][1]]},
    "a field more": lambda content: {**content, "note": "checked"},
    "another unit": lambda content: json.loads(json.dumps(content).replace("_cents", "_reais")),
    "no object": lambda content: [],
}


@pytest.fixture(scope="module")
def running():
    with Service().running() as service:
        yield service


@pytest.fixture
def service(running):
    running.behaviour = "right"
    running.requests.clear()
    return running


def loans_batch():
    return next(PLAN.batches("0000", "loans"))


def test_its_answers_are_those_of_this_package_in_their_order(service):
    with LendingService(service.url) as official:
        assert official(QUESTIONS) == calculate(QUESTIONS)
        many = QUESTIONS * (MOST_LOANS // 2)
        assert official(many) == calculate(QUESTIONS) * (MOST_LOANS // 2)
    assert len(service.requests) == 1 + -(-len(many) // MOST_LOANS)


@pytest.mark.parametrize("entity", ["loans", "contracts", "installments", "financial_transactions"])
def test_a_batch_that_it_agrees_with_is_taken_and_says_how_many_loans_were_compared(service, entity):
    batch = next(PLAN.batches("0000", entity))
    with LendingService(service.url) as official:
        by_url = prepare(PLAN, batch, KEYS, oracle=Oracle(official=official))
    assert by_url.oracle == prepare(PLAN, batch, KEYS, oracle=OURS).oracle
    assert by_url.oracle.loans == 24


@pytest.mark.parametrize("entity", ["loans", "contracts", "installments"])
def test_one_cent_of_difference_fails_the_batch_and_names_the_loan_by_index(service, entity):
    service.behaviour = "one cent more"
    batch = next(PLAN.batches("0000", entity))
    with LendingService(service.url) as official, pytest.raises(OracleDisagrees) as refusal:
        prepare(PLAN, batch, KEYS, oracle=Oracle(official=official))
    # The fourth of 24 loans that are evenly spaced over 60.
    assert refusal.value.indexes == (3 * 59 // 23,)


def test_nothing_personal_is_sent(service):
    with LendingService(service.url) as official:
        prepare(PLAN, loans_batch(), KEYS, oracle=Oracle(official=official))
    (sent,) = service.requests
    fields = {name for loan in json.loads(sent)["loans"] for name in loan}
    assert fields == {
        *("index", "principal_cents", "monthly_rate_ppm", "installment_count", "amortization_system"),
        *("released_on", "first_due_on", "first_due", "costs"),
    }
    assert [loan["index"] for loan in json.loads(sent)["loans"]] == list(range(24))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_that_cannot_answer_now_fails_the_batch_and_may_be_asked_again(service, status):
    service.behaviour = status
    with (
        LendingService(service.url) as official,
        pytest.raises(LendingServiceUnavailable, match=str(status)) as failure,
    ):
        prepare(PLAN, loans_batch(), KEYS, oracle=Oracle(official=official))
    assert failure.value.retryable


def test_a_slow_service_is_not_waited_for(service):
    service.behaviour = "slow"
    with LendingService(service.url, answer_seconds=0.1) as official, pytest.raises(LendingServiceUnavailable):
        prepare(PLAN, loans_batch(), KEYS, oracle=Oracle(official=official))


@pytest.mark.parametrize("behaviour", [302, 404, 422, *sorted(SPOILED.keys() - {"one cent more"})])
def test_an_answer_of_another_form_fails_the_batch_for_good(service, behaviour):
    service.behaviour = behaviour
    with LendingService(service.url) as official, pytest.raises(LendingServiceRefused) as failure:
        prepare(PLAN, loans_batch(), KEYS, oracle=Oracle(official=official))
    assert not failure.value.retryable


def test_a_service_that_is_down_refuses_the_session_before_anything_is_written():
    settings = from_environment({"SEED_LENDING_ORACLE_URL": "http://127.0.0.1:9"})
    with pytest.raises(LendingServiceNotReady, match=r"127\.0\.0\.1:9 does not answer") as refusal, oracle_of(settings):
        pytest.fail("a session was opened")
    assert refusal.value.exit_code == 3


def test_the_setting_decides_who_is_asked(service):
    with oracle_of(from_environment({})) as oracle:
        assert oracle == OURS
    with oracle_of(from_environment({"SEED_LENDING_ORACLE_URL": f"{service.url}/"})) as oracle:
        assert oracle.official(QUESTIONS[:1]) == calculate(QUESTIONS[:1])


def test_the_setting_decides_about_how_many_loans_of_a_batch_whoever_is_asked(service):
    for said in ({}, {"SEED_LENDING_ORACLE_URL": service.url}):
        with oracle_of(from_environment({"SEED_LENDING_ORACLE_LOANS": "31"} | said)) as oracle:
            assert prepare(PLAN, loans_batch(), KEYS, oracle=oracle).oracle.loans == 31


@pytest.mark.parametrize("text", ["0", "-1", "all", "2.5"])
def test_a_number_of_loans_that_is_none_is_refused(text):
    with pytest.raises(SettingNotUsable, match="SEED_LENDING_ORACLE_LOANS"):
        from_environment({"SEED_LENDING_ORACLE_LOANS": text})


@pytest.mark.parametrize(
    "change",
    [
        {"principal_cents": 0},
        {"principal_cents": "100"},
        {"installment_count": 421},
        {"amortization_system": "german"},
        {"first_due_on": "2026-01-15"},
        {"customer": "52998224725"},
        {"released_on": "2014-01-15", "first_due_on": "2014-02-15", "costs": {"borrower": "PF", "net_cents": 100}},
        {"released_on": "9999-06-15", "first_due_on": "9999-07-15", "installment_count": 420},
        {
            "principal_cents": 1_000_000,
            "installment_count": 1,
            "first_due_on": "2026-01-16",
            "costs": {"borrower": "PF", "net_cents": 1},
        },
        {"principal_cents": 100_000_000_000, "costs": {"borrower": "PF", "net_cents": 1}},
        {"principal_cents": 1, "installment_count": 60, "costs": {"borrower": "PF", "net_cents": 100_000_000_000}},
        {"monthly_rate_ppm": 1_000_000, "installment_count": 420, "first_due_on": "2026-01-16"},
        {"principal_cents": 1, "monthly_rate_ppm": 1_000_000, "installment_count": 420, "first_due_on": "2027-01-16"},
    ],
)
def test_a_loan_that_it_cannot_compute_is_refused_and_not_quoted(service, change):
    loan = {
        "index": 0,
        "principal_cents": 100_000,
        "monthly_rate_ppm": 35_000,
        "installment_count": 3,
        "amortization_system": "price",
        "released_on": "2026-01-15",
        "first_due_on": "2026-02-15",
    }
    answer = httpx.post(service.url + PATH, json={"loans": [loan | change]}, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["type"].startswith("urn:seed-pipelines:problem:")
    assert "52998224725" not in answer.text


def test_the_example_of_the_documents_is_what_the_service_answers(service):
    page = (ROOT / "docs/how-to/use-your-own-calculation.md").read_text()
    asked, shown = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    answer = httpx.post(service.url + PATH, json=asked, trust_env=False).json()
    answer["schedules"][0]["installments"][1:] = []
    assert answer == shown


@pytest.mark.parametrize("url", ["ftp://lending", "lending.internal", "http://user:hidden@lending", "https://"])
def test_an_address_that_cannot_be_asked_is_refused_and_not_quoted(url):
    with pytest.raises(SettingNotUsable, match="SEED_LENDING_ORACLE_URL") as refusal:
        from_environment({"SEED_LENDING_ORACLE_URL": url})
    assert "hidden" not in str(refusal.value)

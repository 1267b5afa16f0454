"""What an official calculation is asked by URL, and what it answers: JSON objects, amounts in whole cents.

A loan is named by its index in the request alone. Nothing in either direction says whose loan it is. Anything that
is not of this form is refused on both sides.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seed_pipelines.lending.check import MOST_AMOUNT_CENTS, Answer, Costs, OfficialCharges, OfficialRow, Question
from seed_pipelines.lending.conventions import Borrower, FirstDue, System
from seed_pipelines.lending.loan_terms import cents, reais
from seed_pipelines.lending.official import Terms
from seed_pipelines.lending.rounding import MILLION

PATH = "/v1/schedules"

MOST_LOANS = 100
MOST_CENTS = 100_000_000_000
_MOST_FIRST_DUE_DAYS = 366
# A year and 420 months later there still is a calendar.
_LAST_RELEASE = date(9_900, 12, 31)

Cents = Annotated[int, Field(strict=True, ge=-MOST_AMOUNT_CENTS, le=MOST_AMOUNT_CENTS)]


class Strict(BaseModel):
    """Exactly these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LoanCosts(Strict):
    """Who borrows, as far as IOF tells borrowers apart, and what is released."""

    borrower: Literal["PF", "PJ", "SIMPLES"]
    net_cents: Annotated[int, Field(strict=True, ge=1, le=MOST_CENTS)]


class LoanContract(Strict):
    """What a contract says besides its amount."""

    index: Annotated[int, Field(strict=True, ge=0, lt=MOST_LOANS)]
    monthly_rate_ppm: Annotated[int, Field(strict=True, ge=0, le=MILLION, description="20000 for 2 % a month")]
    installment_count: Annotated[int, Field(strict=True, ge=1, le=420)]
    amortization_system: Literal["price", "sac"]
    released_on: Annotated[date, Field(le=_LAST_RELEASE)]
    first_due_on: date
    first_due: FirstDue = FirstDue.ACTUAL_DAYS_30

    @model_validator(mode="after")
    def _due_within_a_year(self) -> Self:
        if not 1 <= (self.first_due_on - self.released_on).days <= _MOST_FIRST_DUE_DAYS:
            raise ValueError("first_due_on is not 1 to 366 days after released_on")
        return self

    def terms(self, principal_cents: int) -> Terms:
        """The contract over so much."""
        return Terms(
            principal=reais(principal_cents),
            monthly_rate=Decimal(self.monthly_rate_ppm) / MILLION,
            count=self.installment_count,
            system=System[self.amortization_system.upper()],
            released_on=self.released_on,
            first_due_on=self.first_due_on,
            first_due=self.first_due,
        )


class Loan(LoanContract):
    """One loan; without `costs` only its schedule is asked for."""

    principal_cents: Annotated[int, Field(strict=True, ge=1, le=MOST_CENTS)]
    costs: LoanCosts | None = None


class ScheduleRequest(Strict):
    """Some loans, indexed from 0."""

    loans: Annotated[list[Loan], Field(min_length=1, max_length=MOST_LOANS)]


class ScheduleRow(Strict):
    """One installment; `balance_cents` is what is still owed after it."""

    number: Annotated[int, Field(strict=True, ge=1, le=420)]
    due_on: date
    payment_cents: Cents
    interest_cents: Cents
    amortization_cents: Cents
    balance_cents: Cents


class ScheduleCosts(Strict):
    """IOF in cents; CET in hundredths of a percent, 3214 for 32.14 %."""

    iof_cents: Cents
    cet_annual_bp: Cents
    cet_monthly_bp: Cents


class Schedule(Strict):
    """What is official of one loan."""

    index: Annotated[int, Field(strict=True, ge=0, lt=MOST_LOANS)]
    installments: list[ScheduleRow]
    costs: ScheduleCosts | None = None


class ScheduleAnswer(Strict):
    """One schedule for each loan of the request."""

    schedules: list[Schedule]


def request_of(questions: Sequence[Question]) -> ScheduleRequest:
    """The questions as they are sent."""
    return ScheduleRequest(loans=[_loan_of(index, question) for index, question in enumerate(questions)])


def questions_of(request: ScheduleRequest) -> tuple[Question, ...]:
    """The questions that were asked, in the order of the request."""
    return tuple(_question_of(loan) for loan in request.loans)


def answer_of(request: ScheduleRequest, answers: Sequence[Answer]) -> ScheduleAnswer:
    """The answers as they are sent back."""
    indexes = [loan.index for loan in request.loans]
    return ScheduleAnswer(
        schedules=[_schedule_of(index, answer) for index, answer in zip(indexes, answers, strict=True)]
    )


def answers_of(received: ScheduleAnswer, *, loans: int) -> tuple[Answer, ...]:
    """The answers in the order of the questions; raises ValueError unless there is exactly one for each."""
    by_index = {schedule.index: schedule for schedule in received.schedules}
    if len(received.schedules) != loans or by_index.keys() != set(range(loans)):
        msg = f"{len(received.schedules)} schedules for {loans} loans, or not one for each index"
        raise ValueError(msg)
    return tuple(_answer_of(by_index[index]) for index in range(loans))


def _loan_of(index: int, question: Question) -> Loan:
    terms, costs = question.terms, question.costs
    return Loan(
        index=index,
        principal_cents=cents(terms.principal),
        monthly_rate_ppm=int(terms.monthly_rate * MILLION),
        installment_count=terms.count,
        amortization_system="price" if terms.system is System.PRICE else "sac",
        released_on=terms.released_on,
        first_due_on=terms.first_due_on,
        first_due=terms.first_due,
        costs=None
        if costs is None
        else LoanCosts.model_validate({"borrower": costs.borrower.name, "net_cents": costs.net_cents}),
    )


def _question_of(loan: Loan) -> Question:
    terms = loan.terms(loan.principal_cents)
    if loan.costs is None:
        return Question(terms=terms)
    return Question(terms=terms, costs=Costs(borrower=Borrower[loan.costs.borrower], net_cents=loan.costs.net_cents))


def _schedule_of(index: int, answer: Answer) -> Schedule:
    charges = answer.charges
    return Schedule(
        index=index,
        installments=[ScheduleRow.model_validate(row, from_attributes=True) for row in answer.rows],
        costs=None if charges is None else ScheduleCosts.model_validate(charges, from_attributes=True),
    )


def _answer_of(schedule: Schedule) -> Answer:
    costs = schedule.costs
    return Answer(
        rows=tuple(OfficialRow(**row.model_dump()) for row in schedule.installments),
        charges=None if costs is None else OfficialCharges(**costs.model_dump()),
    )

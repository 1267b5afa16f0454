"""What the lending service is asked of a loan besides its schedule, and what it answers: JSON, amounts in whole cents.

Late charges of an installment, early settlement, and the principal that finances its own IOF. Anything that is not of
this form is refused. Nothing says whose loan it is.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.quotes import Financed, Financing, LateInstallment, LateQuote, Settlement, Settling
from seed_pipelines.lending.rounding import MILLION
from seed_pipelines.outside.lending_contract import MOST_CENTS, MOST_LOANS, LoanContract, Strict

LATE_CHARGES_PATH = "/v1/late-charges"
SETTLEMENTS_PATH = "/v1/settlements"
FINANCINGS_PATH = "/v1/financings"

# Five years: after that a debt of a contract can no longer be claimed (Código Civil, article 206 § 5 I).
_MOST_DAYS_LATE = 1_830

Index = Annotated[int, Field(strict=True, ge=0, lt=MOST_LOANS)]
Owed = Annotated[int, Field(strict=True, ge=0)]


class Late(Strict):
    """One installment; with a rate, the contract's own interest is charged for the days as well."""

    index: Index
    payment_cents: Annotated[int, Field(strict=True, ge=0, le=MOST_CENTS)]
    days_late: Annotated[int, Field(strict=True, ge=0, le=_MOST_DAYS_LATE)]
    monthly_rate_ppm: Annotated[int, Field(strict=True, ge=0, le=MILLION)] = 0

    def question(self) -> LateInstallment:
        return LateInstallment(
            payment_cents=self.payment_cents,
            days_late=self.days_late,
            monthly_rate=Decimal(self.monthly_rate_ppm) / MILLION,
        )


class LateChargesRequest(Strict):
    """Some installments, each with an index of its own."""

    installments: Annotated[list[Late], Field(min_length=1, max_length=MOST_LOANS)]


class LateCharges(Strict):
    """Fine, interest for being late and the contract's own; the total holds the installment too."""

    index: Index
    fine_cents: Owed
    interest_cents: Owed
    remuneratory_cents: Owed
    total_cents: Owed


class LateChargesAnswer(Strict):
    """One for each installment of the request, in its order."""

    late_charges: list[LateCharges]


class SettledLoan(LoanContract):
    """A loan and the day on which it is to be settled; installments due until then count as paid."""

    principal_cents: Annotated[int, Field(strict=True, ge=1, le=MOST_CENTS)]
    settled_on: date

    @model_validator(mode="after")
    def _settled_after_release(self) -> Self:
        if self.settled_on < self.released_on:
            raise ValueError("settled_on is before released_on")
        return self

    def question(self) -> Settling:
        return Settling(terms=self.terms(self.principal_cents), settled_on=self.settled_on)


class SettlementRequest(Strict):
    """Some loans, each with an index of its own."""

    loans: Annotated[list[SettledLoan], Field(min_length=1, max_length=MOST_LOANS)]


class SettledAmount(Strict):
    """What settles the loan on that day, instead of so many installments."""

    index: Index
    settlement_cents: Owed
    installments_left: Annotated[int, Field(strict=True, ge=0, le=420)]


class SettlementAnswer(Strict):
    """One for each loan of the request, in its order."""

    settlements: list[SettledAmount]


class FinancedLoan(LoanContract):
    """A loan whose client is to receive `net_cents`, with the IOF lent on top."""

    net_cents: Annotated[int, Field(strict=True, ge=1, le=MOST_CENTS)]
    borrower: Literal["PF", "PJ", "SIMPLES"]

    def question(self) -> Financing:
        return Financing(terms=self.terms(self.net_cents), borrower=Borrower[self.borrower])


class FinancingRequest(Strict):
    """Some loans, each with an index of its own."""

    loans: Annotated[list[FinancedLoan], Field(min_length=1, max_length=MOST_LOANS)]


class FinancedAmount(Strict):
    """The principal of the contract, and the IOF that is paid out of it."""

    index: Index
    principal_cents: Owed
    iof_cents: Owed


class FinancingAnswer(Strict):
    """One for each loan of the request, in its order."""

    financings: list[FinancedAmount]


def late_charges_of(index: int, quote: LateQuote) -> LateCharges:
    return LateCharges(
        index=index,
        fine_cents=quote.fine_cents,
        interest_cents=quote.interest_cents,
        remuneratory_cents=quote.remuneratory_cents,
        total_cents=quote.total_cents,
    )


def settled_amount_of(index: int, quote: Settlement) -> SettledAmount:
    return SettledAmount(
        index=index, settlement_cents=quote.settlement_cents, installments_left=quote.installments_left
    )


def financed_amount_of(index: int, quote: Financed) -> FinancedAmount:
    return FinancedAmount(index=index, principal_cents=quote.principal_cents, iof_cents=quote.iof_cents)

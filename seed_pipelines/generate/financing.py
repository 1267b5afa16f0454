"""Financed IOF: the loans whose IOF is lent as well, so that the client receives a round amount.

Such a loan is no larger than the loan book let it be, and no smaller than its product allows: one that would be keeps
its IOF withheld.
"""

import numpy as np

from seed_pipelines.generate.streams import Draws
from seed_pipelines.lending.charges import gross_up
from seed_pipelines.lending.loan_terms import LoanTerms
from seed_pipelines.lending.rounding import Booleans, Int64s

IOF_MODES = (WITHHELD, FINANCED) = ("withheld", "financed")

# Of a hundred loans that are large enough.
FINANCED_SHARE = 10

# What is asked for, in whole tens of reais.
AMOUNT_STEP_CENTS = 1_000

# In hundredths of the principal: no IOF on record takes as much as the rest.
_ASKED_SHARE = 95


def with_financed_iof(
    draws: Draws, terms: LoanTerms, *, borrower: Int64s, least_cents: Int64s
) -> tuple[LoanTerms, Booleans]:
    """The same loans, some with financed IOF, and which of them those are."""
    asked = terms.principal_cents * _ASKED_SHARE // 100 // AMOUNT_STEP_CENTS * AMOUNT_STEP_CENTS
    is_financed: Booleans = (draws.scaled("iof_mode", 100) < FINANCED_SHARE) & (asked >= least_cents)
    chosen = np.flatnonzero(is_financed)
    principal = terms.principal_cents.copy()
    principal[chosen] = gross_up(terms.of(chosen, principal_cents=asked[chosen]), borrower[chosen])
    return terms.with_principal(principal), is_financed

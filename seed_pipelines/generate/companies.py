"""What is particular to companies, whether they are customers or suppliers: document, activity, legal form.

A CNPJ has letters only if the company was opened on or after the day on which the first such one was issued, and then
not always. Which customers are companies stays with the row when the manifest's version changes, as their document's
root does.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.generate.arrow import words
from seed_pipelines.generate.identifiers import cnpj_rows, texts
from seed_pipelines.generate.planned import identity_draws_of
from seed_pipelines.generate.streams import Draws
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.rounding import Booleans, Dates, Int64s
from seed_pipelines.plan import Plan, RowRange

# In hundredths.
COMPANY_SHARE = 12

# Receita Federal issued the first CNPJ with letters on this day.
LETTERS_SINCE = np.datetime64("2026-07-31")
_LETTERED_SHARE = 70

# The company itself, or now and then one of its branches.
_ORDERS = (1, 2, 3, 4, 5)
_ORDER_SHARES = (92, 95, 97, 99, 100)

LEGAL_FORMS = ("Ltda", "S.A.")
LTDA, PUBLIC_LIMITED = range(len(LEGAL_FORMS))
NO_FORM = -1


def is_company(plan: Plan, rows: RowRange) -> Booleans:
    """Which customers are companies."""
    drawn: Booleans = identity_draws_of(plan, "customers", rows).scaled("kind", 100) < COMPANY_SHARE
    return drawn


def company_documents(place: Int64s, opened_on: Dates, *, draws: Draws, chosen: Booleans, key: int) -> pa.Array:
    """The CNPJ of each chosen row; `place` and `opened_on` are of the chosen ones only, `draws` of all."""
    order = np.array(_ORDERS, dtype=np.int64)[draws.weighted("order", _ORDER_SHARES)[chosen]]
    has_letters = (opened_on >= LETTERS_SINCE) & (draws.scaled("has_letters", 100)[chosen] < _LETTERED_SHARE)
    return texts(cnpj_rows(place, order=order, has_letters=has_letters, key=key))


def drawn_activities(draws: Draws) -> Int64s:
    """Positions in the list of activities."""
    return draws.weighted("activity", vocabulary().activities.cumulative)


def with_legal_form(names: pa.Array, form: Int64s) -> pa.Array:
    """Names followed by their legal form; those of NO_FORM stay as they are."""
    return pc.binary_join_element_wise(names, words(form + 1, ("", *(f" {each}" for each in LEGAL_FORMS))), "")

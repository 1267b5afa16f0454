"""Masked names of companies, alone or in one column with those of people.

Activity and two surnames become others of the same lists, permuted together as one number; the legal form stays, and
each form has a permutation of its own. A company's name is told from a person's by its form, which no person's ends
with, so the two never meet. A name that is not three words of the lists before a legal form is refused.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.arrow import interleaved
from seed_pipelines.generate.companies import LEGAL_FORMS
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.ff1 import permute
from seed_pipelines.mask.names import NameTables, mask_names, numbered, spelled

_WANTED = "an activity and two surnames out of the vocabulary and a legal form, one blank between them"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyTables:
    """What companies' names are made of; `words` holds activities in the place of given names."""

    words: NameTables
    legal_forms: tuple[str, ...]


@cache
def vendored_company_names() -> CompanyTables:
    """The lists that the generator takes its companies' names from."""
    lists = vocabulary()
    words = NameTables(given=lists.activities.words, surnames=lists.surnames.words)
    return CompanyTables(words=words, legal_forms=LEGAL_FORMS)


def mask_company_names(values: pa.Array, *, key: bytes, column: str, tables: CompanyTables) -> pa.Array:
    """A text column of other companies' names of the same forms; raises NotMaskable or SmallDomain."""
    forms = _forms(values, tables)
    if (forms < 0).any():
        raise NotMaskable(column, rows=int((forms < 0).sum()), wanted=_WANTED)
    if not len(values):
        return values
    masked = [
        _mask_form(values.filter(pa.array(forms == form)), tables.legal_forms[form], key, column, tables.words)
        for form in np.unique(forms).tolist()
    ]
    back = np.argsort(np.argsort(forms, kind="stable"))
    return pa.concat_arrays(masked).take(pa.array(back))


def mask_mixed_names(
    values: pa.Array, *, key: bytes, column: str, people: NameTables, companies: CompanyTables
) -> pa.Array:
    """A text column of people and companies, each masked as it would be alone."""
    is_company = _forms(values, companies) >= 0
    if not is_company.any():
        return mask_names(values, key=key, column=column, tables=people)
    persons, firms = (values.filter(pa.array(chosen)) for chosen in (~is_company, is_company))
    return interleaved(
        is_company,
        mask_names(persons, key=key, column=column, tables=people),
        mask_company_names(firms, key=key, column=column, tables=companies),
    )


def _forms(values: pa.Array, tables: CompanyTables) -> NDArray[np.int64]:
    """The position of the legal form that each name ends with, or -1."""
    forms = np.full(len(values), -1, dtype=np.int64)
    for position, form in enumerate(tables.legal_forms):
        forms[pc.ends_with(values, pattern=f" {form}").to_numpy(zero_copy_only=False)] = position
    return forms


def _mask_form(values: pa.Array, form: str, key: bytes, column: str, words: NameTables) -> pa.Array:
    """Names that all end in one form."""
    plain = pc.utf8_slice_codeunits(values, 0, -len(form) - 1)
    numbers = numbered(plain, words, column=column, wanted=_WANTED)
    permuted = permute(words.combinations, numbers, key=key, tweak=b"company|" + form.encode())
    return pc.binary_join_element_wise(spelled(permuted, words), form, " ")

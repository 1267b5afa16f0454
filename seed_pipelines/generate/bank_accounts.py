"""Bank accounts: each pair of agency and account once at its bank, with the bank's own check digits.

Agency and account come together from a permutation of the row's place among all that the tenant can ever have, so
they are unique across modes. A customer's first account has the customer's own document, e-mail or phone as Pix key,
or a random one; further accounts have a random key or none, so no document or e-mail is a key twice.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.errors import UniquesExhausted
from seed_pipelines.generate.arrow import batch_of, numbers, words
from seed_pipelines.generate.banks import AGENCY_WIDTH, BANK_CUMULATIVE, BANKS, Bank, account_digits, agency_digits
from seed_pipelines.generate.companies import is_company
from seed_pipelines.generate.identifiers import MODE_SLOTS, AsciiRows, digit_rows, hex_rows, texts
from seed_pipelines.generate.people import customer_documents, customer_emails, customer_phones
from seed_pipelines.generate.permutation import Permutation
from seed_pipelines.generate.planned import draws_of, keys_of, mode_slot, row_numbers, states_of
from seed_pipelines.generate.streams import Draws
from seed_pipelines.lending.rounding import Booleans, Int64s
from seed_pipelines.plan import Plan, RowRange
from seed_pipelines.seeds import integer_of

_ENTITY = "bank_accounts"
_STATUSES = (*catalog.STATES[_ENTITY], "active")
_ACCOUNT_KINDS = ("checking", "savings")

# Out of a hundred accounts of people.
_SAVINGS_SHARE = 25

# The kinds of Caixa: a person's checking and savings accounts, and a company's.
_OPERATIONS = np.array([1, 13, 3], dtype=np.int64)
_COMPANY_OPERATION = 2

PIX_KEY_TYPES = ("cpf", "cnpj", "phone", "email", "evp")
CPF, CNPJ, PHONE, EMAIL, EVP = range(len(PIX_KEY_TYPES))
NO_KEY = len(PIX_KEY_TYPES)
# Of a hundred first accounts: the document, the phone, the e-mail, a random key, none. Of further ones the last two.
_FIRST_KEYS = np.array([CPF, PHONE, EMAIL, EVP, NO_KEY], dtype=np.int64)
_FIRST_SHARES = (36, 62, 78, 92, 100)
_FURTHER_SHARE_WITH_KEY = 55

# The smallest bank's agencies and accounts, shared out among the modes.
ACCOUNTS_PER_MODE = min(bank.numbers for bank in BANKS) // MODE_SLOTS


def bank_accounts(plan: Plan, rows: RowRange) -> pa.RecordBatch:
    draws = draws_of(plan, _ENTITY, rows)
    customer, ordinal = plan.relations[_ENTITY].parents_of(rows.first, rows.rows)
    known = RowRange(first=int(customer[0]), rows=int(customer[-1] - customer[0]) + 1)
    within = customer - known.first
    company = is_company(plan, known)[within]
    is_savings = ~company & (draws.scaled("account_kind", 100) < _SAVINGS_SHARE)
    bank = draws.weighted("bank_code", BANK_CUMULATIVE)
    key_type = _key_types(draws, ordinal, company)
    return batch_of(
        _ENTITY,
        {
            **keys_of(plan, rows),
            "customer_id": numbers(customer + plan.first_id),
            "bank_code": words(bank, tuple(bank.code for bank in BANKS)),
            **_numbered(plan, rows, bank, operation=np.where(company, _COMPANY_OPERATION, is_savings)),
            "account_kind": words(is_savings.astype(np.int64), _ACCOUNT_KINDS),
            "pix_key_type": pa.array((*PIX_KEY_TYPES, None), pa.string()).take(pa.array(key_type)),
            "pix_key": _pix_keys(plan, known, within, key_type=key_type, draws=draws),
            "status": words(states_of(plan, _ENTITY, rows), _STATUSES),
        },
    )


def _numbered(plan: Plan, rows: RowRange, bank: Int64s, *, operation: Int64s) -> dict[str, pa.Array]:
    """Agency, account and their digits; every bank has a permutation of its own."""
    place, parts = _places(plan, rows), []
    for position, known in enumerate(BANKS):
        chosen = np.flatnonzero(bank == position)
        key = integer_of(plan.data_key.identity_seed, _ENTITY, known.code)
        number = Permutation(size=known.numbers, key=key).of(place[chosen])
        parts.append(_accounts_of(known, number, _OPERATIONS[operation[chosen]]))
    back = np.empty(rows.rows, dtype=np.int64)
    back[np.argsort(bank, kind="stable")] = np.arange(rows.rows)
    names = ("agency", "agency_digit", "account", "account_digit")
    columns = (pa.concat_arrays(column).take(pa.array(back)) for column in zip(*parts, strict=True))
    return dict(zip(names, columns, strict=True))


def _accounts_of(bank: Bank, number: Int64s, operation: Int64s) -> tuple[pa.Array, ...]:
    digits = digit_rows(number, width=AGENCY_WIDTH + bank.free_width)
    agency, account = digits[:, :AGENCY_WIDTH], digits[:, AGENCY_WIDTH:]
    if bank.fixed_width:
        account = np.hstack((digit_rows(operation, width=bank.fixed_width), account))
    agency_digit = agency_digits(bank, agency)
    no_digits = pa.nulls(len(number), pa.string())
    return (
        texts(agency),
        no_digits if agency_digit is None else texts(agency_digit),
        texts(account),
        texts(account_digits(bank, agency, account)),
    )


def _places(plan: Plan, rows: RowRange) -> Int64s:
    """The place of each account among all that the tenant can ever have; raises UniquesExhausted."""
    if plan.rows[_ENTITY] > ACCOUNTS_PER_MODE:
        raise UniquesExhausted(_ENTITY, rows=plan.rows[_ENTITY], most=ACCOUNTS_PER_MODE)
    return row_numbers(rows) + mode_slot(plan) * ACCOUNTS_PER_MODE


def _key_types(draws: Draws, ordinal: Int64s, company: Booleans) -> Int64s:
    first = _FIRST_KEYS[draws.weighted("pix_key_type", _FIRST_SHARES)]
    first = np.where((first == CPF) & company, CNPJ, first)
    further = np.where(draws.scaled("pix_key_further", 100) < _FURTHER_SHARE_WITH_KEY, EVP, NO_KEY)
    return np.where(ordinal == 0, first, further)


def _pix_keys(plan: Plan, customers: RowRange, within: Int64s, *, key_type: Int64s, draws: Draws) -> pa.Array:
    """The customer's own document, phone or e-mail, or a random key; null for none."""
    owner, rows = pa.array(within), np.arange(len(within), dtype=np.int64)
    sources = (
        customer_documents(plan, customers).take(owner),
        customer_phones(plan, customers).take(owner),
        customer_emails(plan, customers).take(owner),
        texts(_random_keys(draws)),
    )
    source = np.array([0, 0, 1, 2, 3, 0], dtype=np.int64)[key_type]
    picked = pa.array(source * len(within) + rows, mask=key_type == NO_KEY)
    return pa.concat_arrays(sources).take(picked)


def _random_keys(draws: Draws) -> AsciiRows:
    """UUIDs of version 4 out of drawn bits, in lower case."""
    digits = np.hstack([hex_rows(draws.bits(f"pix_key_{half}")) for half in ("high", "low")])
    digits[:, 12] = ord("4")
    digits[:, 16] = np.frombuffer(b"89ab", dtype=np.uint8)[draws.scaled("pix_key_variant", 4)]
    dash = np.full((len(digits), 1), ord("-"), dtype=np.uint8)
    bounds = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    parts = [part for first, last in bounds for part in (digits[:, first:last], dash)]
    return np.hstack(parts[:-1])

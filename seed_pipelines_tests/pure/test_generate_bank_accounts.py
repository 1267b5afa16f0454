"""Bank accounts and Pix keys: the banks' own check digits, the customer's own keys, and masks that keep both."""

import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from factories import make_plan
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines import catalog
from seed_pipelines.errors import NotMaskable, UniquesExhausted
from seed_pipelines.generate.bank_accounts import ACCOUNTS_PER_MODE, bank_accounts
from seed_pipelines.generate.banks import BANKS, account_digits, agency_digits
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask.bank_accounts import mask_bank_accounts
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.pgp import decrypt
from seed_pipelines.mask.pix import mask_pix_keys, mask_pix_references
from seed_pipelines.mask.policy import mask_batch
from seed_pipelines.plan import RowRange

KEYS = FieldKeys(bytes(range(32)), environment="dev", tenant="acme")
PLAN = make_plan(customers=1_500, mode="carga")
BANK_OF = {bank.code: bank for bank in BANKS}
ACCOUNT_COLUMNS = ("agency", "agency_digit", "account", "account_digit")


def _batch(entity, plan=PLAN):
    return generate(plan, entity, first_row=0, rows=plan.rows[entity])


CUSTOMERS = {row["id"]: row for row in _batch("customers").to_pylist()}
ROWS = _batch("bank_accounts").to_pylist()


def _characters(text):
    return np.frombuffer(text.encode(), dtype=np.uint8).reshape(1, -1)


def _digits(code, agency, account):
    """The agency's digit, or None, and the account's."""
    of_agency = agency_digits(BANK_OF[code], _characters(agency))
    of_account = account_digits(BANK_OF[code], _characters(agency), _characters(account))
    return None if of_agency is None else chr(of_agency[0, 0]), chr(of_account[0, 0])


@pytest.mark.parametrize(
    ("code", "agency", "agency_digit", "account", "account_digit"),
    [
        ("001", "1584", "9", "00210169", "6"),
        ("237", "1425", "7", "0238069", "2"),
        ("341", "2545", None, "02366", "1"),
        ("104", "2004", None, "00100000448", "6"),
    ],
)
def test_published_accounts_have_their_published_check_digits(code, agency, agency_digit, account, account_digit):
    assert _digits(code, agency, account) == (agency_digit, account_digit)


@pytest.mark.parametrize(
    ("code", "agency", "account", "digits"),
    [
        # By hand: 5·0 + 4·0 + 3·0 + 2·6 = 12, 11 - 1 = 10; 2·6 = 12 again.
        ("001", "0006", "00000006", ("X", "X")),
        ("237", "0006", "0000006", ("P", "P")),
        ("001", "0000", "00000000", ("0", "0")),
        ("237", "0000", "0000000", ("0", "0")),
        # 9·1 + 7·2 + 3·3 + 1·4 + 9·1 + 7·2 + 1·3 + 3·4 + 1·5 + 9·6 + 7·7 + 3·8 = 206.
        ("033", "1234", "12345678", (None, "4")),
        ("341", "0000", "00000", (None, "0")),
        # 6·2 = 12, 120 % 11 = 10, which is written 0.
        ("104", "0000", "00000000006", (None, "0")),
    ],
)
def test_remainders_without_a_digit_have_the_banks_own_character(code, agency, account, digits):
    assert _digits(code, agency, account) == digits


def test_every_account_has_the_digits_of_its_bank():
    for row in ROWS:
        assert len(row["agency"]) == 4
        assert len(row["account"]) == BANK_OF[row["bank_code"]].account_width
        assert (row["agency_digit"], row["account_digit"]) == _digits(row["bank_code"], row["agency"], row["account"])
    assert set(BANK_OF) == {row["bank_code"] for row in ROWS}


def test_no_account_is_there_twice_in_any_mode():
    others = _batch("bank_accounts", make_plan(customers=1_500, mode="dr")).to_pylist()
    numbers = [(row["bank_code"], row["agency"], row["account"]) for row in (*ROWS, *others)]
    assert len(set(numbers)) == len(numbers)


def test_every_customer_has_an_account_and_exactly_the_planned_ones_are_blocked():
    assert {row["customer_id"] for row in ROWS} == set(CUSTOMERS)
    assert Counter(row["status"] for row in ROWS)["blocked"] == PLAN.state_rows["bank_accounts"]["blocked"] > 0


def test_the_kind_at_caixa_is_that_of_the_account_and_of_its_owner():
    for row in ROWS:
        is_company = CUSTOMERS[row["customer_id"]]["kind"] == "PJ"
        assert not (is_company and row["account_kind"] == "savings")
        if row["bank_code"] == "104":
            expected = "003" if is_company else {"checking": "001", "savings": "013"}[row["account_kind"]]
            assert row["account"][:3] == expected


def test_a_pix_key_is_the_customer_s_own_or_a_random_one():
    own = {"cpf": "document_number", "cnpj": "document_number", "phone": "phone", "email": "email"}
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    for row in ROWS:
        customer, kind = CUSTOMERS[row["customer_id"]], row["pix_key_type"]
        if kind in own:
            assert row["pix_key"] == customer[own[kind]]
            assert kind not in ("cpf", "cnpj") or kind == {"PF": "cpf", "PJ": "cnpj"}[customer["kind"]]
        elif kind == "evp":
            assert uuid.fullmatch(row["pix_key"])
        else:
            assert (kind, row["pix_key"]) == (None, None)
    assert {row["pix_key_type"] for row in ROWS} == {*own, "evp", None}


def test_documents_mails_and_random_keys_are_keys_of_one_account_only():
    keys = [row["pix_key"] for row in ROWS if row["pix_key_type"] not in (None, "phone")]
    assert len(set(keys)) == len(keys)


def test_more_accounts_than_a_mode_has_places_for_are_refused():
    assert ACCOUNTS_PER_MODE * 4 <= 10**9
    plan = make_plan(customers=100_000_000, loans=0, installments=0, bank_accounts=ACCOUNTS_PER_MODE + 1)
    with pytest.raises(UniquesExhausted, match="bank_accounts"):
        bank_accounts(plan, RowRange(first=0, rows=1))


def _opened(stored, entity, column):
    values = decrypt(stored[column].drop_null(), key=KEYS.column(entity, column).pgp).to_pylist()
    taken = iter(values)
    return [None if value is None else next(taken) for value in stored[column].to_pylist()]


STORED = mask_batch(catalog.BANK_ACCOUNTS, _batch("bank_accounts"), KEYS)
MASKED = {
    column.name: _opened(STORED, "bank_accounts", column.name) for column in catalog.BANK_ACCOUNTS.personal_columns
}


def test_masked_accounts_are_others_of_the_same_bank_with_its_check_digits():
    for place, row in enumerate(ROWS):
        agency, agency_digit, account, account_digit = (MASKED[column][place] for column in ACCOUNT_COLUMNS)
        bank = BANK_OF[row["bank_code"]]
        assert (agency_digit, account_digit) == _digits(bank.code, agency, account)
        assert len(account) == bank.account_width
        assert account[: bank.fixed_width] == row["account"][: bank.fixed_width]
        assert (agency, account) != (row["agency"], row["account"])
    masked = zip([row["bank_code"] for row in ROWS], MASKED["agency"], MASKED["account"], strict=True)
    assert len(set(masked)) == len(ROWS)


def test_digests_keep_accounts_apart():
    digests = zip(
        STORED["bank_code"].to_pylist(),
        STORED["agency_digest"].to_pylist(),
        STORED["account_digest"].to_pylist(),
        strict=True,
    )
    assert len(set(digests)) == len(ROWS)


def test_a_masked_key_is_still_the_customer_s_own_masked_value():
    batch = _batch("customers")
    stored = mask_batch(catalog.CUSTOMERS, batch, KEYS)
    place_of = {customer: place for place, customer in enumerate(batch["id"].to_pylist())}
    own = {
        type_: _opened(stored, "customers", column)
        for type_, column in {
            "cpf": "document_number",
            "cnpj": "document_number",
            "phone": "phone",
            "email": "email",
        }.items()
    }
    for place, row in enumerate(ROWS):
        key, type_ = MASKED["pix_key"][place], row["pix_key_type"]
        if type_ in own:
            assert key == own[type_][place_of[row["customer_id"]]]
        assert key != row["pix_key"] or key is None


def test_masked_random_keys_are_uuids_of_version_4_and_never_meet():
    keys = [key for key, row in zip(MASKED["pix_key"], ROWS, strict=True) if row["pix_key_type"] == "evp"]
    assert len(set(keys)) == len(keys) > 100
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key) for key in keys
    )


def _account_rows(bank, numbers):
    width = 4 + bank.account_width
    texts = [str(number).rjust(width, "0") for number in numbers]
    digits = [_digits(bank.code, text[:4], text[4:]) for text in texts]
    return pa.RecordBatch.from_pydict(
        {
            "bank_code": pa.array([bank.code] * len(texts)),
            "agency": pa.array([text[:4] for text in texts]),
            "agency_digit": pa.array([agency for agency, _ in digits], pa.string()),
            "account": pa.array([text[4:] for text in texts]),
            "account_digit": pa.array([account for _, account in digits]),
        }
    )


@given(st.sampled_from(BANKS), st.data())
def test_accounts_of_a_bank_never_meet(bank, data):
    most = 10 ** (4 + bank.account_width) - 1
    numbers = data.draw(st.lists(st.integers(0, most), min_size=1, max_size=30, unique=True))
    rows = _account_rows(bank, numbers)
    masked = mask_bank_accounts(rows, ACCOUNT_COLUMNS, keys=KEYS, entity="bank_accounts")
    assert len(set(zip(masked["agency"].to_pylist(), masked["account"].to_pylist(), strict=True))) == len(numbers)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("account_digit", "0"),
        ("agency_digit", "0"),
        ("agency_digit", None),
        ("account", "0021016"),
        ("bank_code", "999"),
    ],
)
def test_an_account_that_no_bank_would_give_is_refused(column, value):
    rows = _account_rows(BANK_OF["001"], [158400210169])
    place = rows.schema.get_field_index(column)
    rows = rows.set_column(place, column, pa.array([value], pa.string()))
    with pytest.raises(NotMaskable, match=r"bank_accounts\.agency: 1 rows"):
        mask_bank_accounts(rows, ACCOUNT_COLUMNS, keys=KEYS, entity="bank_accounts")


@pytest.mark.parametrize(
    ("type_", "key"),
    [("evp", "not-a-uuid"), ("cpf", "12345678900"), ("phone", "11912345678"), ("something", "x"), ("email", None)],
)
def test_a_pix_key_that_is_not_of_its_type_is_refused(type_, key):
    rows = pa.RecordBatch.from_pydict({"pix_key_type": pa.array([type_]), "pix_key": pa.array([key], pa.string())})
    with pytest.raises(NotMaskable, match=r"bank_accounts\.pix_key: 1 rows|pix_key"):
        mask_pix_keys(rows, ["pix_key"], keys=KEYS, entity="bank_accounts")


REFERENCES = st.from_regex(r"\AE[0-9]{8}20260[1-9]0[1-9]12[0-5][0-9][0-9a-z]{11}\Z")


@given(st.lists(REFERENCES, min_size=1, max_size=30, unique=True))
def test_end_to_end_ids_keep_institution_and_time_and_never_meet(texts):
    masked = mask_pix_references(pa.array(texts), key=bytes(range(32)), column="any").to_pylist()
    assert [text[:-11] for text in masked] == [text[:-11] for text in texts]
    assert len(set(masked)) == len(texts)
    assert all(re.fullmatch("[0-9a-z]{11}", text[-11:]) for text in masked)


@pytest.mark.parametrize(
    "text",
    [
        "E0000000020260101120012345678901"[:-1],
        "X00000000202601011200abcdefghijk",
        "E0000000020260101120aabcdefghijk",
        "E00000000202601011200abcdefghij:",
        "E00000000202601011200abcdefghijK",
        "E00000000202601011200abcdefghi\u00e9",
        "",
    ],
)
def test_an_end_to_end_id_of_another_form_is_refused(text):
    with pytest.raises(NotMaskable, match="11 lower-case letters"):
        mask_pix_references(pa.array([text]), key=bytes(32), column="any")

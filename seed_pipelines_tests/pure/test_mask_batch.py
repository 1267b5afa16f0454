"""From generated rows to stored rows: columns, order, nulls, digests, and nothing readable."""

import hmac
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from seed_pipelines import catalog
from seed_pipelines.catalog import Column, ColumnType, Entity, Pii
from seed_pipelines.errors import NotMaskable
from seed_pipelines.mask.ff1 import IntegerCipher
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.names import vendored_names
from seed_pipelines.mask.pgp import decrypt
from seed_pipelines.mask.policy import JOINT_MASKS, mask_batch, masks

ROWS = 300
COMPANIES = ["Padaria Silva Souza Ltda", "Transportes Lima Costa S.A.", "Padaria Silva Souza S.A."]


def make_keys(*, tenant="acme", environment="dev", prk=bytes(range(32))):
    return FieldKeys(prk, environment=environment, tenant=tenant)


@pytest.fixture
def customers():
    chance, words = random.Random(3), vendored_names()
    values = {
        column.name: pa.array([f"{column.name} {row}" for row in range(ROWS)]) for column in catalog.CUSTOMERS.columns
    }
    values |= {
        "id": pa.array(range(1_000, 1_000 + ROWS), pa.int64()),
        "document_number": pa.array(["52998224725", "12ABC34501DE35", "11222333000181"] * (ROWS // 3)),
        "name": pa.array(
            [
                " ".join([chance.choice(words.given), *chance.choices(words.surnames, k=2)])
                for _ in range(ROWS - len(COMPANIES))
            ]
            + COMPANIES
        ),
        "email": pa.array([f"maria.souza.{row:06d}@example.com" for row in range(ROWS)]),
        "phone": pa.array([f"+55119{row:08d}" for row in range(ROWS)]),
    }
    return pa.RecordBatch.from_pydict(values)


def test_the_stored_columns_come_out_in_order_and_only_personal_ones_change(customers):
    stored = mask_batch(catalog.CUSTOMERS, customers, make_keys())
    assert stored.schema.names == [column.name for column in catalog.CUSTOMERS.stored_columns]
    personal = {column.name for column in catalog.CUSTOMERS.personal_columns}
    for column in catalog.CUSTOMERS.stored_columns:
        if column.type is ColumnType.BYTES:
            assert stored.column(column.name).type == pa.binary()
        elif column.name not in personal:
            assert stored.column(column.name) == customers.column(column.name)


def test_an_entity_without_personal_columns_passes_untouched():
    rows = pa.RecordBatch.from_pydict({column.name: pa.array([1, 2]) for column in catalog.LOANS.columns})
    assert mask_batch(catalog.LOANS, rows, make_keys()) == rows


@pytest.mark.parametrize("column", catalog.CUSTOMERS.personal_columns, ids=lambda column: column.name)
def test_what_is_encrypted_is_the_masked_value(customers, column):
    keys = make_keys().column("customers", column.name)
    stored = mask_batch(catalog.CUSTOMERS, customers, make_keys())
    opened = decrypt(stored.column(column.name), key=keys.pgp)
    plain = customers.column(column.name)
    assert opened == masks(vendored_names())[column.pii](plain, key=keys.ff1, column="any")
    assert not set(opened.to_pylist()) & set(plain.to_pylist())


@pytest.mark.parametrize("column", ["document_number", "email"])
def test_a_digest_is_the_keyed_digest_of_the_masked_value(customers, column):
    keys = make_keys().column("customers", column)
    stored = mask_batch(catalog.CUSTOMERS, customers, make_keys())
    opened = decrypt(stored.column(column), key=keys.pgp).to_pylist()
    expected = [hmac.digest(keys.digest, text.encode(), "sha256") for text in opened]
    assert stored.column(f"{column}_digest").to_pylist() == expected


def test_a_rerun_and_another_batching_give_the_same_bytes(customers):
    whole = mask_batch(catalog.CUSTOMERS, customers, make_keys())
    parts = [mask_batch(catalog.CUSTOMERS, customers[at : at + 70], make_keys()) for at in range(0, ROWS, 70)]
    assert pa.Table.from_batches(parts).combine_chunks().to_batches()[0] == whole


@pytest.mark.parametrize(
    "other",
    [{"tenant": "beta"}, {"environment": "staging"}, {"prk": bytes(32)}],
    ids=["tenant", "environment", "secret"],
)
def test_another_tenant_environment_or_secret_shares_no_mask_and_no_digest(customers, other):
    stored = [mask_batch(catalog.CUSTOMERS, customers, keys) for keys in (make_keys(), make_keys(**other))]
    for column in catalog.CUSTOMERS.personal_columns:
        opened = [
            set(decrypt(rows.column(column.name), key=keys.column("customers", column.name).pgp).to_pylist())
            for rows, keys in zip(stored, (make_keys(), make_keys(**other)), strict=True)
        ]
        assert not opened[0] & opened[1]
        if column.digest:
            name = f"{column.name}_digest"
            assert not set(stored[0].column(name).to_pylist()) & set(stored[1].column(name).to_pylist())


def test_no_plain_value_is_left_in_the_stored_bytes(customers):
    stored = mask_batch(catalog.CUSTOMERS, customers, make_keys())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, stored.schema) as stream:
        stream.write_batch(stored)
    content = sink.getvalue().to_pybytes()
    for column in catalog.CUSTOMERS.personal_columns:
        assert not [text for text in customers.column(column.name).to_pylist() if text.encode() in content]


def test_nulls_stay_where_they_are():
    entity = Entity(
        name="people",
        columns=(
            Column(name="id", type=ColumnType.BIGINT),
            Column(name="phone", type=ColumnType.TEXT, nullable=True, pii=Pii.PHONE, digest=True),
        ),
    )
    phones = ["+5511987654321", None, "+5521912345678", None, None]
    rows = pa.RecordBatch.from_pydict({"id": pa.array(range(5)), "phone": pa.array(phones)})
    stored = mask_batch(entity, rows, make_keys())
    filled = mask_batch(entity, rows.filter(rows.column("phone").is_valid()), make_keys())
    for name in ("phone", "phone_digest"):
        assert [value is None for value in stored.column(name).to_pylist()] == [text is None for text in phones]
        assert stored.column(name).drop_null() == filled.column(name)


def test_a_value_that_cannot_be_masked_refuses_the_batch(customers):
    place = customers.schema.get_field_index("document_number")
    broken = customers.set_column(place, "document_number", pa.array(["52998224725"] * (ROWS - 1) + ["12345678900"]))
    with pytest.raises(NotMaskable, match=r"customers\.document_number: 1 rows"):
        mask_batch(catalog.CUSTOMERS, broken, make_keys())


def test_every_kind_of_personal_column_has_a_mask():
    alone, together = set(masks(vendored_names())), set(JOINT_MASKS)
    assert alone | together == set(Pii)
    assert not alone & together


# Every row of the list of personal data that the masks are there for.
LISTED = (
    "customers: document_number name email phone uf city born_on monthly_income_cents",
    "addresses: customer_id street number complement district city uf postal_code",
    "consultants: name phone email",
    "suppliers: name document_number",
    "users: name email",
    "bank_accounts: customer_id agency agency_digit account account_digit pix_key",
    "financial_transactions: loan_id installment_id description reference",
    "credit_limits: customer_id",
    "loans: id customer_id",
    "contracts: id loan_id contract_number",
    "installments: id loan_id",
)


@pytest.mark.parametrize("listed", LISTED)
def test_whatever_is_listed_as_personal_has_a_mask_or_a_reason_why_it_has_none(listed):
    entity, _, names = listed.partition(": ")
    columns = {column.name: column for column in catalog.ENTITIES[entity].columns}
    for name in names.split():
        column = columns[name]
        assert (column.pii is None) == bool(column.unmasked_because), name


def test_no_column_has_a_mask_and_a_reason_for_having_none():
    columns = [column for entity in catalog.ENTITIES.values() for column in entity.columns]
    assert not [column for column in columns if column.pii and column.unmasked_because]


def test_the_reasons_of_the_catalogue_are_those_of_the_page():
    page = Path(__file__).parents[2].joinpath("docs/discussion/synthetic.md").read_text(encoding="utf-8")
    reasons = {column.unmasked_because for entity in catalog.ENTITIES.values() for column in entity.columns} - {None}
    assert len(reasons) > 3
    assert not [reason for reason in reasons if reason not in page]


def contracts(numbers):
    values = {column.name: pa.array(range(len(numbers))) for column in catalog.CONTRACTS.columns}
    return pa.RecordBatch.from_pydict(values | {"contract_number": pa.array(numbers)})


def test_contract_numbers_are_stored_as_other_numbers_that_only_the_key_leads_back_to():
    plain = contracts([f"{number:016d}" for number in range(5_000)])
    stored, other = (
        mask_batch(catalog.CONTRACTS, plain, keys).column("contract_number").to_pylist()
        for keys in (make_keys(), make_keys(prk=bytes(32)))
    )
    assert len(set(stored)) == len(stored)
    assert all(re.fullmatch("[0-9]{16}", number) for number in stored)
    assert not set(stored) & set(other)
    cipher = IntegerCipher(
        key=make_keys().column("contracts", "contract_number").ff1, length=16, tweaks=(b"contract|number",)
    )
    assert cipher.decrypt(np.array(list(map(int, stored)), dtype=np.uint64)).tolist() == list(range(5_000))


@pytest.mark.parametrize("number", ["123", "12345678901234567", "12345678-0123456", ""])
def test_what_is_no_contract_number_refuses_the_batch_and_is_not_quoted(number):
    with pytest.raises(NotMaskable, match=r"contracts\.contract_number: 1 rows .*16 digits") as refusal:
        mask_batch(catalog.CONTRACTS, contracts(["0123456789012345", number]), make_keys())
    assert not number or number not in str(refusal.value)


def test_columns_of_other_entities_have_other_keys():
    twin = replace(catalog.CUSTOMERS, name="suppliers")
    keys = make_keys()
    assert keys.column(twin.name, "name") != keys.column(catalog.CUSTOMERS.name, "name")

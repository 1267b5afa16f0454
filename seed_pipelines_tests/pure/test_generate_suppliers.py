"""Suppliers."""

from datetime import date

import pytest
from factories import make_plan
from validate_docbr import CNPJ

from seed_pipelines.errors import UniquesExhausted
from seed_pipelines.generate.identifiers import PLACES_PER_MODE
from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.documents import mask_documents

FIRST_LETTERS = date(2026, 7, 31)
MADE = set("0123456789ABCDEGHJKLMNPRSTVWXYZ")


def _rows(entity="suppliers", **wishes):
    plan = make_plan(**{"suppliers": 5_000, "categories": len(vocabulary().categories), **wishes})
    return generate(plan, entity, first_row=0, rows=plan.rows[entity])


BATCH = _rows()
SUPPLIERS = BATCH.to_pylist()


def test_documents_are_valid_and_each_is_there_once():
    documents = [supplier["document_number"] for supplier in SUPPLIERS]
    assert all(CNPJ().validate(document) for document in documents)
    assert len({document[:8] for document in documents}) == len(documents)
    assert all(set(document) <= MADE for document in documents)


def test_only_companies_of_the_new_kind_have_letters_and_not_all_of_them():
    new = [supplier for supplier in SUPPLIERS if supplier["opened_on"] >= FIRST_LETTERS]
    old = [supplier for supplier in SUPPLIERS if supplier["opened_on"] < FIRST_LETTERS]
    assert all(supplier["document_number"].isdigit() for supplier in old)
    lettered = sum(not supplier["document_number"].isdigit() for supplier in new)
    assert 0.6 < lettered / len(new) < 0.8


def test_there_are_no_letters_in_data_as_of_the_day_before_the_first_of_them():
    documents = _rows(reference_datetime="2026-07-31T00:00:00Z")["document_number"].to_pylist()
    assert all(document.isdigit() for document in documents)


def test_most_suppliers_are_head_offices():
    orders = [supplier["document_number"][8:12] for supplier in SUPPLIERS]
    assert abs(orders.count("0001") / len(orders) - 0.92) < 0.02
    assert set(orders) == {"0001", "0002", "0003", "0004", "0005"}


def test_documents_are_unique_across_the_modes_of_a_tenant_with_letters_and_without():
    documents = [
        document
        for mode in ("baseline", "carga", "dr", "canary")
        for document in _rows(mode=mode, reference_datetime="2036-01-01T00:00:00Z")["document_number"].to_pylist()
    ]
    assert len(set(documents)) == len(documents)
    assert 0.3 < sum(document.isdigit() for document in documents) / len(documents) < 0.8


def test_a_new_version_leaves_the_roots_of_documents_without_letters_with_their_rows():
    new = _rows(version="2.0.0").to_pylist()
    pairs = [
        (before["document_number"], after["document_number"]) for before, after in zip(SUPPLIERS, new, strict=True)
    ]
    numeric = [pair for pair in pairs if all(document.isdigit() for document in pair)]
    assert len(numeric) > 4_000
    assert all(before[:8] == after[:8] for before, after in numeric)
    assert [supplier["name"] for supplier in new] != BATCH["name"].to_pylist()


def test_names_are_of_companies_and_were_opened_before_the_reference_date():
    activities, surnames = set(vocabulary().activities.words), set(vocabulary().surnames.words)
    for supplier in SUPPLIERS:
        activity, first, second, form = supplier["name"].split(" ")
        assert activity in activities
        assert {first, second} <= surnames
        assert form in ("Ltda", "S.A.")
        assert date(1976, 1, 1) < supplier["opened_on"] < date(2026, 11, 2)


@pytest.mark.parametrize("categories", [len(vocabulary().categories), 4 * len(vocabulary().categories) + 30])
def test_suppliers_are_booked_on_expenses_that_have_no_parts(categories):
    rows = _rows("categories", categories=categories).to_pylist()
    parents = {category["parent_id"] for category in rows}
    expenses = {each["id"] for each in rows if each["kind"] == "expense" and each["id"] not in parents}
    booked = set(_rows(categories=categories)["category_id"].to_pylist())
    assert booked <= expenses
    assert len(booked) > 30


@pytest.mark.parametrize("categories", [1, 2, 3])
def test_with_few_categories_suppliers_are_booked_on_what_there_is(categories):
    known = set(_rows("categories", categories=categories)["id"].to_pylist())
    assert set(_rows(categories=categories)["category_id"].to_pylist()) <= known


@pytest.mark.parametrize("percent", [0, 3, 50])
def test_exactly_the_planned_suppliers_are_blocked(percent):
    rows = _rows(suppliers=1_000, mode="carga", states={"suppliers": {"blocked": percent}}).column("status").to_pylist()
    assert rows.count("blocked") == 10 * percent
    assert rows.count("active") == 1_000 - 10 * percent


def test_masked_documents_of_both_kinds_stay_valid_and_unique():
    masked = mask_documents(BATCH["document_number"], key=bytes(range(32)), column="suppliers.document_number")
    documents = masked.to_pylist()
    assert len(set(documents)) == len(SUPPLIERS)
    assert all(CNPJ().validate(document) for document in documents)
    kinds = [[text.isdigit() for text in column] for column in (documents, BATCH["document_number"].to_pylist())]
    assert kinds[0] == kinds[1]


def test_more_suppliers_than_a_mode_has_documents_are_refused_at_the_first_row():
    plan = make_plan(suppliers=PLACES_PER_MODE + 1)
    with pytest.raises(UniquesExhausted, match=r"volumetry\.suppliers\.cap"):
        generate(plan, "suppliers", first_row=0, rows=1)

"""Addresses: of the customer's own city, and masked into other ones of the same city."""

from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest
from factories import make_plan
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines import catalog
from seed_pipelines.errors import NotMaskable
from seed_pipelines.generate.addresses import BLOCKS, COMPLEMENT_KINDS, HIGHEST_NUMBER, HIGHEST_UNIT, STREET_KINDS
from seed_pipelines.generate.postal import PREFIXES
from seed_pipelines.generate.rows import generate
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.mask.addresses import mask_complements, mask_streets
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.pgp import decrypt
from seed_pipelines.mask.policy import mask_batch

KEYS = FieldKeys(bytes(range(32)), environment="dev", tenant="acme")
PLAN = make_plan(customers=1_500, mode="carga")


def _rows(entity):
    return generate(PLAN, entity, first_row=0, rows=PLAN.rows[entity]).to_pylist()


CUSTOMERS = {row["id"]: row for row in _rows("customers")}
ROWS = _rows("addresses")
CITIES = {(city.uf, city.name): city for city in vocabulary().cities}


STREETS = [f"{kind} {name}" for kind in STREET_KINDS for name in vocabulary().streets.words]


def _masked(streets, numbers, codes):
    """Masked addresses, each as street, number and postal code."""
    names = ["street", "number", "postal_code"]
    rows = pa.RecordBatch.from_pydict(dict(zip(names, map(list, (streets, numbers, codes)), strict=True)))
    masked = mask_streets(rows, names, keys=KEYS, entity="addresses")
    return list(zip(*(masked[name].to_pylist() for name in names), strict=True))


def _ufs_of(code):
    prefix = int(code[:5])
    return {uf for uf, spans in PREFIXES.items() if any(first <= prefix <= last for first, last in spans)}


def test_every_customer_has_an_address_and_none_two_of_one_kind():
    assert {row["customer_id"] for row in ROWS} == set(CUSTOMERS)
    kinds = Counter((row["customer_id"], row["kind"]) for row in ROWS)
    assert set(kinds.values()) == {1}
    assert max(Counter(row["customer_id"] for row in ROWS).values()) == 3


def test_people_live_and_work_somewhere_and_companies_have_headquarters():
    for row in ROWS:
        allowed = {"PF": {"home", "work", "billing"}, "PJ": {"headquarters", "branch", "billing"}}
        assert row["kind"] in allowed[CUSTOMERS[row["customer_id"]]["kind"]]


def test_city_state_postal_code_and_area_code_agree():
    for row in ROWS:
        customer, city = CUSTOMERS[row["customer_id"]], CITIES[row["uf"], row["city"]]
        assert (customer["uf"], customer["city"]) == (row["uf"], row["city"])
        assert row["postal_code"][:5] == city.cep_prefix
        assert len(row["postal_code"]) == 8
        assert _ufs_of(row["postal_code"]) == {row["uf"]}
        assert customer["phone"][3:5] == city.ddd


def test_streets_numbers_and_complements_are_of_the_lists():
    for row in ROWS:
        kind, _, name = row["street"].partition(" ")
        assert kind in STREET_KINDS
        assert name in vocabulary().streets.words
        assert 1 <= int(row["number"]) <= 9_999
        assert row["district"] in vocabulary().districts.words
    absent = sum(row["complement"] is None for row in ROWS)
    assert 0.5 < absent / len(ROWS) < 0.6


def test_the_ranges_of_states_do_not_overlap():
    spans = sorted(span for spans in PREFIXES.values() for span in spans)
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def test_masked_addresses_are_of_the_same_form_and_in_the_same_city():
    batch = generate(PLAN, "addresses", first_row=0, rows=PLAN.rows["addresses"])
    stored = mask_batch(catalog.ADDRESSES, batch, KEYS)
    masked = {}
    for column in catalog.ADDRESSES.personal_columns:
        assert stored[column.name].null_count == batch[column.name].null_count
        opened = decrypt(stored[column.name].drop_null(), key=KEYS.column("addresses", column.name).pgp)
        masked[column.name] = opened.to_pylist()
    streets = {f"{kind} {name}" for kind in STREET_KINDS for name in vocabulary().streets.words}
    assert set(masked["street"]) <= streets
    assert all(1 <= int(number) <= 9_999 for number in masked["number"])
    for row, code in zip(ROWS, masked["postal_code"], strict=True):
        assert (code[:5], len(code)) == (CITIES[row["uf"], row["city"]].cep_prefix, 8)
    kept = sum(row["postal_code"] == code for row, code in zip(ROWS, masked["postal_code"], strict=True))
    assert kept < len(ROWS) / 100
    for complement in masked["complement"]:
        kind, unit, word, block = complement.split(" ")
        assert (kind in COMPLEMENT_KINDS, 1 <= int(unit) <= 9_999, word, block in BLOCKS) == (True, True, "Bloco", True)
    both = [(row["street"], row["number"]) for row in ROWS]
    pairs = list(zip(masked["street"], masked["number"], strict=True))
    assert len(set(pairs)) == len(set(both))
    assert sum(before == after for before, after in zip(both, pairs, strict=True)) <= 1


@given(
    st.lists(
        st.tuples(st.sampled_from(STREETS), st.integers(1, 9_999), st.integers(0, 99_999_999)),
        min_size=1,
        max_size=40,
        unique=True,
    )
)
def test_addresses_never_meet_and_stay_in_their_city(addresses):
    streets, numbers, codes = zip(*addresses, strict=True)
    masked = _masked(streets, map(str, numbers), [f"{code:08}" for code in codes])
    assert len(set(masked)) == len(addresses)
    assert [code[:5] for _, _, code in masked] == [f"{code:08}"[:5] for code in codes]


@given(
    st.lists(
        st.tuples(st.sampled_from(COMPLEMENT_KINDS), st.integers(1, 9_999), st.sampled_from(BLOCKS)),
        min_size=1,
        max_size=60,
        unique=True,
    )
)
def test_complements_never_meet(parts):
    texts = [f"{kind} {unit} Bloco {block}" for kind, unit, block in parts]
    masked = mask_complements(pa.array(texts), key=bytes(range(32)), column="any").to_pylist()
    assert len(set(masked)) == len(texts)


def test_all_numbers_of_a_street_are_masked_to_different_addresses():
    masked = _masked(["Rua das Flores"] * 9_999, map(str, range(1, 10_000)), ["01310100"] * 9_999)
    assert len(set(masked)) == 9_999


@pytest.mark.parametrize(
    ("street", "number", "code"),
    [
        ("Rua que ninguém conhece", "1", "01310100"),
        ("Rua das Flores", "0", "01310100"),
        ("Rua das Flores", "007", "01310100"),
        ("Rua das Flores", "10000", "01310100"),
        ("Rua das Flores", "1", "0131010"),
        ("Rua das Flores", "1", "0131010a"),
        ("Rua das Flores", "1", "01310-100"),
    ],
)
def test_an_address_of_another_form_is_refused(street, number, code):
    with pytest.raises(NotMaskable, match=r"addresses\.street: 1 rows"):
        _masked([street], [number], [code])


@pytest.mark.parametrize("text", ["Apto 101", "Apto 101 Bloco 7", "Quarto 101 Bloco A", "Apto 0101 Bloco A", ""])
def test_a_complement_of_another_form_is_refused(text):
    with pytest.raises(NotMaskable, match="kind, unit and block"):
        mask_complements(pa.array([text]), key=bytes(32), column="any")


@pytest.mark.parametrize("places", [vocabulary().streets, vocabulary().districts], ids=["streets", "districts"])
def test_places_are_named_once_and_all_of_them_occur(places):
    assert len(set(places.words)) == len(places.words) > 60
    assert all(before < after for before, after in pairwise((0, *places.cumulative)))


def test_streets_with_numbers_and_complements_are_enough_for_masking():
    assert len(STREET_KINDS) * len(vocabulary().streets.words) * HIGHEST_NUMBER >= 10**6
    assert len(COMPLEMENT_KINDS) * HIGHEST_UNIT * len(BLOCKS) >= 10**6

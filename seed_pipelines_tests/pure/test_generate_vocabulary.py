"""The vendored word lists."""

import unicodedata
from collections import Counter
from importlib.resources import files
from itertools import pairwise

import pytest

from seed_pipelines.errors import VocabularyChanged
from seed_pipelines.generate import vocabulary as room
from seed_pipelines.generate.vocabulary import read_vocabulary, vocabulary

WORDS = vocabulary()

# State: its DDDs, and the first and last five digits of its postal codes.
STATES = {
    "SP": ("11 12 13 14 15 16 17 18 19", ("01000-19999",)),
    "RJ": ("21 22 24", ("20000-28999",)),
    "ES": ("27 28", ("29000-29999",)),
    "MG": ("31 32 33 34 35 37 38", ("30000-39999",)),
    "PR": ("41 42 43 44 45 46", ("80000-87999",)),
    "SC": ("47 48 49", ("88000-89999",)),
    "RS": ("51 53 54 55", ("90000-99999",)),
    "DF": ("61", ("70000-72799", "73000-73699")),
    "GO": ("61 62 64", ("72800-72999", "73700-76799")),
    "TO": ("63", ("77000-77999",)),
    "MT": ("65 66", ("78000-78899",)),
    "MS": ("67", ("79000-79999",)),
    "AC": ("68", ("69900-69999",)),
    "RO": ("69", ("76800-76999",)),
    "BA": ("71 73 74 75 77", ("40000-48999",)),
    "SE": ("79", ("49000-49999",)),
    "PE": ("81 87", ("50000-56999",)),
    "AL": ("82", ("57000-57999",)),
    "PB": ("83", ("58000-58999",)),
    "RN": ("84", ("59000-59999",)),
    "CE": ("85 88", ("60000-63999",)),
    "PI": ("86 89", ("64000-64999",)),
    "PA": ("91 93 94", ("66000-68899",)),
    "AM": ("92 97", ("69000-69299", "69400-69899")),
    "RR": ("95", ("69300-69399",)),
    "AP": ("96", ("68900-68999",)),
    "MA": ("98 99", ("65000-65999",)),
}
CENSUS_POPULATION = 203_080_756


@pytest.mark.parametrize(("names", "least"), [(WORDS.given, 300), (WORDS.surnames, 500)])
def test_names_are_single_words_in_one_form_and_each_only_once(names, least):
    assert len(names.words) >= least
    assert len(set(names.words)) == len(set(names.folded)) == len(names.words)
    for word, folded in zip(names.words, names.folded, strict=True):
        assert word.isalpha()
        assert word == unicodedata.normalize("NFC", word)
        assert folded.isascii()
        assert folded == folded.lower()
    assert all(before < after for before, after in pairwise((0, *names.cumulative)))


def test_activities_and_surnames_are_enough_for_masking_companies():
    names = WORDS.activities
    assert len(set(names.folded)) == len(names.words)
    assert all(word.isalpha() and folded.isascii() for word, folded in zip(names.words, names.folded, strict=True))
    assert not set(names.words) & set(WORDS.given.words)
    assert len(names.words) * len(WORDS.surnames.words) ** 2 >= 10**6


def test_every_category_has_a_code_of_its_own_under_an_earlier_one_of_its_kind():
    categories = WORDS.categories
    assert len({category.code for category in categories}) == len(categories)
    for place, category in enumerate(categories):
        if category.parent < 0:
            assert "." not in category.code
        else:
            parent = categories[category.parent]
            assert category.parent < place
            assert category.code.rpartition(".")[0] == parent.code
            assert category.kind == parent.kind


def test_full_names_are_enough_for_masking():
    assert len(WORDS.given.words) * len(WORDS.surnames.words) ** 2 >= 10**6


@pytest.mark.parametrize("city", WORDS.cities, ids=lambda city: f"{city.uf}-{city.name}")
def test_a_city_has_a_code_and_a_postal_code_of_its_state(city):
    ddds, ranges = STATES[city.uf]
    assert city.ddd in ddds.split()
    assert any(first <= city.cep_prefix <= last for first, last in (span.split("-") for span in ranges))


def test_every_state_has_cities_and_its_share_of_the_people():
    assert all(count >= 3 for count in Counter(city.uf for city in WORDS.cities).values())
    assert set(STATES) == {city.uf for city in WORDS.cities}
    total = WORDS.city_cumulative[-1]
    assert CENSUS_POPULATION - len(WORDS.cities) <= total <= CENSUS_POPULATION


def test_a_changed_list_is_refused(tmp_path):
    for file in files(room.__name__).iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    assert read_vocabulary(tmp_path) == WORDS
    (tmp_path / "cities.csv").write_bytes((tmp_path / "cities.csv").read_bytes() + b"\n")
    with pytest.raises(VocabularyChanged, match=r"the word list cities\.csv has SHA-256"):
        read_vocabulary(tmp_path)

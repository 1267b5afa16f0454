"""The vendored word lists: names, cities, streets, districts, companies, categories. Nothing else decides a word.

Every list is read once and has to have the SHA-256 that `vocabulary.sha256` says, or nothing is generated. The hash
of that file goes into every dataset's hash. `infra/vocabulary/build.py` made the name lists.
"""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import accumulate

from seed_pipelines.errors import VocabularyChanged

_SEAL = "vocabulary.sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Single words in NFC, their ASCII forms in lower case, and the running sums of their weights."""

    words: tuple[str, ...]
    folded: tuple[str, ...]
    cumulative: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Names of one kind of place, each once, and the running sums of their weights."""

    words: tuple[str, ...]
    cumulative: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A city; `weight` is its share of its state's population, in people of the state."""

    uf: str
    name: str
    ddd: str
    cep_prefix: str
    fiscal_region: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A line of the chart of accounts; `parent` is the place of an earlier one, -1 where there is none."""

    code: str
    name: str
    kind: str
    parent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All lists; `sha256` names exactly these."""

    given: Names
    surnames: Names
    activities: Names
    categories: tuple[Category, ...]
    cities: tuple[City, ...]
    streets: Places
    districts: Places
    sha256: str

    @property
    def city_cumulative(self) -> tuple[int, ...]:
        return tuple(accumulate(city.weight for city in self.cities))


@cache
def vocabulary() -> Vocabulary:
    """The lists of this version."""
    return read_vocabulary(files(__package__))


def read_vocabulary(folder: Traversable) -> Vocabulary:
    """The lists in a folder; raises VocabularyChanged where one is not the sealed one."""
    seal = folder.joinpath(_SEAL).read_bytes()
    expected = {name: digest for digest, name in (line.split() for line in seal.decode("ascii").splitlines())}
    lists = {name: _sealed(folder.joinpath(name), digest) for name, digest in expected.items()}
    return Vocabulary(
        given=_names(lists["given_names.csv"]),
        surnames=_names(lists["surnames.csv"]),
        activities=_names(lists["company_activities.csv"]),
        categories=_categories(lists["categories.csv"]),
        cities=_cities(lists["cities.csv"], lists["ufs.csv"]),
        streets=_places(lists["streets.csv"]),
        districts=_places(lists["districts.csv"]),
        sha256=hashlib.sha256(seal).hexdigest(),
    )


def _sealed(file: Traversable, expected: str) -> list[dict[str, str]]:
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise VocabularyChanged(file.name, expected=expected, found=found)
    return list(csv.DictReader(content.decode().splitlines()))


def _names(rows: list[dict[str, str]]) -> Names:
    return Names(
        words=tuple(row["name"] for row in rows),
        folded=tuple(row["folded"] for row in rows),
        cumulative=tuple(accumulate(int(row["weight"]) for row in rows)),
    )


def _places(rows: list[dict[str, str]]) -> Places:
    return Places(
        words=tuple(row["name"] for row in rows), cumulative=tuple(accumulate(int(row["weight"]) for row in rows))
    )


def _categories(rows: list[dict[str, str]]) -> tuple[Category, ...]:
    places = {row["code"]: place for place, row in enumerate(rows)}
    return tuple(
        Category(code=row["code"], name=row["name"], kind=row["kind"], parent=places.get(row["parent"], -1))
        for row in rows
    )


def _cities(cities: list[dict[str, str]], ufs: list[dict[str, str]]) -> tuple[City, ...]:
    """The listed cities stand for their whole state, so that states keep their share of the country."""
    states = {row["uf"]: row for row in ufs}
    listed = dict.fromkeys(states, 0)
    for row in cities:
        listed[row["uf"]] += int(row["population_thousands"])
    return tuple(
        City(
            uf=row["uf"],
            name=row["city"],
            ddd=row["ddd"],
            cep_prefix=row["cep_prefix"],
            fiscal_region=int(states[row["uf"]]["fiscal_region"]),
            weight=int(states[row["uf"]]["population"]) * int(row["population_thousands"]) // listed[row["uf"]],
        )
        for row in cities
    )

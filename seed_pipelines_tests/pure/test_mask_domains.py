"""A column with too few values to be masked is refused with the plan, and what is said of domains is what masks use."""

import pytest
from factories import make_plan

from seed_pipelines import catalog
from seed_pipelines.catalog import Pii
from seed_pipelines.errors import DomainsTooSmall, SmallDomain
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask import ff1, ff1_shape
from seed_pipelines.mask.company_names import CompanyTables
from seed_pipelines.mask.domains import assert_large_enough, smallest_domains
from seed_pipelines.mask.ff1_shape import SMALLEST_DOMAIN
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.names import NameTables
from seed_pipelines.mask.policy import mask_batch

PLAN = make_plan(customers=120)
DOMAINS = smallest_domains()
COLUMNS = [(entity, column) for entity in catalog.ENTITIES.values() for column in entity.masked_columns]
LETTERS = tuple("ABCDEFGHIJ")


def masked(entity):
    rows = generate(PLAN, entity.name, first_row=0, rows=PLAN.rows[entity.name])
    return mask_batch(entity, rows, FieldKeys(b"k" * 32, environment="dev", tenant="acme"))


def test_every_kind_of_the_catalogue_has_a_domain_of_at_least_a_million():
    assert set(DOMAINS) == set(Pii)
    assert min(DOMAINS.values()) >= SMALLEST_DOMAIN == 10**6
    assert_large_enough(catalog.ENTITIES, DOMAINS)


@pytest.mark.parametrize(
    "entity", {entity.name: entity for entity, _ in COLUMNS}.values(), ids=lambda entity: entity.name
)
def test_no_mask_uses_a_smaller_domain_than_the_plan_was_told(entity, monkeypatch):
    least = min(DOMAINS[column.pii] for column in entity.masked_columns)
    for module in (ff1, ff1_shape):
        monkeypatch.setattr(module, "SMALLEST_DOMAIN", least)
    assert masked(entity).num_rows == PLAN.rows[entity.name]


@pytest.mark.parametrize("name", ["suppliers", "addresses", "financial_transactions"])
def test_the_smallest_domain_is_really_used(name, monkeypatch):
    entity = catalog.ENTITIES[name]
    least = min(DOMAINS[column.pii] for column in entity.masked_columns)
    for module in (ff1, ff1_shape):
        monkeypatch.setattr(module, "SMALLEST_DOMAIN", least + 1)
    with pytest.raises(SmallDomain):
        masked(entity)


def test_short_lists_of_names_are_refused_with_every_column_that_holds_names():
    tables = NameTables(given=LETTERS, surnames=LETTERS)
    domains = smallest_domains(tables, CompanyTables(words=tables, legal_forms=("Ltda",)))
    with pytest.raises(DomainsTooSmall, match=r"customers\.name with 1000 values.* at least 1000000") as refusal:
        assert_large_enough(PLAN.rows, domains)
    assert refusal.value.values_by_column == {
        f"{entity.name}.{column.name}": 1_000
        for entity, column in COLUMNS
        if column.pii in (Pii.NAME, Pii.COMPANY_NAME)
    }


@pytest.mark.parametrize("kind", Pii)
def test_a_domain_just_below_the_least_is_refused_and_only_where_it_is_planned(kind):
    domains = DOMAINS | {kind: SMALLEST_DOMAIN - 1}
    with pytest.raises(DomainsTooSmall, match="999999"):
        assert_large_enough(PLAN.rows, domains)
    assert_large_enough(["tenants", "loans", "installments"], domains)

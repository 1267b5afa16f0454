"""How many values each personal column is permuted over: known before a row is made, so a plan can be refused.

Of a kind with several domains, such as accounts by bank, the smallest one counts.
"""

from collections.abc import Iterable, Mapping

from seed_pipelines.catalog import ENTITIES, Pii
from seed_pipelines.errors import DomainsTooSmall
from seed_pipelines.generate.banks import BANKS
from seed_pipelines.mask import addresses, contracts, documents, emails, phones, pix
from seed_pipelines.mask.company_names import CompanyTables, vendored_company_names
from seed_pipelines.mask.ff1_shape import SMALLEST_DOMAIN
from seed_pipelines.mask.names import NameTables, vendored_names


def smallest_domains(names: NameTables | None = None, companies: CompanyTables | None = None) -> Mapping[Pii, int]:
    """Of each kind of column; with the generator's lists if none are given."""
    people = (names or vendored_names()).combinations
    firms = (companies or vendored_company_names()).words.combinations
    return {
        Pii.DOCUMENT: documents.DOMAIN,
        # A column of people may hold companies too.
        Pii.NAME: min(people, firms),
        Pii.COMPANY_NAME: firms,
        Pii.EMAIL: emails.DOMAIN,
        Pii.PHONE: phones.DOMAIN,
        Pii.STREET: addresses.street_domain(),
        Pii.COMPLEMENT: addresses.COMPLEMENT_DOMAIN,
        Pii.BANK_ACCOUNT: min(bank.numbers for bank in BANKS),
        Pii.PIX_KEY: min(documents.DOMAIN, emails.DOMAIN, phones.DOMAIN, pix.RANDOM_KEY_DOMAIN),
        Pii.PIX_REFERENCE: pix.REFERENCE_DOMAIN,
        Pii.CONTRACT_NUMBER: contracts.NUMBER_DOMAIN,
    }


def assert_large_enough(entities: Iterable[str], domains: Mapping[Pii, int]) -> None:
    """Raises DomainsTooSmall, which names every column of these entities that is below the least."""
    small = {
        f"{entity}.{column.name}": domains[column.pii]
        for entity in entities
        for column in ENTITIES[entity].masked_columns
        if column.pii is not None and domains[column.pii] < SMALLEST_DOMAIN
    }
    if small:
        raise DomainsTooSmall(small, least=SMALLEST_DOMAIN)

"""Every entity once: columns, types, keys, parents, states and what is personal.

Generators, masking, loader, checks, docs and the manifest's schema read this module; a test compares it with the
live database. A new entity is one entry here, one generator and one migration.

The manifest contract names all thirteen entities (`ENTITY_NAMES`). `ENTITIES` holds the ones that this version
generates; a manifest that asks for another is refused at plan time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

ENTITY_NAMES = (
    "tenants",
    "users",
    "consultants",
    "customers",
    "addresses",
    "bank_accounts",
    "categories",
    "suppliers",
    "credit_limits",
    "loans",
    "contracts",
    "installments",
    "financial_transactions",
)

# States other than the happy path, by entity: what `volumetry.<entity>.states` may name.
STATES = MappingProxyType(
    {
        "users": ("blocked",),
        "consultants": ("blocked",),
        "customers": ("blocked",),
        "bank_accounts": ("blocked",),
        "credit_limits": ("blocked",),
        "loans": ("delinquent", "cancelled", "renegotiated", "written_off"),
    }
)


class ColumnType(StrEnum):
    """What a column holds; the value is its PostgreSQL type."""

    UUID = "uuid"
    BIGINT = "bigint"
    INTEGER = "integer"
    SMALLINT = "smallint"
    DATE = "date"
    # Microseconds, UTC.
    TIMESTAMP = "timestamp with time zone"
    TEXT = "text"
    BYTES = "bytea"


class Pii(StrEnum):
    """How a personal column is masked before it is encrypted (mask/policy.py does it)."""

    # CPF or CNPJ, digits and letters only; keeps valid check digits and, for a CPF, its fiscal region.
    DOCUMENT = "document"
    # Given name and two surnames out of the vendored vocabulary.
    NAME = "name"
    # Reserved domains only.
    EMAIL = "email"
    # E.164, mobile; keeps +55, DDD and the leading 9.
    PHONE = "phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as generated; a personal one is stored as an OpenPGP message, with a keyed digest if `digest`."""

    name: str
    type: ColumnType
    nullable: bool = False
    pii: Pii | None = None
    digest: bool = False

    def stored(self) -> Iterator["Column"]:
        """The columns of the database table that this one becomes."""
        if self.pii is None:
            yield self
            return
        yield Column(name=self.name, type=ColumnType.BYTES, nullable=self.nullable)
        if self.digest:
            yield Column(name=f"{self.name}_digest", type=ColumnType.BYTES, nullable=self.nullable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A reference to another entity of the same tenant: `columns` here point at (tenant_id, id) there."""

    entity: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity.

    `scales_with` names the parent whose rows its own rows fan out from; None means that the rows belong to the
    whole tenant and are made by shard 0000. `uniques` are column tuples that are unique within the tenant.
    `batch_rows` is how many rows one transaction writes: some megabytes, well under a second.
    """

    name: str
    columns: tuple[Column, ...]
    scales_with: str | None = None
    parents: tuple[Parent, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    batch_rows: int = 65_536

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        return tuple(stored for column in self.columns for stored in column.stored())

    @property
    def personal_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.pii is not None)


def _keyed(*columns: Column) -> tuple[Column, ...]:
    """Every entity's key comes first: the tenant, then the row."""
    return (
        Column(name="tenant_id", type=ColumnType.UUID),
        Column(name="id", type=ColumnType.BIGINT),
        *columns,
    )


TENANTS = Entity(
    name="tenants",
    columns=_keyed(
        Column(name="slug", type=ColumnType.TEXT),
        Column(name="environment", type=ColumnType.TEXT),
        Column(name="mode", type=ColumnType.TEXT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="created_at", type=ColumnType.TIMESTAMP),
    ),
)

CUSTOMERS = Entity(
    name="customers",
    columns=_keyed(
        Column(name="kind", type=ColumnType.TEXT),
        Column(name="document_number", type=ColumnType.TEXT, pii=Pii.DOCUMENT, digest=True),
        Column(name="name", type=ColumnType.TEXT, pii=Pii.NAME),
        Column(name="email", type=ColumnType.TEXT, pii=Pii.EMAIL, digest=True),
        Column(name="phone", type=ColumnType.TEXT, pii=Pii.PHONE),
        Column(name="birth_date", type=ColumnType.DATE),
        Column(name="uf", type=ColumnType.TEXT),
        Column(name="city", type=ColumnType.TEXT),
        Column(name="monthly_income_cents", type=ColumnType.BIGINT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="created_at", type=ColumnType.TIMESTAMP),
    ),
    uniques=(("document_number_digest",), ("email_digest",)),
    # Masking and encrypting four fields takes longer than writing them.
    batch_rows=16_384,
)

LOANS = Entity(
    name="loans",
    scales_with="customers",
    columns=_keyed(
        Column(name="customer_id", type=ColumnType.BIGINT),
        Column(name="product", type=ColumnType.TEXT),
        Column(name="amortization_system", type=ColumnType.TEXT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="principal_cents", type=ColumnType.BIGINT),
        Column(name="net_amount_cents", type=ColumnType.BIGINT),
        Column(name="iof_cents", type=ColumnType.BIGINT),
        Column(name="monthly_rate_ppm", type=ColumnType.INTEGER),
        Column(name="cet_annual_bp", type=ColumnType.INTEGER),
        Column(name="installment_count", type=ColumnType.SMALLINT),
        Column(name="proposed_on", type=ColumnType.DATE),
        Column(name="approved_on", type=ColumnType.DATE),
        Column(name="released_on", type=ColumnType.DATE),
        Column(name="first_due_on", type=ColumnType.DATE),
    ),
    parents=(Parent(entity="customers", column="customer_id"),),
)

INSTALLMENTS = Entity(
    name="installments",
    scales_with="loans",
    columns=_keyed(
        Column(name="loan_id", type=ColumnType.BIGINT),
        Column(name="number", type=ColumnType.SMALLINT),
        Column(name="due_on", type=ColumnType.DATE),
        Column(name="payment_cents", type=ColumnType.BIGINT),
        Column(name="interest_cents", type=ColumnType.BIGINT),
        Column(name="amortization_cents", type=ColumnType.BIGINT),
        Column(name="balance_cents", type=ColumnType.BIGINT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="paid_on", type=ColumnType.DATE, nullable=True),
    ),
    parents=(Parent(entity="loans", column="loan_id"),),
    uniques=(("loan_id", "number"),),
)

# In dependency order: a parent stands before its children.
ENTITIES = MappingProxyType({entity.name: entity for entity in (TENANTS, CUSTOMERS, LOANS, INSTALLMENTS)})

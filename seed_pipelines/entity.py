"""What an entity is made of: columns, what is personal in them, references, and how rows follow from a parent's."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


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
    """How a personal column is masked before it is stored (mask/policy.py does it)."""

    # CPF or CNPJ, digits and letters only; keeps valid check digits and, for a CPF, its fiscal region.
    DOCUMENT = "document"
    # Given name and two surnames out of the vendored vocabulary; or a company's name, as below.
    NAME = "name"
    # Activity, two surnames and legal form out of the vendored vocabulary; keeps the legal form.
    COMPANY_NAME = "company_name"
    # Reserved domains only.
    EMAIL = "email"
    # E.164, mobile; keeps +55, DDD and the leading 9.
    PHONE = "phone"
    # Street, number and the end of the postal code, permuted together; the five digits that say the city stay.
    STREET = "street"
    # Kind, number and block of a flat or an office.
    COMPLEMENT = "complement"
    # Agency and account, permuted together, and their check digits; the bank stays.
    BANK_ACCOUNT = "bank_account"
    # Whatever the key's type says: masked as the customer's own document, phone or e-mail is.
    PIX_KEY = "pix_key"
    # End-to-end id of Pix; keeps institution and time.
    PIX_REFERENCE = "pix_reference"
    # Digits only; keeps how many there are.
    CONTRACT_NUMBER = "contract_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as generated; a personal one is stored masked: as an OpenPGP message, or as text if it is `legible`.

    `digest` adds a keyed digest of the message's text. What might be taken for personal and is not masked says in
    `unmasked_because` why.
    """

    name: str
    type: ColumnType
    nullable: bool = False
    pii: Pii | None = None
    digest: bool = False
    legible: bool = False
    unmasked_because: str | None = None

    @property
    def is_encrypted(self) -> bool:
        return self.pii is not None and not self.legible

    def stored(self) -> Iterator["Column"]:
        """The columns of the database table that this one becomes."""
        if not self.is_encrypted:
            yield self
            return
        yield Column(name=self.name, type=ColumnType.BYTES, nullable=self.nullable)
        if self.digest:
            yield Column(name=f"{self.name}_digest", type=ColumnType.BYTES, nullable=self.nullable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A reference to another row of the same tenant: `column` here is the id there.

    Where it is not `required`, a manifest may leave the other entity out: the column is then null.
    """

    entity: str
    column: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Every parent has `least` rows, and up to `most` in proportion to the weights of `deck`, as caps let it."""

    deck: tuple[int, ...]
    least: int
    most: int


# Exactly one row for each of the parent's.
ONE_EACH = Spread(deck=(1,), least=1, most=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity.

    `scales_with` names the parent whose rows its own rows fan out from, and `spread` says how; without a spread each
    parent's number follows from the parent's own values, and the generator counts them. None means that the rows
    belong to the whole tenant and are made by shard 0000. `uniques` are column tuples that are unique within the
    tenant. `batch_rows` is how many rows one transaction writes: some megabytes, well under a second.
    """

    name: str
    columns: tuple[Column, ...]
    scales_with: str | None = None
    spread: Spread | None = None
    # There is one row, whatever the cap.
    is_single: bool = False
    # Shards are ranges of its rows, each with all that scales with them.
    cuts_shards: bool = False
    parents: tuple[Parent, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    batch_rows: int = 65_536

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        return tuple(stored for column in self.columns for stored in column.stored())

    @property
    def masked_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.pii is not None)

    @property
    def personal_columns(self) -> tuple[Column, ...]:
        """The masked columns that are stored as messages, which only the tenant's key opens."""
        return tuple(column for column in self.columns if column.is_encrypted)

    @property
    def is_counted(self) -> bool:
        """How many rows there are follows from the parents' values, not from a cap."""
        return self.scales_with is not None and self.spread is None

"""Every entity once: columns, types, keys, parents, states and what is personal.

Generators, masking, loader, checks, docs and the manifest's schema read this module; a test compares it with the
live database. A new entity is one entry here, one generator and one migration.

The manifest contract names all thirteen entities (`ENTITY_NAMES`). `ENTITIES` holds the ones that this version
generates; a manifest that asks for another is refused at plan time.
"""

from types import MappingProxyType

from seed_pipelines.entity import ONE_EACH, Column, ColumnType, Entity, Parent, Pii, Spread
from seed_pipelines.lending.products import LOANS_PER_CUSTOMER_DECK, TERM_DECK

__all__ = [
    "ENTITIES",
    "ENTITY_NAMES",
    "ONE_EACH",
    "STATES",
    "Column",
    "ColumnType",
    "Entity",
    "Parent",
    "Pii",
    "Spread",
]

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
        "suppliers": ("blocked",),
        "credit_limits": ("blocked",),
        "loans": ("delinquent", "cancelled", "renegotiated", "written_off"),
    }
)


# Why a column that belongs to a customer is stored as it was generated.
_A_ROW_NUMBER = "a row's number in the dataset plus a constant: a mask would only rename rows"
_SHARED = "shared by very many"
_FEW_DATES = "some 22,000 values: below the million that a mask needs, and useless alone"
_DRAWN = "drawn, and in no relation to anybody"
_NO_NAME = "the number of the installment, never a name"


def _keyed(*columns: Column) -> tuple[Column, ...]:
    """Every entity's key comes first: the tenant, then the row."""
    return (
        Column(name="tenant_id", type=ColumnType.UUID),
        Column(name="id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        *columns,
    )


TENANTS = Entity(
    name="tenants",
    is_single=True,
    columns=_keyed(
        Column(name="slug", type=ColumnType.TEXT),
        Column(name="environment", type=ColumnType.TEXT),
        Column(name="mode", type=ColumnType.TEXT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="created_at", type=ColumnType.TIMESTAMP),
    ),
)

USERS = Entity(
    name="users",
    columns=_keyed(
        Column(name="name", type=ColumnType.TEXT, pii=Pii.NAME),
        Column(name="email", type=ColumnType.TEXT, pii=Pii.EMAIL, digest=True),
        Column(name="role", type=ColumnType.TEXT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="created_at", type=ColumnType.TIMESTAMP),
        # Null for who never came.
        Column(name="last_login_at", type=ColumnType.TIMESTAMP, nullable=True),
    ),
    uniques=(("email_digest",),),
    batch_rows=16_384,
)

CONSULTANTS = Entity(
    name="consultants",
    columns=_keyed(
        Column(name="name", type=ColumnType.TEXT, pii=Pii.NAME),
        Column(name="phone", type=ColumnType.TEXT, pii=Pii.PHONE),
        Column(name="email", type=ColumnType.TEXT, pii=Pii.EMAIL, digest=True),
        Column(name="uf", type=ColumnType.TEXT, unmasked_because=_SHARED),
        Column(name="commission_bp", type=ColumnType.INTEGER),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="hired_on", type=ColumnType.DATE),
    ),
    uniques=(("email_digest",),),
    batch_rows=16_384,
)

CUSTOMERS = Entity(
    name="customers",
    cuts_shards=True,
    columns=_keyed(
        # PF, a person, or PJ, a company.
        Column(name="kind", type=ColumnType.TEXT),
        # Of a company: simples or regular.
        Column(name="tax_regime", type=ColumnType.TEXT, nullable=True),
        Column(name="document_number", type=ColumnType.TEXT, pii=Pii.DOCUMENT, digest=True),
        Column(name="name", type=ColumnType.TEXT, pii=Pii.NAME),
        Column(name="email", type=ColumnType.TEXT, pii=Pii.EMAIL, digest=True),
        Column(name="phone", type=ColumnType.TEXT, pii=Pii.PHONE),
        # Of a company, the day on which it was opened.
        Column(name="born_on", type=ColumnType.DATE, unmasked_because=_FEW_DATES),
        Column(name="uf", type=ColumnType.TEXT, unmasked_because=_SHARED),
        Column(name="city", type=ColumnType.TEXT, unmasked_because=_SHARED),
        # Of a company, its revenue.
        Column(name="monthly_income_cents", type=ColumnType.BIGINT, unmasked_because=_DRAWN),
        Column(name="consultant_id", type=ColumnType.BIGINT, nullable=True),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="created_at", type=ColumnType.TIMESTAMP),
    ),
    parents=(Parent(entity="consultants", column="consultant_id", required=False),),
    uniques=(("document_number_digest",), ("email_digest",)),
    # Masking and encrypting four fields takes longer than writing them.
    batch_rows=16_384,
)

CATEGORIES = Entity(
    name="categories",
    columns=_keyed(
        Column(name="code", type=ColumnType.TEXT),
        Column(name="name", type=ColumnType.TEXT),
        # expense or revenue
        Column(name="kind", type=ColumnType.TEXT),
        # An earlier row; null for a root.
        Column(name="parent_id", type=ColumnType.BIGINT, nullable=True),
    ),
    parents=(Parent(entity="categories", column="parent_id"),),
    uniques=(("code",),),
)

SUPPLIERS = Entity(
    name="suppliers",
    columns=_keyed(
        Column(name="name", type=ColumnType.TEXT, pii=Pii.COMPANY_NAME),
        Column(name="document_number", type=ColumnType.TEXT, pii=Pii.DOCUMENT, digest=True),
        Column(name="category_id", type=ColumnType.BIGINT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="opened_on", type=ColumnType.DATE),
    ),
    parents=(Parent(entity="categories", column="category_id"),),
    uniques=(("document_number_digest",),),
    batch_rows=16_384,
)

ADDRESSES = Entity(
    name="addresses",
    scales_with="customers",
    # Nobody has two of one kind.
    spread=Spread(deck=(0,) * 72 + (1,) * 22 + (2,) * 6, least=1, most=3),
    columns=_keyed(
        Column(name="customer_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        Column(name="kind", type=ColumnType.TEXT),
        Column(name="street", type=ColumnType.TEXT, pii=Pii.STREET),
        Column(name="number", type=ColumnType.TEXT, pii=Pii.STREET),
        Column(name="complement", type=ColumnType.TEXT, nullable=True, pii=Pii.COMPLEMENT),
        Column(name="district", type=ColumnType.TEXT, unmasked_because=_SHARED),
        Column(name="city", type=ColumnType.TEXT, unmasked_because=_SHARED),
        Column(name="uf", type=ColumnType.TEXT, unmasked_because=_SHARED),
        Column(name="postal_code", type=ColumnType.TEXT, pii=Pii.STREET),
    ),
    parents=(Parent(entity="customers", column="customer_id"),),
    uniques=(("customer_id", "kind"),),
    batch_rows=16_384,
)

BANK_ACCOUNTS = Entity(
    name="bank_accounts",
    scales_with="customers",
    spread=Spread(deck=(0,) * 72 + (1,) * 22 + (2,) * 6, least=1, most=4),
    columns=_keyed(
        Column(name="customer_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        Column(name="bank_code", type=ColumnType.TEXT),
        Column(name="agency", type=ColumnType.TEXT, pii=Pii.BANK_ACCOUNT, digest=True),
        # Null where the bank has none.
        Column(name="agency_digit", type=ColumnType.TEXT, nullable=True, pii=Pii.BANK_ACCOUNT),
        Column(name="account", type=ColumnType.TEXT, pii=Pii.BANK_ACCOUNT, digest=True),
        Column(name="account_digit", type=ColumnType.TEXT, pii=Pii.BANK_ACCOUNT),
        Column(name="account_kind", type=ColumnType.TEXT),
        # cpf, cnpj, phone, email or evp; null where the account has no key.
        Column(name="pix_key_type", type=ColumnType.TEXT, nullable=True),
        Column(name="pix_key", type=ColumnType.TEXT, nullable=True, pii=Pii.PIX_KEY, digest=True),
        Column(name="status", type=ColumnType.TEXT),
    ),
    parents=(Parent(entity="customers", column="customer_id"),),
    uniques=(("bank_code", "agency_digest", "account_digest"),),
    batch_rows=16_384,
)

CREDIT_LIMITS = Entity(
    name="credit_limits",
    scales_with="customers",
    spread=ONE_EACH,
    columns=_keyed(
        Column(name="customer_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        Column(name="limit_cents", type=ColumnType.BIGINT),
        # What the customer owes of the principals of loans that are not settled.
        Column(name="used_cents", type=ColumnType.BIGINT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="valid_until", type=ColumnType.DATE),
    ),
    parents=(Parent(entity="customers", column="customer_id"),),
    uniques=(("customer_id",),),
)

LOANS = Entity(
    name="loans",
    scales_with="customers",
    spread=Spread(deck=LOANS_PER_CUSTOMER_DECK, least=0, most=60),
    columns=_keyed(
        Column(name="customer_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
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
        # withheld, out of what is released, or financed: lent on top.
        Column(name="iof_mode", type=ColumnType.TEXT),
    ),
    parents=(Parent(entity="customers", column="customer_id"),),
)

CONTRACTS = Entity(
    name="contracts",
    scales_with="loans",
    spread=ONE_EACH,
    columns=_keyed(
        Column(name="loan_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        Column(name="contract_number", type=ColumnType.TEXT, pii=Pii.CONTRACT_NUMBER, legible=True),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="signed_on", type=ColumnType.DATE),
        Column(name="first_due_on", type=ColumnType.DATE),
        Column(name="last_due_on", type=ColumnType.DATE),
        Column(name="total_payable_cents", type=ColumnType.BIGINT),
        Column(name="iof_cents", type=ColumnType.BIGINT),
        Column(name="cet_annual_bp", type=ColumnType.INTEGER),
        Column(name="cet_monthly_bp", type=ColumnType.INTEGER),
        Column(name="late_fee_bp", type=ColumnType.INTEGER),
        Column(name="late_interest_monthly_bp", type=ColumnType.INTEGER),
    ),
    parents=(Parent(entity="loans", column="loan_id"),),
    uniques=(("loan_id",), ("contract_number",)),
)

INSTALLMENTS = Entity(
    name="installments",
    scales_with="loans",
    spread=Spread(deck=TERM_DECK, least=1, most=120),
    columns=_keyed(
        Column(name="loan_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        Column(name="number", type=ColumnType.SMALLINT),
        Column(name="due_on", type=ColumnType.DATE),
        Column(name="payment_cents", type=ColumnType.BIGINT),
        Column(name="interest_cents", type=ColumnType.BIGINT),
        Column(name="amortization_cents", type=ColumnType.BIGINT),
        Column(name="balance_cents", type=ColumnType.BIGINT),
        Column(name="status", type=ColumnType.TEXT),
        Column(name="paid_on", type=ColumnType.DATE, nullable=True),
        # Fine and interest that came with a late payment.
        Column(name="late_charges_cents", type=ColumnType.BIGINT),
    ),
    parents=(Parent(entity="loans", column="loan_id"),),
    uniques=(("loan_id", "number"),),
)

FINANCIAL_TRANSACTIONS = Entity(
    name="financial_transactions",
    # The release of the loan, and each installment that was paid; of a cancelled loan, what came back.
    scales_with="loans",
    columns=_keyed(
        Column(name="loan_id", type=ColumnType.BIGINT, unmasked_because=_A_ROW_NUMBER),
        # Null unless it pays an installment.
        Column(name="installment_id", type=ColumnType.BIGINT, nullable=True, unmasked_because=_A_ROW_NUMBER),
        Column(name="kind", type=ColumnType.TEXT),
        Column(name="amount_cents", type=ColumnType.BIGINT),
        Column(name="occurred_on", type=ColumnType.DATE),
        Column(name="method", type=ColumnType.TEXT),
        Column(name="description", type=ColumnType.TEXT, unmasked_because=_NO_NAME),
        # Null unless it went by Pix.
        Column(name="reference", type=ColumnType.TEXT, nullable=True, pii=Pii.PIX_REFERENCE),
    ),
    parents=(Parent(entity="loans", column="loan_id"), Parent(entity="installments", column="installment_id")),
    uniques=(("installment_id",),),
)

# In dependency order: a parent stands before its children, and the largest come as early as that allows, so that
# their keys are built while the rows of the others come in.
ENTITIES = MappingProxyType(
    {
        entity.name: entity
        for entity in (
            TENANTS,
            CONSULTANTS,
            CUSTOMERS,
            LOANS,
            INSTALLMENTS,
            FINANCIAL_TRANSACTIONS,
            CONTRACTS,
            CREDIT_LIMITS,
            ADDRESSES,
            BANK_ACCOUNTS,
            USERS,
            CATEGORIES,
            SUPPLIERS,
        )
    }
)

"""A Django-style application in the same database, and plans that fill its tables by a mapping."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from factories import make_plan
from psycopg import sql
from psycopg.rows import dict_row
from seed_runs import begun, load_all, publish_all

from seed_pipelines.mapping.load import parse_mapping
from seed_pipelines.session import mapped

FIXTURES = Path(__file__).parent / "fixtures"
MAPPING_FILE = FIXTURES / "shop.mapping.yaml"
TABLES = {
    "users": "auth_user",
    "customers": "customer",
    "bank_accounts": "account",
    "categories": "category",
    "loans": "loan",
}
WISHES = {"customers": 12, "users": 3, "categories": 6, "consultants": 0, "installments": 0, "addresses": 0}
LEFT_OUT = {"suppliers": 0, "credit_limits": 0, "contracts": 0, "financial_transactions": 0}
ACME = 1

MAKE_ROLES = """
DO $$
DECLARE
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(4712);
    FOREACH name IN ARRAY ARRAY['shop_owner', 'shop_web'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END
$$
"""


def make_shop(seeded) -> None:
    """The application's schema, with rows of its own."""
    with psycopg.connect(seeded.server.dsn(seeded.name), autocommit=True) as administrator:
        administrator.execute(MAKE_ROLES)
        administrator.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO shop_owner").format(sql.Identifier(seeded.name)))
        administrator.execute((FIXTURES / "shop_schema.sql").read_text())


def shop_mapping(*changes: tuple[str, str]):
    """The mapping of the fixture, with texts replaced."""
    text = MAPPING_FILE.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_mapping(text.encode(), source="shop.mapping.yaml")


def shop_plan(*, mapping=None, **wishes):
    """A plan whose rows go into the shop."""
    return mapped(make_plan(**(WISHES | LEFT_OUT | wishes)), mapping or shop_mapping())


def run_in_shop(session, plan, *, key="first"):
    """From the claim to the publication."""
    run = begun(session, plan, key=key)
    load_all(session, plan, run)
    return publish_all(session, plan, run)


class Shop:
    """What the tables hold, and what the application does with them."""

    def __init__(self, seeded) -> None:
        self.seeded = seeded

    def rows(self, entity: str, *, organization: int | None = ACME) -> list[dict[str, Any]]:
        """Rows of one table, by key, as the superuser sees them."""
        wish = sql.SQL("" if organization is None else " WHERE organization_id = %(organization)s")
        with self.seeded.superuser() as connection:
            return connection.execute(
                sql.SQL("SELECT * FROM shop.{}{} ORDER BY id").format(sql.Identifier(TABLES[entity]), wish),
                {"organization": organization},
            ).fetchall()

    def ours(self, entity: str) -> list[dict[str, Any]]:
        """The rows that the ledger calls ours, with the id of ours beside them."""
        with self.seeded.superuser() as connection:
            return connection.execute(
                sql.SQL(
                    "SELECT l.row_id, t.* FROM shop.{} AS t JOIN seed_control.mapped_row AS l "
                    "ON l.entity = {} AND l.target_key = t.id::text ORDER BY l.row_id"
                ).format(sql.Identifier(TABLES[entity]), sql.Literal(entity))
            ).fetchall()

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every tenant, without the one column that is encrypted anew by every run."""
        found = {entity: self.rows(entity, organization=None) for entity in TABLES}
        for row in found["customers"]:
            row.pop("email_message")
            row.pop("updated_at")
        return found

    @contextmanager
    def application(self, organization: int = ACME):
        """The web application's connection, as one of its tenants."""
        with psycopg.connect(
            self.seeded.server.dsn(self.seeded.name), autocommit=True, row_factory=dict_row
        ) as connection:
            connection.execute("SET ROLE shop_web")
            connection.execute("SELECT set_config('shop.organization', %s, false)", [str(organization)])
            yield connection

    def does(self, statement: str, **values: object) -> Any:
        """One statement of the application; the first row, if it has any."""
        with self.application() as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchone() if cursor.description else None

    def breaks(self, *statements: str) -> None:
        with self.seeded.superuser() as connection:
            for statement in statements:
                connection.execute(statement)

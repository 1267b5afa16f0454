"""Preflight: would this database keep tenants apart if we wrote to it now? Any doubt is a refusal.

The catalogue is asked, not trusted: the loader's role, every target table's row-level security with the exact text of
its policy, ownership and rights. A table that the catalogue of entities names and the database lacks is a finding too.
"""

from collections.abc import Iterator
from typing import Any

from seed_pipelines.control import migrations
from seed_pipelines.errors import DatabaseNotSafe
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

# As pg_get_expr gives back the policy of sql/migrations/0002_build_and_publish.sql.
TENANT_POLICY = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"


def assert_safe(connection: Connection, entities: tuple[str, ...]) -> None:
    """Raises MigrationsPending or DatabaseNotSafe; writes nothing."""
    migrations.assert_applied(connection)
    findings = tuple(_findings(connection, entities))
    if findings:
        raise DatabaseNotSafe(findings)


def _findings(connection: Connection, entities: tuple[str, ...]) -> Iterator[str]:
    with translated():
        role = connection.execute(query("preflight_role")).fetchone()
        settings = connection.execute(query("preflight_settings")).fetchone()
        tables = connection.execute(query("preflight_tables"), {"policy": TENANT_POLICY}).fetchall()
    yield from _role_findings(role or {})
    yield from _settings_findings(settings or {})
    known = {row["table_name"] for row in tables}
    yield from (f"table app.{entity} is missing" for entity in entities if entity not in known)
    for row in tables:
        yield from _table_findings(row)


def _role_findings(role: dict[str, Any]) -> Iterator[str]:
    if not role:
        yield "the current role is not in the catalogue"
        return
    if role["is_privileged"]:
        yield f"role {role['role']} is a superuser, bypasses row-level security or administers the server"
    if role["is_member"]:
        yield f"role {role['role']} is a member of another role"
    if role["is_switched"]:
        yield f"role {role['role']} is not the one that logged in"


def _settings_findings(settings: dict[str, Any]) -> Iterator[str]:
    if not settings.get("row_security_on"):
        yield "row_security is off in this session"
    if not settings.get("triggers_fire"):
        yield "session_replication_role keeps triggers from firing"
    if not settings.get("no_tenant_left"):
        yield "a tenant is left over in this session"


def _table_findings(row: dict[str, Any]) -> Iterator[str]:
    table = f"app.{row['table_name']}"
    if not row["is_forced"]:
        yield f"row-level security of {table} is not enabled and forced"
    if row["tenant_policies"] != 1:
        yield f"{table} lacks the restrictive tenant policy, word for word"
    if row["is_owned"]:
        yield f"the loader owns {table}, or is a member of its owner"
    if row["has_excess"]:
        yield f"the loader may TRUNCATE {table}, or make triggers or references on it"
    if row["has_direct_grant"]:
        yield f"the loader has a direct right on partition {table}"

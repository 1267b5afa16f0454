"""What the database's own catalogue has to say before the loader writes: each check is one statement.

A statement of `sql/queries/preflight.sql` lists, in words, what speaks against its check. One that fails speaks against
it too: what could not be looked at is not safe. Only a lost connection is raised, since it can be tried again.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from seed_pipelines.errors import DatabaseRefused
from seed_pipelines.load.checks import Check, CheckResult
from seed_pipelines.load.migrated_functions import migrated_functions
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import migrations, query

TARGET_SCHEMA = "app"

# As pg_get_expr gives back the policy of sql/migrations/0002_build_and_publish.sql.
TENANT_POLICY = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"

CATALOGUE_CHECKS = (
    Check(
        name="direct-connection",
        promise="no pooler or proxy stands between the loader and the server",
        why="a pooler in transaction mode gives the tenant, the locks and the timeouts of one session to another",
        remedy="Let SEED_DATABASE_URL name the server itself, not PgBouncer or another pooler.",
        query="preflight_direct_connection",
    ),
    Check(
        name="session",
        promise="the session has the settings that row-level security and the lease count on",
        why="row_security off fails every read, a tenant left over shows its rows, a search_path that begins elsewhere "
        "lends our statements other functions, and without timeouts a sleeping writer outlives its lease",
        remedy="Remove the settings of the role and of the database (ALTER ROLE … RESET ALL, ALTER DATABASE … RESET "
        "ALL), and any PGOPTIONS.",
        query="preflight_session",
    ),
    Check(
        name="login-role",
        promise="the loader logged in as itself, without a right over the server",
        why="a superuser and a role with BYPASSRLS ignore every policy; one that may create roles can become another",
        remedy="Connect as seed_loader, and take the attribute away: ALTER ROLE seed_loader NOSUPERUSER NOBYPASSRLS "
        "NOCREATEROLE NOCREATEDB NOREPLICATION.",
        query="preflight_login_role",
    ),
    Check(
        name="memberships",
        promise="the loader is a member of nothing",
        why="a member of the owner can switch FORCE ROW LEVEL SECURITY off; one of pg_read_all_data reads every table",
        remedy="REVOKE the role from seed_loader.",
        query="preflight_memberships",
    ),
    Check(
        name="ownership",
        promise="the loader owns nothing",
        why="an owner can switch off the row-level security of its own table, and grant it to anybody",
        remedy="Give it back: ALTER … OWNER TO seed_owner.",
        query="preflight_ownership",
    ),
    Check(
        name="creation-rights",
        promise="the loader can create nothing",
        why="who can create objects can put its own table, function or operator in the way of ours",
        remedy="REVOKE CREATE ON SCHEMA … and ON DATABASE … FROM seed_loader, PUBLIC.",
        query="preflight_creation_rights",
    ),
    Check(
        name="target-tables",
        promise="every entity of the plan has its table",
        why="a view or a foreign table of the same name has no row-level security of its own",
        remedy="Restore the tables with the migrations: `seed-data db migrate`.",
        query="preflight_target_tables",
    ),
    Check(
        name="row-security",
        promise="row-level security is enabled and forced on every table and partition, and applies to the loader",
        why="without FORCE the owner's functions see every tenant; without ENABLE everybody does",
        remedy="ALTER TABLE … ENABLE ROW LEVEL SECURITY; ALTER TABLE … FORCE ROW LEVEL SECURITY.",
        query="preflight_row_security",
    ),
    Check(
        name="tenant-policy",
        promise="every table has the tenant policy, word for word, and no other beside the one that it restricts",
        why="a policy for some commands or roles leaves the others open, permissive ones are added up, and a fallback "
        "in the expression shows rows to a session without a tenant",
        remedy="Drop the table's policies and make them again as seed_control.protect does.",
        query="preflight_tenant_policy",
    ),
    Check(
        name="table-rights",
        promise="the loader may read and write rows, and nothing else",
        why="TRUNCATE asks no policy and empties every tenant; TRIGGER and REFERENCES reach the rows of others; a "
        "grant option hands them on",
        remedy="REVOKE TRUNCATE, TRIGGER, REFERENCES ON … FROM seed_loader, PUBLIC; REVOKE GRANT OPTION FOR ….",
        query="preflight_table_rights",
    ),
    Check(
        name="rules",
        promise="no rule rewrites a statement",
        why="a rule runs with the rights of the table's owner and can send rows elsewhere",
        remedy="DROP RULE ….",
        query="preflight_rules",
    ),
    Check(
        name="triggers",
        promise="no trigger but those of the constraints, and all of these fire",
        why="a trigger can copy or change rows; a constraint whose trigger is off is not checked",
        remedy="DROP TRIGGER …; ALTER TABLE … ENABLE TRIGGER ALL.",
        query="preflight_triggers",
    ),
    Check(
        name="partitions",
        promise="partitions are reached through their parent only",
        why="the parent's policy is not applied to who reads or writes a partition by its own name",
        remedy="REVOKE ALL ON … FROM seed_loader, PUBLIC; detach what is not an ordinary table.",
        query="preflight_partitions",
    ),
    Check(
        name="views",
        promise="no view that the loader reaches, or that opens personal columns, reads with its owner's rights",
        why="a view without security_invoker shows what its owner may see: every tenant, for a superuser's",
        remedy="REVOKE ALL ON … FROM seed_loader, PUBLIC, or ALTER VIEW … SET (security_invoker = true).",
        query="preflight_views",
    ),
    Check(
        name="other-relations",
        promise="the loader reaches no materialized view, foreign table or unprotected copy",
        why="they have no policies: whatever rows they hold are everybody's",
        remedy="REVOKE ALL ON … FROM seed_loader, PUBLIC.",
        query="preflight_other_relations",
    ),
    Check(
        name="definer-functions",
        promise="the only functions that lend the loader their owner's rights are those of the migrations",
        why="a SECURITY DEFINER function reads and writes as its owner, and one without a pinned search_path runs "
        "whatever is put in its way",
        remedy="REVOKE EXECUTE ON FUNCTION … FROM seed_loader, PUBLIC; restore seed_control with the migrations.",
        query="preflight_definer_functions",
    ),
    Check(
        name="leakproof-functions",
        promise="the loader can call no LEAKPROOF function that somebody added",
        why="the server runs a LEAKPROOF function on rows before their policy: it sees what the policy hides",
        remedy="ALTER FUNCTION … NOT LEAKPROOF, or REVOKE EXECUTE ON FUNCTION … FROM seed_loader, PUBLIC.",
        query="preflight_leakproof_functions",
    ),
    Check(
        name="tenant-keys",
        promise="keys and references begin with a tenant_id that is never null",
        why="constraints ignore row-level security: a key without the tenant tells one tenant which rows another has, "
        "and a reference without it reaches them",
        remedy="Put tenant_id first in the unique index or foreign key, and make it NOT NULL.",
        query="preflight_tenant_keys",
    ),
    Check(
        name="sequences",
        promise="no sequence numbers the rows, and the loader can move none",
        why="a sequence falls behind rows that bring their ids, and who sets it by the rows that it sees sets it back "
        "for every other tenant",
        remedy="ALTER TABLE … ALTER COLUMN … DROP IDENTITY or DROP DEFAULT; REVOKE ALL ON SEQUENCE … FROM seed_loader, "
        "PUBLIC.",
        query="preflight_sequences",
    ),
    Check(
        name="build-tables",
        promise="every open build table takes rows of its own tenant only",
        why="COPY into a build table asks no policy: its CHECK is what refuses another tenant's row",
        remedy="End the seed run with `seed-data cancel`, which drops its build, and start it again.",
        query="preflight_build_tables",
    ),
)


def ask_catalogue(
    connection: Connection, entities: tuple[str, ...], *, target: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[CheckResult]:
    """Every check of the catalogue, in order; raises DatabaseUnavailable. `target` says which tables a mapping adds.

    Where something is found, everything is asked once more, and a check fails if it fails both times: PostgreSQL looks
    rights up as of now and tables as of the statement's beginning, so it may show a table half that is being sealed or
    published at this moment.
    """
    values = values_of(connection, entities) | dict(target)
    found = _asked(connection, values)
    again = _asked(connection, values) if any(found) else found
    for check, first, second in zip(CATALOGUE_CHECKS, found, again, strict=True):
        yield check.result(second if first else ())


def _asked(connection: Connection, values: dict[str, Any]) -> list[tuple[str, ...]]:
    """What each check finds now, in order."""
    try:
        with translated():
            tree = connection.execute(query("preflight_tree"), values).fetchall()
    except DatabaseRefused as error:
        # Without the list of tables no check has looked at anything.
        return [(not_checked(error),)] * len(CATALOGUE_CHECKS)
    tables = {
        "tables": [row["id"] for row in tree],
        "children": [row["id"] for row in tree if row["is_child"]],
    }
    return [_findings(connection, check, values | tables) for check in CATALOGUE_CHECKS]


def values_of(connection: Connection, entities: tuple[str, ...]) -> dict[str, Any]:
    """What the statements ask about, and what they compare it with."""
    functions = migrated_functions(text for _, text in migrations())
    return {
        "schema": TARGET_SCHEMA,
        "entities": list(entities),
        "policy": TENANT_POLICY,
        # What the server said when the connection was made: a pooler says a number of its own.
        "backend_pid": connection.info.backend_pid,
        "function_names": [function.name for function in functions],
        "function_bodies": [function.body_sha256 for function in functions],
        # Tables of an application, sequences that their keys are drawn from, and their policy: a mapping's to say.
        "mapped": [],
        "mapped_sequences": [],
        "mapped_policy": TENANT_POLICY,
    }


def not_checked(error: DatabaseRefused) -> str:
    """A statement that fails is a finding: what could not be looked at is not safe."""
    return f"it could not be checked: SQLSTATE {error.sqlstate}"


def _findings(connection: Connection, check: Check, values: dict[str, Any]) -> tuple[str, ...]:
    try:
        with translated():
            return tuple(row["finding"] for row in connection.execute(query(check.query or ""), values))
    except DatabaseRefused as error:
        return (not_checked(error),)

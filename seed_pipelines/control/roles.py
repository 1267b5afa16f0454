"""The roles of the database, and how an administrator makes them.

seed_owner owns every schema and cannot log in; seed_migrator becomes it to migrate; seed_loader writes what a seed run
writes; seed_auditor reads; seed_application is what the platform's own services are; seed_api reads the seed runs of
the tenant that a request names; seed_reader reads the tables, and opens personal columns with keys that it is given.
"""

from collections.abc import Mapping

from psycopg import sql

from seed_pipelines.outside.postgres import Connection, transaction
from seed_pipelines.sql import bootstrap

MIGRATOR = "seed_migrator"
LOADER = "seed_loader"
AUDITOR = "seed_auditor"
APPLICATION = "seed_application"
API = "seed_api"
READER = "seed_reader"
LOGIN_ROLES = (MIGRATOR, LOADER, AUDITOR, APPLICATION, API, READER)


def make_roles(administrator: Connection, passwords: Mapping[str, str]) -> None:
    """Roles, rights on the database and pgcrypto, once; each named role gets its password. Safe to repeat."""
    with transaction(administrator):
        administrator.execute(sql.SQL(bootstrap()))
        for role, password in passwords.items():
            administrator.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            )

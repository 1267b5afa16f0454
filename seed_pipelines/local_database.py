"""The local database: an embedded server with our roles, our schema and Dagster's storage, for dev and for tests.

One call makes it ready, however far an earlier one came. The roles' passwords are derived from the server's own, so
the only secret on disk is the server's state file.
"""

import hashlib
import hmac
from pathlib import Path

from psycopg import sql

from seed_pipelines.control import migrations, roles
from seed_pipelines.outside.embedded import EmbeddedPostgres, ServerAddress
from seed_pipelines.outside.postgres import Connection, connected, translated
from seed_pipelines.sql import query

DATABASE = "seed"
DAGSTER_DATABASE = "dagster"
_DAGSTER_ROLE = "seed_dagster"


class LocalDatabase:
    """The embedded server of one home directory, provisioned."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home
        self._server = EmbeddedPostgres(home, durable=durable)

    def start(self) -> None:
        """Server, databases, roles and migrations: whatever of them is missing."""
        address = self._server.start()
        passwords = {role: _password(address, role) for role in roles.LOGIN_ROLES}
        with connected(address.dsn("postgres")) as administrator:
            _make_databases(administrator, address)
        with connected(address.dsn(DATABASE)) as administrator:
            roles.make_roles(administrator, passwords)
        with connected(self.url(roles.MIGRATOR)) as migrator:
            migrations.apply(migrator)

    def stop(self) -> None:
        """End the server; the data stay."""
        self._server.stop()

    def remove(self) -> None:
        """End the server and delete its data."""
        self._server.remove()

    def is_running(self) -> bool:
        return self._server.is_running()

    def url(self, role: str) -> str:
        """The connection of one role."""
        address = self._server.address()
        return address.dsn(DATABASE, user=role, password=_password(address, role))

    def loader_url(self) -> str:
        return self.url(roles.LOADER)

    def dagster_url(self) -> str:
        """Dagster's own storage. The driver is named: SQLAlchemy would take another one for a bare URL."""
        address = self._server.address()
        url = address.dsn(DAGSTER_DATABASE, user=_DAGSTER_ROLE, password=_password(address, _DAGSTER_ROLE))
        return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def _password(address: ServerAddress, role: str) -> str:
    return hmac.new(address.password.encode(), role.encode(), hashlib.sha256).hexdigest()[:40]


def _make_databases(administrator: Connection, address: ServerAddress) -> None:
    with translated():
        administrator.execute(query("local_dagster_role"))
        administrator.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(_DAGSTER_ROLE), sql.Literal(_password(address, _DAGSTER_ROLE))
            )
        )
        for name, owner in ((DATABASE, address.superuser), (DAGSTER_DATABASE, _DAGSTER_ROLE)):
            if administrator.execute(query("local_database_known"), {"name": name}).fetchone() is None:
                administrator.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
                )

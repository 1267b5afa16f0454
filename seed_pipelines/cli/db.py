"""The commands about the database: `seed-data db …`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seed_pipelines.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command()
def start() -> None:
    """Start the embedded PostgreSQL, with roles and migrations.

    Example: seed-data db start, then psql "$(seed-data db url)"
    """
    from seed_pipelines.local_database import LocalDatabase
    from seed_pipelines.settings import from_environment

    local = LocalDatabase(from_environment().home)
    local.start()
    typer.echo("the embedded PostgreSQL runs; `seed-data db url` says where, `seed-data db stop` ends it")


@app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL; the data stay.

    Example: seed-data db stop
    """
    from seed_pipelines.local_database import LocalDatabase
    from seed_pipelines.settings import from_environment

    LocalDatabase(from_environment().home).stop()
    typer.echo("stopped")


@app.command()
def remove(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the embedded PostgreSQL and delete its data.

    Example: seed-data db remove --yes
    """
    from seed_pipelines.local_database import LocalDatabase
    from seed_pipelines.settings import from_environment

    if not yes:
        typer.confirm("Delete all data of the embedded PostgreSQL?", abort=True)
    LocalDatabase(from_environment().home).remove()
    typer.echo("removed")


@app.command()
def url(
    role: Annotated[
        str, typer.Option(help="seed_loader, seed_application, seed_auditor, seed_api, seed_reader or seed_migrator.")
    ] = ("seed_application"),
) -> None:
    """The connection of a role to the embedded PostgreSQL; it holds the password.

    Example: psql "$(seed-data db url)"
    """
    from seed_pipelines.local_database import LocalDatabase
    from seed_pipelines.settings import from_environment

    typer.echo(LocalDatabase(from_environment().home).url(role))


@app.command()
def migrate(
    migrator_url: Annotated[
        str | None, typer.Option(envvar="SEED_MIGRATOR_URL", help="The migrator's connection.")
    ] = None,
    admin_url: Annotated[
        str | None, typer.Option(envvar="SEED_ADMIN_URL", help="An administrator's, to make the roles first.")
    ] = None,
) -> None:
    """Apply the migrations that are missing. Without a connection: to the embedded PostgreSQL.

    Where another database or an environment other than dev is named, a missing connection is refused: exit code 3.

    Example: SEED_MIGRATOR_URL=postgresql://seed_migrator@db/app seed-data db migrate
    """
    from seed_pipelines.control import migrations, roles
    from seed_pipelines.local_database import LocalDatabase
    from seed_pipelines.outside.postgres import connected
    from seed_pipelines.settings import from_environment

    if migrator_url is None:
        settings = from_environment()
        assert_embedded_is_meant(settings, admin_url=admin_url)
        LocalDatabase(settings.home).start()
        typer.echo("the embedded PostgreSQL is up to date")
        return
    if admin_url:
        with connected(admin_url) as administrator:
            roles.make_roles(administrator, {})
    with connected(migrator_url) as connection:
        applied = migrations.apply(connection)
    typer.echo("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


@app.command()
def check() -> None:
    """Would this database keep tenants apart? Exit code 3 says no, and why.

    Example: SEED_DATABASE_URL=postgresql://seed_loader@db/app seed-data db check
    """
    from seed_pipelines import catalog
    from seed_pipelines.cli.doors import installation_of, with_database
    from seed_pipelines.load import preflight

    mapping = installation_of().mapping()
    with with_database() as connection:
        preflight.assert_safe(connection, tuple(catalog.ENTITIES), mapping=mapping)
    typer.echo("row-level security, roles and migrations are as they have to be")


def assert_embedded_is_meant(settings: "Settings", *, admin_url: str | None) -> None:
    """Raises MigratorUnknown: a forgotten connection must not pass for a database that is up to date."""
    from seed_pipelines.errors import MigratorUnknown
    from seed_pipelines.settings import DEV

    signs = {
        "SEED_DATABASE_URL": settings.database_url,
        "SEED_ADMIN_URL": admin_url,
        f"SEED_ENVIRONMENT={settings.environment}": settings.environment not in (None, DEV),
    }
    given = tuple(name for name, speaks in signs.items() if speaks)
    if given:
        raise MigratorUnknown(given)

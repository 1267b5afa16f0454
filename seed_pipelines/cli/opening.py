"""`seed-data dataset open`: the keys of one tenant of dev, in the form that psql takes them."""

from collections.abc import Mapping
from uuid import UUID

from seed_pipelines import catalog
from seed_pipelines.cli.doors import installation_of
from seed_pipelines.errors import KeysNotShown
from seed_pipelines.mask.reading import opening_settings
from seed_pipelines.outside.postgres import connected
from seed_pipelines.seeds import tenant_id_of
from seed_pipelines.session import keys_of
from seed_pipelines.settings import DEV


def session_settings(environment: str, tenant: str) -> Mapping[str, str]:
    """Tenant and keys, as settings of a session; raises KeysNotShown outside of dev."""
    if environment != DEV:
        raise KeysNotShown(environment)
    installation = installation_of()
    with (
        connected(installation.database_url(), application="seed-data") as connection,
        keys_of(installation, tenant, connection, environment=environment) as keys,
    ):
        opening = opening_settings(keys, catalog.ENTITIES.values())
    return {"app.tenant_id": str(UUID(bytes=tenant_id_of(environment, tenant))), **opening}


def as_options(settings: Mapping[str, str]) -> str:
    """As PGOPTIONS; names and values are of letters, digits and underscores."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def as_statements(settings: Mapping[str, str]) -> str:
    """As statements for a session that is open already."""
    return "\n".join(f"SELECT set_config('{name}', '{value}', false);" for name, value in settings.items())

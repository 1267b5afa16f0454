"""Settings: everything the environment says, read once by a door.

No other module reads an environment variable. Secrets are held here by value and shown nowhere: the text form of
`Settings` leaves them out.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seed_pipelines.errors import SettingNotUsable

DEV = "dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation.

    Attributes:
        home: where an embedded server, dev keys, dev reports and the Dagster instance of `seed-data dev` live.
        manifests: the manifests folder.
        database_url: the loader's connection; None means the embedded server of `home`.
        environment: the only environment that this installation serves; None serves every manifest.
        worm_url: where reports go; None means `file://` under `home`, which only dev accepts.
        is_ci: whether CI is set: the local dev key is refused then.
    """

    home: Path
    manifests: Path
    database_url: str | None = field(repr=False, default=None)
    environment: str | None = None
    worm_url: str | None = None
    vault_addr: str | None = None
    vault_token: str | None = field(repr=False, default=None)
    vault_role_id: str | None = field(repr=False, default=None)
    vault_secret_id: str | None = field(repr=False, default=None)
    vault_key_version: int = 1
    otlp_endpoint: str | None = None
    lease_seconds: float = 60.0
    is_ci: bool = False

    @property
    def report_store_url(self) -> str:
        return self.worm_url or f"file://{self.home.absolute()}/reports"

    @property
    def env_local(self) -> Path:
        """The file that holds the dev keys."""
        return self.home / ".env.local"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of this process; raises SettingNotUsable."""
    return Settings(
        home=Path(environ.get("SEED_HOME", ".seed")),
        manifests=Path(environ.get("SEED_MANIFESTS_DIR", "manifests")),
        database_url=environ.get("SEED_DATABASE_URL") or None,
        environment=environ.get("SEED_ENVIRONMENT") or None,
        worm_url=environ.get("SEED_WORM_URL") or None,
        vault_addr=environ.get("SEED_VAULT_ADDR") or None,
        vault_token=environ.get("SEED_VAULT_TOKEN") or None,
        vault_role_id=environ.get("SEED_VAULT_ROLE_ID") or None,
        vault_secret_id=environ.get("SEED_VAULT_SECRET_ID") or None,
        vault_key_version=_whole(environ, "SEED_VAULT_KEY_VERSION", 1),
        otlp_endpoint=environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or None,
        lease_seconds=float(_whole(environ, "SEED_LEASE_SECONDS", 60)),
        is_ci=environ.get("CI", "").lower() not in ("", "0", "false"),
    )


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingNotUsable(name, text, wanted="a whole number of at least 1")
    return int(text)
